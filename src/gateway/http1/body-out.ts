// A body as it leaves: as it is where its length was announced or the close ends it, else in chunks
// of our own, one for each run of data.

import type { Writer } from "./writer.ts";

const LINE_END = Buffer.from("\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** Room that a run of data may need besides itself. */
export const CHUNK_OVERHEAD = 20;

export function writeRun(
  out: Writer,
  chunked: boolean,
  bytes: Buffer,
  from: number,
  to: number,
): void {
  out.reserve(to - from + CHUNK_OVERHEAD);
  if (!chunked) {
    out.copy(bytes, from, to);
    return;
  }
  out.shortHex(to - from);
  out.all(LINE_END);
  out.copy(bytes, from, to);
  out.all(LINE_END);
}

export function writeLastChunk(out: Writer): void {
  out.reserve(LAST_CHUNK.length);
  out.all(LAST_CHUNK);
}
