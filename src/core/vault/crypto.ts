// Secrets, hashes and compression, as the vault needs them. Real ones come from node:crypto and
// node:zlib (src/runtime/vault-crypto.ts). Declared here and not among the ports, since the formats
// of this folder are made with it.
//
// Keys are 32 bytes, nonces 12, tags 16. Who calls this never uses a nonce twice under one key:
// each object has a key of its own (core/vault/keys.ts), and counts.

import type { ByteName } from "./entry.ts";
import type { Geometry, ObjectLengths } from "./shard.ts";

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

/** What seals one piece: a key, a nonce that no other piece under this key has, its context. */
export interface Sealing {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly about: Uint8Array;
}

/** A chunk as it lies in its pack, and what it takes to open it. */
export interface SealedChunk {
  readonly sealing: Sealing;
  readonly sealed: Uint8Array;
  readonly plainBytes: number;
  readonly deflated: boolean;
}

/** A file that any thread of this process may write to, and where. */
export interface OpenFile {
  readonly descriptor: number;
  /** A second descriptor, for whole blocks that go to the device without a stay in the cache. */
  readonly direct: number | undefined;
  readonly offset: number;
}

/** A small file that is to be made, whole or not at all. */
export interface FileToMake {
  /** As bytes, one character each. */
  readonly path: ByteName;
  /** All of it, unless it is empty. */
  readonly chunk: SealedChunk | undefined;
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  readonly modifiedSeconds: number;
}

/** `wrong`: the chunk is not what was sealed. `unowned`: it was made, and its owner is another. */
export type MadeFile = "made" | "wrong" | "unowned";

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
  readonly bulk: Bulk;
}

/**
 * Work on whole chunks and shards, on other processors where there are any. What is given must stay
 * as it is until the promise settles; memory that threads share (memory.ts) is used where it lies,
 * other memory is copied first. What is filled is shared.
 */
export interface Bulk {
  mac(key: Uint8Array, bytes: Uint8Array): Promise<Uint8Array>;
  /** Deflate, level 1, into `into`: how long it is, or undefined when it has no room there. */
  deflate(bytes: Uint8Array, into: Uint8Array): Promise<number | undefined>;
  /** Seals into `into`, which is as long as `plain` and a tag. */
  seal(sealing: Sealing, plain: Uint8Array, into: Uint8Array): Promise<void>;
  /**
   * Opens into `into`, exactly. False when anything is not that of `seal`, or is of another length;
   * then what is in `into` means nothing.
   */
  open(chunk: SealedChunk, into: Uint8Array): Promise<boolean>;
  /** Opens as `open` does and writes it to a file; nothing is written when it is false. */
  openTo(file: OpenFile, chunk: SealedChunk): Promise<boolean>;
  /**
   * Makes files, one after the other; what became of each. Each is made at `temporary` and moved
   * into its place, whatever was there.
   */
  makeFiles(files: readonly FileToMake[], temporary: ByteName): Promise<readonly MadeFile[]>;
  /**
   * Fills `parity` for `data`, unless it is empty; the sums of all shards that there should be, the
   * data's first (window-coder.ts).
   */
  encode(
    geometry: Geometry,
    data: readonly Uint8Array[],
    parity: readonly Uint8Array[],
  ): Promise<readonly Uint8Array[]>;
  /** The sum of a shard. */
  sum(shard: Uint8Array): Promise<Uint8Array>;
  /**
   * What is in a pack that was not sealed with this key, its own, in words; undefined when there is
   * nothing. `shards`: its data shards.
   */
  findForged(
    key: Uint8Array,
    lengths: ObjectLengths,
    shards: readonly Uint8Array[],
  ): Promise<string | undefined>;
}
