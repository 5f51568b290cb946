// A snapshot's content as a row of items: each its length (4 bytes, little-endian) and its bytes,
// packed into chunks of about 64 KiB, so that neither writing nor reading a large state ever holds
// more than a chunk and an item of it. Where one chunk ends says nothing: the journal cuts anew.

import { assert } from "../../core/base/assert.ts";

const CHUNK_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;

export function* packItems(items: Iterable<Uint8Array>): Generator<Uint8Array, void> {
  let chunk = new Uint8Array(CHUNK_BYTES);
  let used = 0;
  for (const item of items) {
    const needed = LENGTH_BYTES + item.length;
    if (used > 0 && used + needed > chunk.length) {
      yield chunk.subarray(0, used);
      chunk = new Uint8Array(Math.max(CHUNK_BYTES, needed));
      used = 0;
    } else if (needed > chunk.length) {
      chunk = new Uint8Array(needed);
    }
    new DataView(chunk.buffer).setUint32(used, item.length, true);
    chunk.set(item, used + LENGTH_BYTES);
    used += needed;
  }
  if (used > 0) yield chunk.subarray(0, used);
}

/** Calls `take` with each item; its bytes are valid only during the call. */
export async function unpackItems(
  chunks: AsyncIterable<Uint8Array>,
  take: (item: Uint8Array) => void,
): Promise<void> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) rest = takeWhole(joined(rest, chunk), take);
  assert(rest.length === 0, "a snapshot's content ends with an item");
}

/** Takes the items that are whole; what is left of the bytes. */
function takeWhole(bytes: Uint8Array, take: (item: Uint8Array) => void): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + LENGTH_BYTES <= bytes.length) {
    const end = at + LENGTH_BYTES + view.getUint32(at, true);
    if (end > bytes.length) break;
    take(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return bytes.slice(at);
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length === 0) return right;
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
