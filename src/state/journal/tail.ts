// The tail rule: where the log stops, is this its end, a write that a crash tore, or rot?
//
// It matters most of all: to take rot for a torn write loses acknowledged records in silence, and
// to take a torn write for rot refuses to start after an ordinary power loss. The argument:
//
// 1. The journal has one write at a time, and begins none before the last one was durable. So of
//    all groups at most the very last is in doubt, and what is in doubt was never acknowledged.
// 2. It is written where only zeros were, which were durable before the segment got its name. So
//    each of its sectors is, after a crash, all zeros or exactly as written, in any combination.
// 3. A sector that was written ends with the mark of its group and so is never all zeros; and no
//    other group has that mark.
//
// Hence a torn group shows itself: one of its sectors at least is all zeros, all others have its
// mark, and behind it there are only zeros. If its first sector is missing, its length is unknown,
// but bounded. Anything else is rot: a sector that is neither zeros nor marked, a group whose
// sectors are all there but do not match, anything at all behind a group that is not whole.
//
// What this cannot know: if the last group of all was acknowledged, and afterwards one of its
// sectors turned to zeros, every byte of it, then it looks torn. A clean close writes one more
// group so that none with records is ever last; after a crash the window is that single group.
//
// A torn group is overwritten with zeros before anything else is written, for otherwise its sectors
// could outlive the crash into a shorter group with the same mark. And the last whole group is
// written once more: after the death of a process, or an error, it may be known to the kernel
// alone.

import { assert } from "../../core/base/assert.ts";
import { type DiskFile, sectorBytes } from "../../ports/disk.ts";
import { groupBytesMax, groupSectors, isZero, markAfter, markOf, viewOf } from "./format.ts";
import type { GroupReader, GroupState } from "./group-reader.ts";

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
  sizeBytes: number,
  reader: GroupReader,
  state: GroupState,
): Promise<Verdict> {
  assert(state !== "group", "only the place where the groups stop is judged");
  const { offset, chain } = reader;
  if (state === "end") return { kind: "end" };
  if (state === "bad-header") return { kind: "rot", offset, ...reader.problem };
  const sectors = await surveyRest(file, sizeBytes, offset, chain);
  const sequence = reader.nextSequence;
  if (state === "blank") {
    if (sectors.lastEnd === offset) return { kind: "end" };
    if (sectors.strangerAt === undefined && sectors.lastEnd - offset <= groupBytesMax) {
      return { kind: "torn", offset, endOffset: sectors.lastEnd };
    }
    const what = `a group is missing: zeros, but not at ${sectors.strangerAt ?? sectors.lastEnd}`;
    return { kind: "rot", offset, sequence, what };
  }
  const end = offset + sectors.headerSectors * sectorBytes;
  if (sectors.strangerAt !== undefined || sectors.lastEnd > end) {
    return { kind: "rot", offset, ...reader.problem };
  }
  const missing = sectors.headerSectors - sectors.marked;
  if (missing === 0) return { kind: "rot", offset, ...reader.problem };
  return { kind: "torn", offset, endOffset: sectors.lastEnd };
}

interface Survey {
  /** How many sectors the group at the beginning says it has. */
  readonly headerSectors: number;
  /** Sectors with the mark of the group that belongs here. */
  readonly marked: number;
  /** The first sector that is neither zeros nor marked. */
  readonly strangerAt: number | undefined;
  /** Behind the last sector that is not zeros. */
  readonly lastEnd: number;
}

/** Looks at every sector from `offset` on. */
async function surveyRest(
  file: DiskFile,
  sizeBytes: number,
  offset: number,
  chain: number | undefined,
): Promise<Survey> {
  const bytes = new Uint8Array(Math.min(chunkBytes, sizeBytes - offset));
  const view = viewOf(bytes);
  let headerSectors = 0;
  let marked = 0;
  let strangerAt: number | undefined;
  let lastEnd = offset;
  let mark = chain === undefined ? undefined : markAfter(chain);
  for (let at = offset; at < sizeBytes; at += chunkBytes) {
    const got = await file.read(bytes.subarray(0, Math.min(chunkBytes, sizeBytes - at)), at);
    if (at === offset) {
      headerSectors = groupSectors(view.getUint32(8, true));
      mark ??= markAfter(view.getUint32(4, true));
    }
    if (isZero(view, 0, got & ~3)) continue;
    for (let sector = 0; sector + sectorBytes <= got; sector += sectorBytes) {
      if (isZero(view, sector, sector + sectorBytes)) continue;
      lastEnd = at + sector + sectorBytes;
      if (markOf(view, sector) === mark) marked++;
      else strangerAt ??= at + sector;
    }
  }
  return { headerSectors, marked, strangerAt, lastEnd };
}
