// Secrets, hashes and compression, as the vault needs them. Real ones come from node:crypto and
// node:zlib (src/runtime/vault-crypto.ts). Declared here and not among the ports, since the formats
// of this folder are made with it.
//
// Keys are 32 bytes, nonces 12, tags 16. Who calls this never uses a nonce twice under one key:
// each object has a key of its own (core/vault/keys.ts), and counts.

export const keyBytes = 32;
export const hashBytes = 32;
export const nonceBytes = 12;
export const tagBytes = 16;

export interface ScryptCost {
  /** A power of two; memory is 128 x N x r. */
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

export interface VaultCrypto {
  /** Unpredictable. */
  randomBytes(length: number): Uint8Array;
  sha256(...pieces: readonly Uint8Array[]): Uint8Array;
  /** HMAC-SHA-256. */
  mac(key: Uint8Array, ...pieces: readonly Uint8Array[]): Uint8Array;
  /** AES-256-GCM: the cipher text, then the tag. */
  seal(key: Uint8Array, nonce: Uint8Array, about: Uint8Array, plain: Uint8Array): Uint8Array;
  /** Undefined when the key, the nonce, `about` or a byte is not that of `seal`. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    about: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined;
  /** A key from a passphrase. */
  scrypt(passphrase: Uint8Array, salt: Uint8Array, cost: ScryptCost): Promise<Uint8Array>;
  /** Deflate, level 1: whatever order results come in, the program goes on meanwhile. */
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
  /** Undefined when it is not deflate, or does not come to exactly `length` bytes. */
  inflate(bytes: Uint8Array, length: number): Promise<Uint8Array | undefined>;
}
