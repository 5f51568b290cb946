// Goes through the whole log once, oldest segment first, in bounded memory: what opening,
// verifying, dumping and repairing all stand on, so that they cannot differ in what they call
// sound.
//
// A start stops at the first damage. Who examines goes on behind it: from sector to sector until a
// group stands there that is whole in itself; groups begin at sectors, so none is missed.

import { type DiskFile, type DiskFolder, sectorBytes } from "../../ports/disk.ts";
import type { Damage, SegmentReport } from "./examine.ts";
import { type GroupHeader, segmentFileName } from "./format.ts";
import { GroupReader, readerMemory } from "./group-reader.ts";
import { examineSegment } from "./segments.ts";
import { judgeRest } from "./tail.ts";

export interface LogSegment extends SegmentReport {
  readonly index: number;
  /** What its first group goes on from; unknown in an oldest segment without groups. */
  readonly chain: number | undefined;
}

export interface TornTail {
  readonly index: number;
  readonly fileName: string;
  readonly offset: number;
  readonly endOffset: number;
}

export interface LastGroup {
  readonly index: number;
  readonly offset: number;
  readonly endOffset: number;
  readonly records: number;
}

/** A whole group, in the reader until the scan goes on; or damage. */
export type ScanEvent =
  | { readonly kind: "group"; readonly fileName: string; readonly reader: GroupReader }
  | { readonly kind: "damage"; readonly damage: Damage };

/** Where a sound rest of the log begins, behind the last damage. */
export interface LogPlace {
  readonly index: number;
  readonly offset: number;
  readonly sequence: number;
}

export class LogScanner {
  readonly #folder: DiskFolder;
  #memory: Uint8Array | undefined;
  readonly segments: LogSegment[] = [];
  readonly damages: Damage[] = [];
  /** Undefined when nothing is sound behind the last damage, and when there is no damage. */
  soundFrom: LogPlace | undefined;
  /** Up to here all groups are whole; undefined when there is no damage. */
  soundThrough: number | undefined;
  tornTail: TornTail | undefined;
  /** The last whole group; undefined when there is none. */
  lastGroup: LastGroup | undefined;
  /** What the next group goes on from; undefined when damage hides it. */
  chain: number | undefined;
  nextSequence = 1;
  records = 0;
  scannedBytes = 0;
  #firstSequence: number | undefined;

  constructor(folder: DiskFolder) {
    this.#folder = folder;
  }

  get firstSequence(): number {
    return this.#firstSequence ?? this.nextSequence;
  }

  /** Yields what it meets; who wants no more after damage stops there. */
  async *scan(indexes: readonly number[]): AsyncGenerator<ScanEvent, void, void> {
    let expected = indexes[0];
    for (const index of indexes) {
      if (expected !== undefined && index !== expected) {
        this.chain = undefined;
        yield this.#damaged(segmentFileName(expected), 0, "the segment is missing");
      }
      yield* this.#scanSegment(index);
      expected = index + 1;
    }
  }

  async *#scanSegment(index: number): AsyncGenerator<ScanEvent, void, void> {
    const header = await examineSegment(this.#folder, index);
    const fileName = segmentFileName(index);
    if ("what" in header) {
      this.chain = undefined;
      yield this.#damaged(fileName, 0, header.what);
      return;
    }
    // The first segment of all is where the chain begins.
    if (index === 1 && !header.isHeadless) this.chain = header.checksum;
    const file = await this.#folder.open(fileName, "read");
    try {
      yield* this.#scanGroups(index, header.sizeBytes, file);
    } finally {
      await file.close();
    }
    this.scannedBytes += header.sizeBytes;
  }

