// The vault's secrets, hashes and compression on node:crypto and node:zlib.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  scrypt,
} from "node:crypto";
import { promisify } from "node:util";
import { deflateRaw, deflateRawSync, inflateRaw } from "node:zlib";
import { keyBytes, tagBytes, type VaultCrypto } from "../core/vault/crypto.ts";

const cipher = "aes-256-gcm";
/** Fast rather than small: a backup waits for it. */
const deflateLevel = 1;
/** For less, the way to another thread and back takes longer. */
const smallBytes = 16_384;
const deflateAsync = promisify<Uint8Array, { level: number }, Uint8Array>(deflateRaw);
const inflateAsync = promisify<Uint8Array, { maxOutputLength: number }, Uint8Array>(inflateRaw);

export function createVaultCrypto(): VaultCrypto {
  return {
    randomBytes: (length) => randomBytes(length),
    sha256: (...pieces) => {
      const hash = createHash("sha256");
      for (const piece of pieces) hash.update(piece);
      return hash.digest();
    },
    mac: (key, ...pieces) => {
      const mac = createHmac("sha256", key);
      for (const piece of pieces) mac.update(piece);
      return mac.digest();
    },
    seal: (key, nonce, about, plain) => {
      const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
      sealing.setAAD(about);
      return Buffer.concat([sealing.update(plain), sealing.final(), sealing.getAuthTag()]);
    },
    open: (key, nonce, about, sealed) => {
      if (sealed.length < tagBytes) return undefined;
      const end = sealed.length - tagBytes;
      const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
      opening.setAAD(about);
      opening.setAuthTag(sealed.subarray(end));
      const plain = opening.update(sealed.subarray(0, end));
      try {
        opening.final();
      } catch {
        return undefined;
      }
      return plain;
    },
    scrypt: (passphrase, salt, { n, r, p }) =>
      new Promise((resolve, reject) => {
        const maxmem = 256 * n * r + 1_048_576;
        scrypt(passphrase, salt, keyBytes, { N: n, r, p, maxmem }, (error, key) => {
          if (error === null) resolve(key);
          else reject(error);
        });
      }),
    deflate: async (bytes) =>
      bytes.length <= smallBytes
        ? deflateRawSync(bytes, { level: deflateLevel })
        : deflateAsync(bytes, { level: deflateLevel }),
    inflate: async (bytes, length) => {
      try {
        const plain = await inflateAsync(bytes, { maxOutputLength: Math.max(1, length) });
        return plain.length === length ? plain : undefined;
      } catch {
        return undefined;
      }
    },
  };
}
