// Reads a segment group by group, in bounded memory, and lets nothing pass that is not exactly what
// was written: the seal of each sector, the group's place in the chain, and its records in a row.
//
// It says what it meets and draws no conclusions: whether the end of the log, a torn write or rot
// lies behind a group that is not whole is for tail.ts, which sees the rest of the file as well.

import { assert } from "../../core/base/assert.ts";
import { type DiskFile, sectorBytes } from "../../ports/disk.ts";
import {
  checksumOf,
  checksumOfOthers,
  type GroupHeader,
  groupBytesMax,
  groupHeaderBytes,
  groupSectors,
  openGroup,
  readGroupHeader,
  recordBytes,
  recordHeaderBytes,
  sectorKind,
  viewOf,
} from "./format.ts";

/**
 * `group`: a whole group, the next of the chain. `end`: nothing more up to the limit. `unwritten`:
 * a sector that this segment has not written: zeros, or an older one. `incomplete`: the next group
 * of the chain, but for sectors that are unwritten. `bad`: anything else; `problem` says what.
 */
export type GroupState = "group" | "end" | "unwritten" | "incomplete" | "bad";

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
  readonly #index: number;
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
  #groupEnd = 0;
  #problem: Problem = { what: "nothing", sequence: 0 };

  /** Without a chain, the first group is believed what it says of its predecessor. */
  constructor(
    file: DiskFile,
    memory: Uint8Array,
    place: {
      /** The segment's number. */
      readonly index: number;
      readonly offset: number;
      readonly limit: number;
      readonly chain: number | undefined;
      readonly nextSequence: number;
    },
  ) {
    this.#file = file;
    this.#memory = memory;
    this.#view = viewOf(memory);
    this.#index = place.index;
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

  /** Behind the group that was read, or is incomplete. */
  get groupEnd(): number {
    return this.#groupEnd;
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
      const length = this.#view.getUint32(at, true);
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
    if (!this.#holds(sectorBytes)) return this.#bad("the file ends too early");
    const start = this.#offset - this.#windowStart;
    const kind = sectorKind(this.#view, start, this.#index);
    if (kind === "blank" || kind === "older") return "unwritten";
    if (kind === "rotten") return this.#bad(rottenAt(this.#offset));
    const header = readGroupHeader(this.#view, start);
    const bytes = groupSectors(header.contentEnd) * sectorBytes;
    const bytesMax = Math.min(this.#limit - this.#offset, groupBytesMax);
    // What follows cannot be rot of a sector: a whole one stands where it does not belong.
    if (kind === "inner" || header.contentEnd < groupHeaderBytes || bytes > bytesMax) {
      return this.#bad(`no group begins at byte ${this.#offset}`);
    }
    if (this.#chain !== undefined) {
      if (header.previous !== this.#chain) {
        return this.#bad("a group does not go on from the one before");
      }
      if (header.firstSequence !== this.#nextSequence) {
        return this.#bad("a group has the wrong sequence");
      }
    }
    if (!this.#holds(bytes)) return this.#fetch().then(() => this.#withContent(header, bytes));
    return this.#withContent(header, bytes);
  }

  #withContent(header: GroupHeader, bytes: number): GroupState {
    const { firstSequence, contentEnd } = header;
    if (!this.#holds(bytes)) return this.#bad("the file ends too early", firstSequence);
    const view = this.#view;
    const start = this.#offset - this.#windowStart;
    this.#groupEnd = this.#offset + bytes;
    let unwritten = 0;
    for (let at = start + sectorBytes; at < start + bytes; at += sectorBytes) {
      const kind = sectorKind(view, at, this.#index);
      if (kind === "inner") continue;
      if (kind === "blank" || kind === "older") unwritten++;
      else if (kind === "rotten") return this.#bad(rottenAt(this.#windowStart + at), firstSequence);
      else return this.#bad("a group begins within another", firstSequence);
    }
    if (unwritten > 0) {
      this.#problem = { what: "a part of a group is missing", sequence: firstSequence };
      return "incomplete";
    }
    if (checksumOfOthers(view, start, start + bytes) !== header.checksumOfOthers) {
      return this.#bad("the sectors of a group do not belong together", firstSequence);
    }
    const checksum = checksumOf(view, start);
    openGroup(view, start, contentEnd);
    if (!recordsFit(view, start, header)) {
      this.#windowBytes = 0;
      return this.#bad("the records of a group do not fill it", firstSequence);
    }
    this.#header = header;
    this.#groupStart = start;
    this.#groupOffset = this.#offset;
    this.#offset += bytes;
    this.#chain = checksum;
    this.#nextSequence = firstSequence + header.records;
    return "group";
  }

  #bad(what: string, sequence = this.#nextSequence): GroupState {
    this.#problem = { what, sequence };
    return "bad";
  }
}

export function rottenAt(offset: number): string {
  return `the sector at byte ${offset} does not match its checksum`;
}

/** Whether the records follow one another up to where the group says that they end. */
function recordsFit(view: DataView, start: number, header: GroupHeader): boolean {
  const end = start + header.contentEnd;
  let at = start + groupHeaderBytes;
  for (let index = 0; index < header.records; index++) {
    if (at + recordHeaderBytes > end) return false;
    const length = view.getUint32(at, true);
    if (length > end - at) return false;
    at += recordBytes(length);
  }
  return at === end;
}
