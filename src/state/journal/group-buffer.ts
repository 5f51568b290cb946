// A group on its way to the disk: records are copied in as they come, and sealed when the disk is
// free. Two of them take turns, one being written while the other fills; nothing is allocated for a
// record.

import { assert } from "../../core/base/assert.ts";
import { type Disk, sectorBytes } from "../../ports/disk.ts";
import {
  contentBytesMax,
  groupBytesMax,
  groupHeaderBytes,
  groupSectors,
  recordBytes,
  recordHeaderBytes,
  sealGroup,
  viewOf,
} from "./format.ts";

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
  readonly #disk: Disk;
  #bytes: Uint8Array;
  #view: DataView;
  #place = nowhere;
  #contentEnd = groupHeaderBytes;
  #contentMax = 0;
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
    return this.#place.firstSequence + this.#records - 1;
  }

  begin(place: GroupPlace): void {
    assert(place.sectorsMax * sectorBytes <= groupBytesMax, "a group has a largest size");
    this.#place = place;
    this.#contentEnd = groupHeaderBytes;
    this.#contentMax = contentBytesMax(place.sectorsMax);
    this.#records = 0;
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
    // The last word first: what of it is no part of the record is zero.
    if (record.length > 0) view.setInt32(end - 4, 0, true);
    view.setUint32(start, record.length, true);
    this.#bytes.set(record, start + recordHeaderBytes);
    this.#contentEnd = end;
    this.#records++;
  }

  /** Makes it ready for the disk; what it returns is valid until the next `begin`. */
  seal(wallMs: number): { readonly bytes: Uint8Array; readonly checksum: number } {
    const { previous, firstSequence, index } = this.#place;
    const contentEnd = this.#contentEnd;
    const bytes = this.#bytes.subarray(0, groupSectors(contentEnd) * sectorBytes);
    bytes.fill(0, contentEnd);
    const header = { previous, contentEnd, records: this.#records, firstSequence, wallMs };
    return { bytes, checksum: sealGroup(this.#view, 0, header, index) };
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
