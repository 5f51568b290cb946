// Reads a segment group by group, in bounded memory, and lets nothing pass that is not exactly what
// was written: marks, header, every record, and the zeros in between.
//
// It says what it meets and draws no conclusions: whether the end of the log, a torn write or rot
// lies behind a group that is not whole is for tail.ts, which sees the rest of the file as well.

import { assert } from "../../core/base/assert.ts";
import { crc32c } from "../../core/base/crc32c.ts";
import { type DiskFile, sectorBytes } from "../../ports/disk.ts";
import {
  type GroupHeader,
  getLong,
  groupBytesMax,
  groupHeaderBytes,
  groupSectors,
  hasMarks,
  isGroupHeader,
  isZero,
  markAfter,
  markOf,
  recordBytes,
  recordHeaderBytes,
  takeMarks,
  viewOf,
} from "./format.ts";

/**
 * `group`: a whole group, the next of the chain. `end`: nothing more up to the limit. `blank`: a
 * sector of zeros. `bad-header`, `bad-content`: anything else; `problem` says what.
 */
export type GroupState = "group" | "end" | "blank" | "bad-header" | "bad-content";

export interface Problem {
  /** A part of a sentence. */
  readonly what: string;
  /** The first record that it takes. */
  readonly sequence: number;
}

/** Memory for one reader at a time of segments of this size; what there is, if it is enough. */
export function readerMemory(segmentBytes: number, memory?: Uint8Array): Uint8Array {
  const needed = Math.min(segmentBytes, groupBytesMax);
  return memory !== undefined && memory.length >= needed ? memory : new Uint8Array(needed);
}

export class GroupReader {
  readonly #file: DiskFile;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  #limit: number;
  /** Where in the file the memory's bytes come from, and how many there are. */
  #windowStart = 0;
  #windowBytes = 0;
  #offset: number;
  #chain: number | undefined;
  #nextSequence: number;
  /** The group that was read last, and where its content is in memory. */
  #groupStart = 0;
  #groupOffset = 0;
  #header: GroupHeader | undefined;
  #problem: Problem = { what: "nothing", sequence: 0 };

  /** Without a chain, the first group is believed what it says of its predecessor. */
  constructor(
    file: DiskFile,
    memory: Uint8Array,
    place: {
      readonly offset: number;
      readonly limit: number;
      readonly chain: number | undefined;
      readonly nextSequence: number;
    },
  ) {
    this.#file = file;
    this.#memory = memory;
    this.#view = viewOf(memory);
    this.#offset = place.offset;
    this.#limit = place.limit;
    this.#chain = place.chain;
    this.#nextSequence = place.nextSequence;
  }

  /** Where the next group begins. */
  get offset(): number {
    return this.#offset;
  }

  get chain(): number | undefined {
    return this.#chain;
  }

  get nextSequence(): number {
    return this.#nextSequence;
  }

  get groupOffset(): number {
    return this.#groupOffset;
  }

