// Which pack holds which chunk, for all chunks of a vault, in flat memory.
//
// An open hash table over typed arrays: 32 bytes of name and 16 of place for each chunk, and 4 to 8
// for its slot; a TiB of files in chunks of 1 MiB takes 60 MiB. Names are HMACs, so their first
// bytes are the hash. Nothing is ever taken out: a chunk that comes again (a copy in a newer pack)
// takes the older one's place. Marks say which chunks are needed (a bit each), for prune.
//
// Rejected: a Map of strings (200 bytes a chunk), a table on disk (a million random reads for what
// a minute reads in order).

import { assert } from "../base/assert.ts";
import { NinesError } from "../base/errors.ts";
import { hashBytes } from "./crypto.ts";
import type { ObjectId } from "./names.ts";
import type { PackedChunk, PackTable } from "./pack.ts";

const wordsOfPlace = 4;
/** 64 million chunks, 4 GiB of memory: some 64 TiB of files. */
export const indexChunksMax = 1 << 26;
const deflatedBit = 0x8000_0000;
const markBits = { needed: 1, walked: 2 } as const;

export type IndexedPack = Omit<PackTable, "chunks">;

export interface ChunkPlace {
  readonly pack: IndexedPack;
  readonly chunk: PackedChunk;
}

export class ChunkIndex {
  #names = new Uint8Array(1024 * hashBytes);
  #places = new Uint32Array(1024 * wordsOfPlace);
  #slots = new Int32Array(2048).fill(-1);
  #marks = new Uint8Array(1024);
  #count = 0;
  readonly #packs: IndexedPack[] = [];
  readonly #lost = new Set<number>();

  get chunkCount(): number {
    return this.#count;
  }

  /**
   * Takes the pack's chunks in; those that are known already are then found in this pack. Of one
   * that is lost they are as if they were not known: it comes before those that are not.
   */
  add(table: PackTable, isLost = false): void {
    const { chunks, ...pack } = table;
    const number = this.#packs.push(pack) - 1;
    if (isLost) this.#lost.add(number);
    for (const chunk of chunks) this.#put(number, chunk);
  }

  /** The pack was found to be unreadable: what is in it is as if it were not known. */
  lose(packId: ObjectId): void {
    const number = this.#packs.findIndex(({ id }) => id === packId);
    if (number >= 0) this.#lost.add(number);
  }

  find(name: Uint8Array): ChunkPlace | undefined {
    const at = this.#entryOf(name);
    return at < 0 ? undefined : this.#placeAt(at);
  }

  /** The pack of a chunk that is not found because its pack is lost. */
  findLost(name: Uint8Array): IndexedPack | undefined {
    const at = this.#slots[this.#slotOf(name)] as number;
    return at >= 0 && this.#isLost(at) ? this.#placeAt(at).pack : undefined;
  }

  /**
   * Notes something of a chunk. False when it was noted before; undefined when it is unknown or
   * lost. What is lost is noted all the same, for its pack may be whole again one day.
   */
  mark(name: Uint8Array, as: "needed" | "walked"): boolean | undefined {
    const at = this.#slots[this.#slotOf(name)] as number;
    if (at < 0) return undefined;
    const before = this.#marks[at] as number;
    const after = before | markBits[as];
    this.#marks[at] = after;
    return this.#isLost(at) ? undefined : after !== before;
  }

  isNeeded(name: Uint8Array): boolean {
    const at = this.#slots[this.#slotOf(name)] as number;
    return at >= 0 && this.#isMarked(at);
  }

  clearMarks(): void {
    this.#marks.fill(0);
  }

