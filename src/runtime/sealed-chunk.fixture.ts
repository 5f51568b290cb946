// A chunk as a pack holds it, for tests of what opens it.

import { randomBytes } from "node:crypto";
import { keyBytes, nonceBytes, type SealedChunk } from "../core/vault/crypto.ts";
import { createVaultCrypto } from "./vault-crypto.ts";

export function sealedChunkOf(plain: Uint8Array): SealedChunk {
  const [key, nonce, about] = [randomBytes(keyBytes), randomBytes(nonceBytes), randomBytes(37)];
  const sealed = createVaultCrypto().seal(key, nonce, about, plain);
  return { sealing: { key, nonce, about }, sealed, plainBytes: plain.length, deflated: false };
}
