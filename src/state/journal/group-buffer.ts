// A group on its way to the disk: records are copied in as they come, and full sectors are sealed
// some at a time while their bytes are still at hand, so that when the disk is free only the first
// and the last ones are missing. Two groups take turns, one being written while the other fills;
// nothing is allocated for a record.

import { assert } from "../../core/base/assert.ts";
import { type Disk, sectorBytes } from "../../ports/disk.ts";
import {
  contentBytesMax,
  groupBytesMax,
  groupHeaderBytes,
  beginsGroup,
  checksumOf,
  checksumOfOthers,
  displacedWords,
  groupSectors,
  recordBytes,
  recordHeaderBytes,
  sealOffset,
  sealWords,
  viewOf,
  wordOffset,
  writeGroupHeader,
} from "./format.ts";
import { batchBytes, sealSectors } from "./seals.ts";

const firstBytes = 65_536;

/** Where a group goes. */
export interface GroupPlace {
  /** The checksum of the group before. */
  readonly previous: number;
  readonly firstSequence: number;
  /** The segment's number. */
  readonly index: number;
  readonly sectorsMax: number;
}

const nowhere: GroupPlace = { previous: 0, firstSequence: 0, index: 0, sectorsMax: 0 };

export class GroupBuffer {
  readonly #allocate: Disk["allocate"];
  #bytes: Uint8Array;
  #view: DataView;
  #place = nowhere;
  #contentEnd = groupHeaderBytes;
  #contentMax = 0;
  #records = 0;
  /** Up to here all sectors but the first are sealed. */
  #sealedEnd = sectorBytes;
  /** The words of content that stood where seals do, in their order. */
  readonly #displaced = new Int32Array((sealWords * groupBytesMax) / sectorBytes);

  constructor(allocate: Disk["allocate"]) {
    this.#allocate = allocate;
    this.#bytes = allocate(firstBytes);
    this.#view = viewOf(this.#bytes);
  }

  get records(): number {
    return this.#records;
  }

  get contentBytes(): number {
    return this.#contentEnd;
  }

  get lastSequence(): number {
    return this.#place.firstSequence + this.#records - 1;
  }

  begin(place: GroupPlace): void {
    assert(place.sectorsMax * sectorBytes <= groupBytesMax, "a group has a largest size");
    this.#place = place;
    this.#contentEnd = groupHeaderBytes;
    this.#contentMax = contentBytesMax(place.sectorsMax);
    this.#records = 0;
    this.#sealedEnd = sectorBytes;
  }

  /** Forgets what was in it: nothing fits until the next `begin`. */
  clear(): void {
    this.begin(nowhere);
  }

  /** Whether records that take so many bytes, headers and all, go in as well. */
  fits(bytes: number): boolean {
    return this.#contentEnd + bytes <= this.#contentMax;
  }

  add(record: Uint8Array): void {
    const start = this.#contentEnd;
    const end = start + recordBytes(record.length);
    assert(end <= this.#contentMax, "a record is added where it fits");
    if (groupSectors(end) * sectorBytes > this.#bytes.length) this.#grow(end);
    const view = this.#view;
    // The last words first: what of them is no part of the record is zero.
    view.setInt32(end - 8, 0, true);
    view.setInt32(end - 4, 0, true);
    view.setUint32(start, record.length, true);
    this.#bytes.set(record, start + recordHeaderBytes);
    this.#contentEnd = end;
    this.#records++;
    const unsealed = end - this.#sealedEnd;
    if (unsealed >= batchBytes) this.#sealThrough(end - (unsealed % batchBytes));
  }

  /** Makes it ready for the disk; what it returns is valid until the next `begin`. */
  seal(wallMs: number): { readonly bytes: Uint8Array; readonly checksum: number } {
    const { previous, firstSequence, index } = this.#place;
    const contentEnd = this.#contentEnd;
    const bytes = this.#bytes.subarray(0, groupSectors(contentEnd) * sectorBytes);
    bytes.fill(0, contentEnd);
    this.#putDisplaced(contentEnd / 4);
    const view = this.#view;
    sealSectors(bytes, view, [this.#sealedEnd, bytes.length], index);
    writeGroupHeader(view, 0, {
      previous,
      contentEnd,
      records: this.#records,
      checksumOfOthers: checksumOfOthers(view, 0, bytes.length),
      firstSequence,
      wallMs,
    });
    sealSectors(bytes, view, [0, sectorBytes], beginsGroup + index);
    return { bytes, checksum: checksumOf(view, 0) };
  }

  #sealThrough(end: number): void {
    this.#keepDisplaced(this.#sealedEnd, end);
    sealSectors(this.#bytes, this.#view, [this.#sealedEnd, end], this.#place.index);
    this.#sealedEnd = end;
  }

  #keepDisplaced(start: number, end: number): void {
    let at = (start / sectorBytes) * sealWords;
    for (let seal = start + sealOffset; seal < end; seal += sectorBytes) {
      this.#displaced[at++] = this.#view.getInt32(seal, true);
      this.#displaced[at++] = this.#view.getInt32(seal + 4, true);
    }
  }

  /** Behind the content, of so many words. */
  #putDisplaced(words: number): void {
    const count = displacedWords(words);
    if (count === 0) return;
    this.#keepDisplaced(0, sectorBytes);
    this.#keepDisplaced(this.#sealedEnd, this.#contentEnd);
    for (let at = 0; at < count; at++) {
      const place = wordOffset(0, words - count + at);
      this.#view.setInt32(place, this.#displaced[at] as number, true);
    }
  }

  #grow(contentEnd: number): void {
    let size = this.#bytes.length;
    while (size < groupSectors(contentEnd) * sectorBytes) size *= 2;
    const bytes = this.#allocate(Math.min(size, groupBytesMax));
    bytes.set(this.#bytes.subarray(0, this.#contentEnd));
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }
}