  async *#scanGroups(
    index: number,
    sizeBytes: number,
    file: DiskFile,
  ): AsyncGenerator<ScanEvent, void, void> {
    const fileName = segmentFileName(index);
    const { chain, nextSequence } = this;
    const place = { index, offset: sectorBytes, limit: sizeBytes, chain, nextSequence };
    this.#memory = readerMemory(sizeBytes, this.#memory);
    const reader = new GroupReader(file, this.#memory, place);
    const tally = new Tally(index, sizeBytes, chain);
    for (;;) {
      const next = reader.next();
      const state = typeof next === "string" ? next : await next;
      if (state === "group") {
        this.#count(reader, tally);
        yield { kind: "group", fileName, reader };
        continue;
      }
      const verdict = await judgeRest(file, { index, sizeBytes }, reader, state);
      if (verdict.kind === "end") break;
      if (this.tornTail !== undefined) yield this.#notTheTail(this.tornTail);
      if (verdict.kind === "torn") {
        this.tornTail = { index, fileName, offset: verdict.offset, endOffset: verdict.endOffset };
        break;
      }
      yield this.#damaged(fileName, verdict.offset, verdict.what, verdict.sequence);
      this.chain = undefined;
      if (!(await findGroup(reader, sizeBytes))) break;
    }
    this.segments.push(tally.report());
  }

  #count(reader: GroupReader, tally: Tally): void {
    const { header, groupOffset, offset } = reader;
    this.#firstSequence ??= header.firstSequence;
    if (this.damages.length > 0) {
      const { firstSequence: sequence } = header;
      this.soundFrom ??= { index: tally.index, offset: groupOffset, sequence };
    }
    this.chain = reader.chain;
    this.nextSequence = reader.nextSequence;
    this.records += header.records;
    const { index } = tally;
    this.lastGroup = { index, offset: groupOffset, endOffset: offset, records: header.records };
    tally.add(header, offset);
  }

  /** Only the last group of all can be torn; behind this one there is something. */
  #notTheTail(torn: TornTail): ScanEvent {
    this.tornTail = undefined;
    const what = "a part of a group is missing, and later ones are there";
    return this.#damaged(torn.fileName, torn.offset, what);
  }

  #damaged(
    fileName: string,
    offset: number,
    what: string,
    sequence = this.nextSequence,
  ): ScanEvent {
    const damage = { fileName, offset, sequence, what };
    this.damages.push(damage);
    // Some records of a damaged group may match; it falls whole, and they with it.
    this.soundThrough ??= this.nextSequence - 1;
    this.soundFrom = undefined;
    return { kind: "damage", damage };
  }
}

/** Moves the reader to the next group that is whole in itself; false when there is none. */
async function findGroup(reader: GroupReader, sizeBytes: number): Promise<boolean> {
  for (let offset = reader.offset; offset < sizeBytes; offset += sectorBytes) {
    reader.jump(offset);
    if ((await reader.next()) !== "group") continue;
    reader.jump(offset);
    return true;
  }
  return false;
}

/** What one segment holds. */
class Tally {
  readonly index: number;
  readonly #sizeBytes: number;
  #chain: number | undefined;
  #groups = 0;
  #records = 0;
  #firstSequence = 0;
  #nextSequence = 0;
  #usedBytes = sectorBytes;

  constructor(index: number, sizeBytes: number, chain: number | undefined) {
    this.index = index;
    this.#sizeBytes = sizeBytes;
    this.#chain = chain;
  }

  add(header: GroupHeader, endOffset: number): void {
    this.#chain ??= header.previous;
    if (this.#groups === 0) this.#firstSequence = header.firstSequence;
    this.#groups++;
    this.#records += header.records;
    this.#nextSequence = header.firstSequence + header.records;
    this.#usedBytes = endOffset;
  }

  report(): LogSegment {
    return {
      index: this.index,
      fileName: segmentFileName(this.index),
      sizeBytes: this.#sizeBytes,
      usedBytes: this.#usedBytes,
      groups: this.#groups,
      records: this.#records,
      firstSequence: this.#firstSequence,
      lastSequence: Math.max(0, this.#nextSequence - 1),
      chain: this.#chain,
    };
  }
}
