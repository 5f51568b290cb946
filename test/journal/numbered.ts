// Records that say what they are: which of how many of which append, and bytes that follow from
// that. A process that was killed leaves nobody who remembers what it wrote.

import { createPrng } from "../../src/core/base/prng.ts";
import { sameBytes } from "./ledger.ts";

const headerBytes = 6;

/** The records of the append with this number, up to 2^32. */
export function numberedRecords(append: number, count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, index) => numbered(append, index, count));
}

function numbered(append: number, index: number, count: number): Uint8Array {
  const random = createPrng(append * 3 + index);
  const record = new Uint8Array(headerBytes + random.below(random.below(8) === 0 ? 3_000 : 200));
  for (let at = headerBytes; at < record.length; at++) record[at] = random.below(256);
  record[0] = index;
  record[1] = count;
  new DataView(record.buffer).setUint32(2, append);
  return record;
}

/** The number of its append, and whether it is the last of it; undefined: it is none of ours. */
export function identify(bytes: Uint8Array): { append: number; isLast: boolean } | undefined {
  const [index = 0, count = 0] = bytes;
  if (bytes.length < headerBytes) return undefined;
  const append = new DataView(bytes.buffer, bytes.byteOffset).getUint32(2);
  if (!sameBytes(bytes, numbered(append, index, count))) return undefined;
  return { append, isLast: index + 1 === count };
}
