// The tail rule: where the log stops, is this its end, a write that a crash tore, or rot?
//
// It matters most of all: to take rot for a torn write loses acknowledged records in silence, and
// to take a torn write for rot refuses to start after an ordinary power loss. The argument:
//
// 1. The journal has one write at a time, and begins none before the last one was durable. So of
//    all groups at most the very last is in doubt, and what is in doubt was never acknowledged.
// 2. It is written where this segment had written nothing before: over zeros, or over what an older
//    segment left in the same file; both were durable before the segment got its name. So each of
//    its sectors is, after a crash, *unwritten* (zeros, or older) or exactly as written, in any
//    combination.
// 3. A sector says which. What was written has the segment's number in its seal and is never all
//    zeros; what is older has a smaller one. No file gets a number that is not
//    larger than all it ever had.
//
// Hence a torn group shows itself: its first sector begins a group that goes on from the one
// before, the others are inner ones or unwritten, at least one of them unwritten, and behind it all
// is unwritten. If its first sector is missing, its length is unknown, but bounded, and no other
// sector begins a group. Anything else is rot: a group that is all there and does not match, a
// written sector behind one that is not whole, and any sector that does not match its checksum, for
// it may have been one of an acknowledged group. This holds behind the end as well: the one bit
// that turns a number into a smaller one must not turn a record into one of an earlier life.
//
// What this cannot know: if the last group of all was acknowledged, and afterwards one of its
// sectors went back to what was there before, every byte of it, then it looks torn; and so do
// several groups that all did. A clean close writes one more group so that none with records is
// ever last; after a crash the window is the end of the log.
//
// A torn group is overwritten with zeros before anything else is written, for otherwise its inner
// sectors could outlive the crash behind a shorter group. And the last whole group is written once
// more: after the death of a process, or an error, it may be known to the kernel alone.

import { assert } from "../../core/base/assert.ts";
import { type DiskFile, sectorBytes } from "../../ports/disk.ts";
import { groupBytesMax, sectorKind, viewOf } from "./format.ts";
import { type GroupReader, type GroupState, rottenAt } from "./group-reader.ts";

export type Verdict =
  | { readonly kind: "end" }
  /** Sectors of an unacknowledged group lie from here to before `endOffset`. */
  | { readonly kind: "torn"; readonly offset: number; readonly endOffset: number }
  | {
      readonly kind: "rot";
      readonly offset: number;
      readonly sequence: number;
      readonly what: string;
    };

const chunkBytes = 262_144;

/** Judges the rest of a segment, from the place where `reader` met something else than a group. */
export async function judgeRest(
  file: DiskFile,
  segment: { readonly index: number; readonly sizeBytes: number },
  reader: GroupReader,
  state: GroupState,
): Promise<Verdict> {
  assert(state !== "group", "only the place where the groups stop is judged");
  const { offset, nextSequence: sequence } = reader;
  if (state === "end") return { kind: "end" };
  if (state === "bad") return { kind: "rot", offset, ...reader.problem };
  const from = state === "incomplete" ? reader.groupEnd : offset;
  const rest = await surveyRest(file, segment, from);
  const rot = (what: string): Verdict => ({ kind: "rot", offset, sequence, what });
  if (rest.rottenAt !== undefined) return rot(rottenAt(rest.rottenAt));
  if (state === "incomplete") {
    if (rest.writtenEnd === from) return { kind: "torn", offset, endOffset: from };
    return { kind: "rot", offset, ...reader.problem };
  }
  if (rest.writtenEnd === offset) return { kind: "end" };
  if (rest.groupAt === undefined && rest.writtenEnd - offset <= groupBytesMax) {
    return { kind: "torn", offset, endOffset: rest.writtenEnd };
  }
  return rot(`a group is missing: the log goes on at byte ${rest.groupAt ?? rest.writtenEnd}`);
}

interface Survey {
  /** The first sector that does not match its checksum. */
  readonly rottenAt: number | undefined;
  /** The first sector that begins a group of this segment. */
  readonly groupAt: number | undefined;
  /** Behind the last sector that this segment has written; where the survey began if none. */
  readonly writtenEnd: number;
}

/** Looks at every sector from `from` on. */
async function surveyRest(
  file: DiskFile,
  { index, sizeBytes }: { readonly index: number; readonly sizeBytes: number },
  from: number,
): Promise<Survey> {
  const bytes = new Uint8Array(Math.min(chunkBytes, sizeBytes - from));
  const view = viewOf(bytes);
  let rottenSector: number | undefined;
  let groupAt: number | undefined;
  let writtenEnd = from;
  for (let at = from; at < sizeBytes; at += chunkBytes) {
    const got = await file.read(bytes.subarray(0, Math.min(chunkBytes, sizeBytes - at)), at);
    for (let sector = 0; sector + sectorBytes <= got; sector += sectorBytes) {
      const kind = sectorKind(view, sector, index);
      if (kind === "rotten") rottenSector ??= at + sector;
      if (kind === "begin") groupAt ??= at + sector;
      if (kind === "begin" || kind === "inner") writtenEnd = at + sector + sectorBytes;
    }
  }
  return { rottenAt: rottenSector, groupAt, writtenEnd };
}