  get header(): GroupHeader {
    assert(this.#header !== undefined, "a group was read");
    return this.#header;
  }

  get problem(): Problem {
    return this.#problem;
  }

  /** More of the file may be read now: groups up to there are whole. */
  extend(limit: number): void {
    this.#limit = limit;
  }

  /** Goes on at another sector, and believes what stands there. */
  jump(offset: number): void {
    // A group that was read is no longer in memory as it is in the file.
    if (offset < this.#offset) this.#windowBytes = 0;
    this.#offset = offset;
    this.#chain = undefined;
  }

  /** The next group. A promise only when bytes have to be fetched. */
  next(): GroupState | Promise<GroupState> {
    if (this.#offset >= this.#limit) return "end";
    if (!this.#holds(sectorBytes)) return this.#fetch().then(() => this.#withHeader());
    return this.#withHeader();
  }

  /** The records of the group that was read; the bytes are valid until the next `next`. */
  forEach(apply: (bytes: Uint8Array, sequence: number, offset: number) => void): void {
    const { records, firstSequence } = this.header;
    let at = this.#groupStart + groupHeaderBytes;
    for (let index = 0; index < records; index++) {
      const length = this.#view.getUint32(at + 4, true);
      const start = at + recordHeaderBytes;
      const bytes = this.#memory.subarray(start, start + length);
      apply(bytes, firstSequence + index, this.#groupOffset + at - this.#groupStart);
      at += recordBytes(length);
    }
  }

  #holds(bytes: number): boolean {
    const start = this.#offset - this.#windowStart;
    return start >= 0 && start + bytes <= this.#windowBytes;
  }

  /** Moves the window on to the next group, and fills it. */
  async #fetch(): Promise<void> {
    const kept = this.#windowStart + this.#windowBytes - this.#offset;
    if (kept > 0 && kept <= this.#windowBytes) {
      this.#memory.copyWithin(0, this.#windowBytes - kept, this.#windowBytes);
      this.#windowBytes = kept;
    } else {
      this.#windowBytes = 0;
    }
    this.#windowStart = this.#offset;
    const end = Math.min(this.#memory.length, this.#limit - this.#windowStart);
    if (end <= this.#windowBytes) return;
    const into = this.#memory.subarray(this.#windowBytes, end);
    this.#windowBytes += await this.#file.read(into, this.#windowStart + this.#windowBytes);
  }

  #withHeader(): GroupState | Promise<GroupState> {
    if (!this.#holds(sectorBytes)) return this.#bad("bad-header", "the file ends too early");
    const start = this.#offset - this.#windowStart;
    if (isZero(this.#view, start, start + sectorBytes)) return "blank";
    const mark = markAfter(this.#chain ?? this.#view.getUint32(start + 4, true));
    if (markOf(this.#view, start) !== mark) {
      return this.#bad("bad-header", "a sector does not belong where it is");
    }
    if (!isGroupHeader(this.#view, start, this.#limit - this.#offset)) {
      return this.#bad("bad-header", "the header of a group does not match its checksum");
    }
    const bytes = groupSectors(this.#view.getUint32(start + 8, true)) * sectorBytes;
    if (!this.#holds(bytes)) return this.#fetch().then(() => this.#withContent(bytes, mark));
    return this.#withContent(bytes, mark);
  }

  #withContent(bytes: number, mark: number): GroupState {
    if (!this.#holds(bytes)) return this.#bad("bad-content", "the file ends too early");
    const view = this.#view;
    const start = this.#offset - this.#windowStart;
    const header = headerAt(view, start);
    // That it goes on from the group before is what its mark has shown.
    if (this.#chain !== undefined && header.firstSequence !== this.#nextSequence) {
      return this.#bad("bad-header", "a group has the wrong sequence");
    }
    if (!hasMarks(view, start, bytes / sectorBytes, mark)) {
      return this.#bad("bad-content", "a sector does not belong where it is");
    }
    const restIsZero = takeMarks(view, start, header.contentEnd);
    const whole = wholeRecords(view, start, header);
    if (whole !== header.records) {
      const sequence = header.firstSequence + whole;
      return this.#bad("bad-content", "a record does not match its checksum", sequence);
    }
    if (!restIsZero) {
      return this.#bad("bad-content", "there is something where zeros were written");
    }
    this.#header = header;
    this.#groupStart = start;
    this.#groupOffset = this.#offset;
    this.#offset += bytes;
    this.#chain = header.checksum;
    this.#nextSequence = header.firstSequence + header.records;
    return "group";
  }

  #bad(state: GroupState, what: string, sequence = this.#nextSequence): GroupState {
    this.#problem = { what, sequence };
    if (state === "bad-content") this.#windowBytes = 0;
    return state;
  }
}

function headerAt(view: DataView, start: number): GroupHeader {
  return {
    checksum: view.getUint32(start, true),
    previous: view.getUint32(start + 4, true),
    contentEnd: view.getUint32(start + 8, true),
    records: view.getUint32(start + 12, true),
    firstSequence: getLong(view, start + 16),
    wallMs: getLong(view, start + 24),
    lastRecordChecksum: view.getUint32(start + 32, true),
  };
}

/** How many records match, from the first on; one less than there are if the last sum is wrong. */
function wholeRecords(view: DataView, start: number, header: GroupHeader): number {
  const end = start + header.contentEnd;
  let at = start + groupHeaderBytes;
  let checksum = header.previous;
  for (let index = 0; index < header.records; index++) {
    if (at + recordHeaderBytes > end) return index;
    const recordEnd = at + recordBytes(view.getUint32(at + 4, true));
    if (recordEnd > end) return index;
    checksum = crc32c(checksum, view, at + 4, recordEnd);
    if (view.getUint32(at, true) !== checksum) return index;
    at = recordEnd;
  }
  const complete = at === end && checksum === header.lastRecordChecksum;
  return complete ? header.records : header.records - 1;
}
