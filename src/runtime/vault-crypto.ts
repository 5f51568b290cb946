// The vault's secrets, hashes and compression on node:crypto and node:zlib.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  scrypt,
} from "node:crypto";
import { assert } from "../core/base/assert.ts";
import { type BulkCrypto, keyBytes, tagBytes, type VaultCrypto } from "../core/vault/crypto.ts";
import { type BulkWorkers, withoutThreads } from "./bulk-threads.ts";
import { type BulkWork, cipher } from "./bulk-work.ts";

/** `workers` belong to the caller, who closes them. */
export function createVaultCrypto(workers: BulkWorkers = withoutThreads): VaultCrypto {
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
    bulk: createBulk(workers),
  };
}

function createBulk(workers: BulkWorkers): BulkCrypto {
  const hash = async (work: BulkWork): Promise<Uint8Array> => {
    const result = await workers.run(work);
    assert(result instanceof Uint8Array, "a hash is bytes");
    return result;
  };
  return {
    sha256: (bytes) => hash({ kind: "sha256", bytes }),
    mac: (key, bytes) => hash({ kind: "mac", key, bytes }),
    deflate: async (bytes, into) => {
      checkShared(into);
      const length = await workers.run({ kind: "deflate", bytes, into });
      return typeof length === "number" ? length : undefined;
    },
    seal: async (sealing, bytes, into) => {
      checkShared(into);
      assert(into.length === bytes.length + tagBytes, "there is room for the tag");
      await workers.run({ kind: "seal", sealing, bytes, into });
    },
    open: async (sealing, bytes, into, inflate) => {
      checkShared(into);
      return (await workers.run({ kind: "open", sealing, bytes, into, inflate })) === true;
    },
  };
}

/** Threads would write to a copy of anything else. */
function checkShared(into: Uint8Array): void {
  assert(into.buffer instanceof SharedArrayBuffer, "what a thread writes to is shared");
}
