// A group on its way to the disk: records are copied and checked in as they come, so that when the
// disk is free only the header and the marks are missing. Two of them take turns, one being written
// while the other fills; nothing is allocated for a record.

import { assert } from "../../core/base/assert.ts";
import { crc32c } from "../../core/base/crc32c.ts";
import { type Disk, sectorBytes } from "../../ports/disk.ts";
import {
  contentBytesMax,
  groupBytesMax,
  groupHeaderBytes,
  groupSectors,
  markAfter,
  placeMarks,
  recordBytes,
  recordHeaderBytes,
  viewOf,
  writeGroupHeader,
} from "./format.ts";

const firstBytes = 65_536;

export class GroupBuffer {
  readonly #disk: Disk;
  #bytes: Uint8Array;
  #view: DataView;
  #previous = 0;
  #firstSequence = 0;
  #contentEnd = groupHeaderBytes;
  #contentMax = 0;
  #checksum = 0;
  #records = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.#bytes = disk.allocate(firstBytes);
    this.#view = viewOf(this.#bytes);
  }

  get records(): number {
    return this.#records;
  }

  get contentBytes(): number {
    return this.#contentEnd;
  }

  get lastSequence(): number {
    return this.#firstSequence + this.#records - 1;
  }

  /** Begins anew, after the group with the checksum `previous`, in at most so many sectors. */
  begin(previous: number, firstSequence: number, sectorsMax: number): void {
    assert(sectorsMax * sectorBytes <= groupBytesMax, "a group has a largest size");
    this.#previous = previous;
    this.#firstSequence = firstSequence;
    this.#contentEnd = groupHeaderBytes;
    this.#contentMax = contentBytesMax(sectorsMax);
    this.#checksum = previous;
    this.#records = 0;
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
    // The last word first: what of it is no part of the record is zero.
    if (record.length > 0) view.setInt32(end - 4, 0, true);
    this.#bytes.set(record, start + recordHeaderBytes);
    view.setUint32(start + 4, record.length, true);
    this.#checksum = crc32c(this.#checksum, view, start + 4, end);
    view.setUint32(start, this.#checksum, true);
    this.#contentEnd = end;
    this.#records++;
  }

  /** Makes it ready for the disk; what it returns is valid until the next `begin`. */
  seal(wallMs: number): { readonly bytes: Uint8Array; readonly checksum: number } {
    const size = groupSectors(this.#contentEnd) * sectorBytes;
    this.#bytes.fill(0, this.#contentEnd, size);
    const checksum = writeGroupHeader(this.#view, 0, {
      previous: this.#previous,
      contentEnd: this.#contentEnd,
      records: this.#records,
      firstSequence: this.#firstSequence,
      wallMs,
      lastRecordChecksum: this.#checksum,
    });
    placeMarks(this.#view, 0, this.#contentEnd, markAfter(this.#previous));
    return { bytes: this.#bytes.subarray(0, size), checksum };
  }

  #grow(contentEnd: number): void {
    let size = this.#bytes.length;
    while (size < groupSectors(contentEnd) * sectorBytes) size *= 2;
    const bytes = this.#disk.allocate(Math.min(size, groupBytesMax));
    bytes.set(this.#bytes.subarray(0, this.#contentEnd));
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }
}
