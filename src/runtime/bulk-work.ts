// Whole chunks and shards hashed, deflated, sealed and opened: what a thread of vault-threads.ts
// does, and who has no threads does by itself.
//
// node:crypto gives every result in memory of its own. Results of a megabyte would be new memory
// each time, which the kernel has to find and clear, and garbage that is noticed late; so what is
// sealed or opened goes in pieces that stay in the processor's cache to where it belongs.

import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Sealing, tagBytes } from "../core/vault/crypto.ts";

export const cipher = "aes-256-gcm";
/** Fast rather than small: a backup waits for it. */
const deflateLevel = 1;
const pieceBytes = 65_536;
/** zlib's results come in one piece where there is room for it, and need not be put together. */
const chunkBytesLeast = 64;

export type BulkWork =
  | { readonly kind: "sha256"; readonly bytes: Uint8Array }
  | { readonly kind: "mac"; readonly key: Uint8Array; readonly bytes: Uint8Array }
  | { readonly kind: "deflate"; readonly bytes: Uint8Array; readonly into: Uint8Array }
  | {
      readonly kind: "seal";
      readonly sealing: Sealing;
      readonly bytes: Uint8Array;
      readonly into: Uint8Array;
    }
  | {
      readonly kind: "open";
      readonly sealing: Sealing;
      readonly bytes: Uint8Array;
      readonly into: Uint8Array;
      readonly inflate: boolean;
    };

/** A hash, a length, whether it was done: what this kind of work comes to. */
export type BulkResult = Uint8Array | number | boolean | undefined;

export function doBulkWork(work: BulkWork): BulkResult {
  switch (work.kind) {
    case "sha256":
      return createHash("sha256").update(work.bytes).digest();
    case "mac":
      return createHmac("sha256", work.key).update(work.bytes).digest();
    case "deflate":
      return deflate(work.bytes, work.into);
    case "seal":
      return seal(work.sealing, work.bytes, work.into);
    case "open":
      return open(work.sealing, work.bytes, work.into, work.inflate);
  }
}

function deflate(bytes: Uint8Array, into: Uint8Array): number | undefined {
  const chunkSize = Math.max(chunkBytesLeast, into.length + 1);
  const deflated = deflateRawSync(bytes, { level: deflateLevel, chunkSize });
  if (deflated.length > into.length) return undefined;
  into.set(deflated);
  return deflated.length;
}

function seal({ key, nonce, about }: Sealing, plain: Uint8Array, into: Uint8Array): boolean {
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  sealing.setAAD(about);
  pieceByPiece(plain, (piece, at) => into.set(sealing.update(piece), at));
  sealing.final();
  into.set(sealing.getAuthTag(), plain.length);
  return true;
}

function open(
  { key, nonce, about }: Sealing,
  sealed: Uint8Array,
  into: Uint8Array,
  inflate: boolean,
): boolean {
  const end = sealed.length - tagBytes;
  if (end < 0 || (!inflate && end !== into.length)) return false;
  const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  opening.setAAD(about);
  opening.setAuthTag(sealed.subarray(end));
  const body = inflate ? bodyOf(end) : into;
  pieceByPiece(sealed.subarray(0, end), (piece, at) => body.set(opening.update(piece), at));
  try {
    opening.final();
    if (!inflate) return true;
    // Only what is authentic is inflated.
    const maxOutputLength = Math.max(1, into.length);
    const chunkSize = Math.max(chunkBytesLeast, into.length + 1);
    const plain = inflateRawSync(body, { maxOutputLength, chunkSize });
    if (plain.length !== into.length) return false;
    into.set(plain);
    return true;
  } catch {
    return false;
  }
}

/** What is opened before it is inflated, one at a time. */
let opened = new Uint8Array(0);

function bodyOf(length: number): Uint8Array {
  if (opened.length < length) opened = new Uint8Array(length);
  return opened.subarray(0, length);
}

function pieceByPiece(bytes: Uint8Array, take: (piece: Uint8Array, at: number) => void): void {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    take(bytes.subarray(at, at + pieceBytes), at);
  }
}