  /** Of each pack, the chunks that are found in it and were marked; packs without any as well. */
  *marked(): Generator<{
    readonly pack: IndexedPack;
    readonly bytes: number;
    readonly isLost: boolean;
  }> {
    const bytes = new Float64Array(this.#packs.length);
    for (let at = 0; at < this.#count; at++) {
      if (!this.#isMarked(at)) continue;
      const pack = this.#places[at * wordsOfPlace] as number;
      bytes[pack] = (bytes[pack] as number) + (this.#places[at * wordsOfPlace + 2] as number);
    }
    for (const [number, pack] of this.#packs.entries()) {
      yield { pack, bytes: bytes[number] as number, isLost: this.#lost.has(number) };
    }
  }

  #put(pack: number, chunk: PackedChunk): void {
    const slot = this.#slotOf(chunk.name);
    let at = this.#slots[slot] as number;
    if (at < 0) {
      at = this.#count++;
      this.#makeRoom();
      this.#names.set(chunk.name, at * hashBytes);
      // The table may have grown, and then has other slots.
      this.#slots[this.#slotOf(chunk.name, at)] = at;
    }
    const place = at * wordsOfPlace;
    this.#places[place] = pack;
    this.#places[place + 1] = chunk.offset;
    this.#places[place + 2] = chunk.sealedBytes;
    this.#places[place + 3] = chunk.plainBytes + (chunk.deflated ? deflatedBit : 0);
  }

  #placeAt(at: number): ChunkPlace {
    const place = at * wordsOfPlace;
    const plain = this.#places[place + 3] as number;
    return {
      pack: this.#packs[this.#places[place] as number] as IndexedPack,
      chunk: {
        name: this.#names.slice(at * hashBytes, (at + 1) * hashBytes),
        offset: this.#places[place + 1] as number,
        sealedBytes: this.#places[place + 2] as number,
        plainBytes: plain % deflatedBit,
        deflated: plain >= deflatedBit,
      },
    };
  }

  /** -1 for what is not known, or lost. */
  #entryOf(name: Uint8Array): number {
    const at = this.#slots[this.#slotOf(name)] as number;
    return at >= 0 && this.#isLost(at) ? -1 : at;
  }

  #isLost(at: number): boolean {
    return this.#lost.has(this.#places[at * wordsOfPlace] as number);
  }

  #isMarked(at: number): boolean {
    return ((this.#marks[at] as number) & markBits.needed) !== 0;
  }

  /** The slot in which the name is, or the free one where it would be. */
  #slotOf(name: Uint8Array, own = -1): number {
    const mask = this.#slots.length - 1;
    const start = wordOf(name, 0);
    for (let slot = start & mask; ; slot = (slot + 1) & mask) {
      const at = this.#slots[slot] as number;
      if (at < 0 || at === own || this.#isNamed(at, name)) return slot;
    }
  }

  #isNamed(at: number, name: Uint8Array): boolean {
    const start = at * hashBytes;
    for (let byte = 0; byte < hashBytes; byte++) {
      if (this.#names[start + byte] !== name[byte]) return false;
    }
    return true;
  }

  #makeRoom(): void {
    if (this.#count > indexChunksMax) {
      const what = `The vault holds more than ${indexChunksMax} chunks.`;
      throw new NinesError("NINES_VAULT_FULL", what);
    }
    const room = this.#places.length / wordsOfPlace;
    if (this.#count > room) {
      this.#names = widened(this.#names, new Uint8Array(2 * this.#names.length));
      this.#places = widened(this.#places, new Uint32Array(2 * this.#places.length));
      this.#marks = widened(this.#marks, new Uint8Array(2 * this.#marks.length));
    }
    if (2 * this.#count <= this.#slots.length) return;
    this.#slots = new Int32Array(2 * this.#slots.length).fill(-1);
    const mask = this.#slots.length - 1;
    for (let at = 0; at < this.#count - 1; at++) {
      let slot = wordOf(this.#names, at * hashBytes) & mask;
      while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = at;
    }
  }
}

/** Written out: an index is read before anything has been compiled. */
function wordOf(bytes: Uint8Array, at: number): number {
  assert(at + 4 <= bytes.length, "a name has 32 bytes");
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
  return (low | (high << 16)) >>> 0;
}

function widened<Numbers extends Uint8Array | Uint32Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
