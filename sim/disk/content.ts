// What a simulated file holds: as everybody reads it now, and as a power loss may leave it.
//
// A write changes what is read at once, and adds a version of each sector that it touches to those
// that the device may have when power goes. Making sectors durable leaves one version. A crash
// picks one of the versions for each sector by itself, and a size: this is where torn and
// reordered writes come from. Sectors are never changed in place, so that a copy costs a list, not
// the bytes, and a test can afford an image of the disk at each step of a long run.

import { assert } from "../../src/core/base/assert.ts";
import { sectorBytes } from "../../src/ports/disk.ts";

/** undefined: never written, all zeros. */
export type Sector = Uint8Array | undefined;

/** Picks one of so many ways, 0 the oldest; asked once for each thing that a crash leaves open. */
export type Choose = (ways: number) => number;

const noStale: readonly Uint8Array[] = [];

export class Content {
  #sizeBytes = 0;
  #sectors: Sector[] = [];
  #durableSizeBytes = 0;
  #durable: Sector[] = [];
  /** By sector: what was written to it since it was durable, oldest first. */
  #versions = new Map<number, Sector[]>();
  /** Sizes since the durable one, oldest first. */
  #sizes: number[] = [];

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get sectors(): readonly Sector[] {
    return this.#sectors;
  }

  read(into: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(into.length, this.#sizeBytes - offset));
    for (let done = 0; done < length; ) {
      const within = (offset + done) % sectorBytes;
      const piece = Math.min(sectorBytes - within, length - done);
      const sector = this.#sectors[Math.floor((offset + done) / sectorBytes)];
      if (sector === undefined) into.fill(0, done, done + piece);
      else into.set(sector.subarray(within, within + piece), done);
      done += piece;
    }
    return length;
  }

  write(bytes: Uint8Array, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      const within = (offset + done) % sectorBytes;
      const piece = Math.min(sectorBytes - within, bytes.length - done);
      this.#put(
        Math.floor((offset + done) / sectorBytes),
        within,
        bytes.subarray(done, done + piece),
      );
      done += piece;
    }
    const grows = bytes.length > 0 && offset + bytes.length > this.#sizeBytes;
    if (grows) this.#resize(offset + bytes.length);
  }

  truncate(sizeBytes: number): void {
    for (
      let sector = Math.floor(sizeBytes / sectorBytes);
      sector < this.#sectors.length;
      sector++
    ) {
      const kept = Math.max(0, sizeBytes - sector * sectorBytes);
      if (this.#sectors[sector] === undefined) continue;
      this.#put(sector, kept, new Uint8Array(sectorBytes - kept));
    }
    this.#resize(sizeBytes);
  }

  /** What is read now is on the device: these bytes alone, or all of the file and its size. */
  makeDurable(range?: { readonly offset: number; readonly length: number }): void {
    const endBytes = range === undefined ? this.#sizeBytes : range.offset + range.length;
    const first = Math.floor((range?.offset ?? 0) / sectorBytes);
    const end = Math.ceil(endBytes / sectorBytes);
    for (const sector of this.#versions.keys()) {
      if (range !== undefined && (sector < first || sector >= end)) continue;
      this.#durable[sector] = this.#sectors[sector];
      this.#versions.delete(sector);
    }
    if (range !== undefined && endBytes <= this.#durableSizeBytes) return;
    this.#durableSizeBytes = endBytes;
    this.#sizes = range === undefined ? [] : this.#sizes.filter((size) => size > endBytes);
  }

  /** A failed flush: readers still see the writes, the device never will. */
  forgetPending(): void {
    this.#versions.clear();
    this.#sizes = [];
  }

  /** Each bit of the device may turn; whoever reads sees it. */
  flipBit(offset: number, bit: number): void {
    assert(offset < this.#sizeBytes, "rot is inside the file");
    const index = Math.floor(offset / sectorBytes);
    const rotten = new Uint8Array(sectorBytes);
    rotten.set(this.#sectors[index] ?? []);
    const within = offset % sectorBytes;
    rotten[within] = (rotten[within] ?? 0) ^ (1 << bit);
    this.#sectors[index] = rotten;
    this.#durable[index] = rotten;
  }

  /** The same file a moment later, with what is not durable yet still not durable. */
  copy(): Content {
    const copy = new Content();
    copy.#sizeBytes = this.#sizeBytes;
    copy.#sectors = this.#sectors.slice();
    copy.#durableSizeBytes = this.#durableSizeBytes;
    copy.#durable = this.#durable.slice();
    for (const [sector, versions] of this.#versions) copy.#versions.set(sector, versions.slice());
    copy.#sizes = this.#sizes.slice();
    return copy;
  }

  /** The file after a power loss; `stale` is what removed files have left on the device. */
  afterPowerLoss(choose: Choose, stale: readonly Uint8Array[] = noStale): Content {
    const left = new Content();
    const sizes = [this.#durableSizeBytes, ...this.#sizes];
    left.#sizeBytes = sizes[choose(sizes.length)] ?? 0;
    left.#durableSizeBytes = left.#sizeBytes;
    const durableCount = Math.ceil(this.#durableSizeBytes / sectorBytes);
    for (let sector = 0; sector * sectorBytes < left.#sizeBytes; sector++) {
      const versions = this.#versions.get(sector);
      const known = versions === undefined ? 0 : choose(versions.length + 1);
      const gained = sector >= durableCount && known === 0;
      if (gained)
        left.#sectors[sector] = stale.length === 0 ? undefined : this.#pick(choose, stale);
      else left.#sectors[sector] = known === 0 ? this.#durable[sector] : versions?.[known - 1];
    }
    left.#clearBeyondEnd();
    left.#durable = left.#sectors.slice();
    return left;
  }

  /** No file system shows, when a file grows again, what was in its last sector before. */
  #clearBeyondEnd(): void {
    const within = this.#sizeBytes % sectorBytes;
    const last = Math.floor(this.#sizeBytes / sectorBytes);
    const sector = this.#sectors[last];
    if (within > 0 && sector !== undefined) this.#sectors[last] = sector.slice().fill(0, within);
  }

  #pick(choose: Choose, stale: readonly Uint8Array[]): Sector {
    // Mostly zeros, as file systems try; the last choice stands for any of the stale sectors.
    return choose(2) === 0 ? undefined : stale[choose(stale.length)];
  }

  #put(index: number, within: number, bytes: Uint8Array): void {
    const sector = new Uint8Array(sectorBytes);
    sector.set(this.#sectors[index] ?? []);
    sector.set(bytes, within);
    this.#sectors[index] = sector;
    const versions = this.#versions.get(index);
    if (versions === undefined) this.#versions.set(index, [sector]);
    else versions.push(sector);
  }

  #resize(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes;
    this.#sizes.push(sizeBytes);
  }
}
