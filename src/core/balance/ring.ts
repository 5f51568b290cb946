// Ring hashing: instances have many points on a circle of 32 bits, and a key belongs to the first
// point from it on whose instance can be chosen.
//
// Karger et al., "Consistent Hashing and Random Trees" (1997), with ketama's 160 points for an
// instance of mean weight (Richard Jones, 2007); weights are numbers of points. When one leaves,
// only its keys move. Loads differ by some 8%, from points that lie unevenly. Above 6,500
// instances each has fewer points, so that a ring takes no more than 16 MB, as Envoy bounds its
// max_ring_size.
//
// Points lie in buckets by their high bits, one or two in each, in ascending order. So a look-up is
// one bucket, and an instance that comes or goes costs its own points only; a sorted array would
// have to move a million of them.

import { grown } from "../base/grown.ts";
import { type Balancer, type Candidates, NOBODY, type SlotView } from "./balancer.ts";
import { Hashing, mix, mixPair } from "./hashing.ts";

export function createRing(view: SlotView, random: () => number): Balancer {
  return new Ring(view, random);
}

const POINTS_EACH = 160;
const POINTS_MAX = 1 << 20;
/** Of the mean weight: no instance has more points than so many average ones. */
const WEIGHTS_MAX = 16;
const BUCKET_BITS_MIN = 8;
const NOTHING = -1;

class Ring extends Hashing {
  #version = -1;
  /** By slot: its points are the first so many of those that its identity draws. */
  #points: Int32Array = new Int32Array(0);
  #identity = new Uint32Array(0);
  #total = 0;
  #bits = BUCKET_BITS_MIN;
  /** The lowest point of each bucket. */
  #first = new Int32Array(1 << BUCKET_BITS_MIN).fill(NOTHING);
  /** By point: its place, its slot, and the next one of its bucket, or of those not used. */
  #at = new Uint32Array(0);
  #whose: Int32Array = new Int32Array(0);
  #next: Int32Array = new Int32Array(0);
  #unused = NOTHING;

  protected find(tier: Candidates, key: number): number {
    if (this.#version !== this.view.version) this.#follow();
    const place = mix(key);
    const buckets = this.#first.length;
    let bucket = this.#bucketOf(place);
    let point = this.#first[bucket] as number;
    while (point !== NOTHING && (this.#at[point] as number) < place) {
      point = this.#next[point] as number;
    }
    // Round once, and through the first bucket again, for what lies before the key in it.
    for (let passed = 0; passed <= buckets; passed++) {
      for (; point !== NOTHING; point = this.#next[point] as number) {
        const slot = this.#whose[point] as number;
        if (this.isOpen(slot, tier.rank)) return slot;
      }
      bucket = bucket + 1 === buckets ? 0 : bucket + 1;
      point = this.#first[bucket] as number;
    }
    return NOBODY;
  }

  #bucketOf(place: number): number {
    return place >>> (32 - this.#bits);
  }

  /** Adds and removes points until everybody in the table has its number. */
  #follow(): void {
    const { count, capacity, listed, tableWeight: weight, identity, version } = this.view;
    this.#version = version;
    this.#points = lengthened(this.#points, capacity);
    if (this.#identity.length < capacity) {
      this.#identity = grown(this.#identity, new Uint32Array(capacity));
    }
    let instances = 0;
    let weights = 0;
    for (let slot = 0; slot < count; slot++) {
      if (listed[slot] === 0) continue;
      instances++;
      weights += weight[slot] as number;
    }
    const each = Math.min(POINTS_EACH, POINTS_MAX / Math.max(1, instances));
    const perWeight = (each * instances) / Math.max(1, weights);
    for (let slot = 0; slot < count; slot++) {
      const isSame = this.#identity[slot] === identity[slot];
      if (!isSame || listed[slot] === 0) this.#setPoints(slot, 0);
      if (listed[slot] === 0) continue;
      this.#identity[slot] = identity[slot] as number;
      const wanted = Math.round(perWeight * (weight[slot] as number));
      this.#setPoints(slot, Math.min(Math.max(wanted, 1), WEIGHTS_MAX * POINTS_EACH));
    }
  }

  #setPoints(slot: number, wanted: number): void {
    let has = this.#points[slot] as number;
    const identity = this.#identity[slot] as number;
    while (has > wanted) this.#remove(slot, mixPair(identity, --has));
    while (has < wanted) this.#add(slot, mixPair(identity, has++));
    this.#points[slot] = wanted;
  }

  #add(slot: number, at: number): void {
    if (this.#total === this.#first.length) this.#spread(this.#bits + 1);
    const point = this.#unused === NOTHING ? this.#total : this.#unused;
    if (point === this.#unused) this.#unused = this.#next[point] as number;
    if (point >= this.#at.length) this.#growPoints();
    this.#total++;
    this.#at[point] = at;
    this.#whose[point] = slot;
    this.#insert(point);
  }

  /** Equal places are in order of identity: the same in every worker. */
  #insert(point: number): void {
    const at = this.#at[point] as number;
    const identity = this.#identity[this.#whose[point] as number] as number;
    const bucket = this.#bucketOf(at);
    let before = NOTHING;
    let after = this.#first[bucket] as number;
    while (after !== NOTHING) {
      const other = this.#at[after] as number;
      const others = this.#identity[this.#whose[after] as number] as number;
      if (other > at || (other === at && others > identity)) break;
      before = after;
      after = this.#next[after] as number;
    }
    this.#next[point] = after;
    if (before === NOTHING) this.#first[bucket] = point;
    else this.#next[before] = point;
  }

  #remove(slot: number, at: number): void {
    const bucket = this.#bucketOf(at);
    let before = NOTHING;
    let point = this.#first[bucket] as number;
    while (this.#at[point] !== at || this.#whose[point] !== slot) {
      before = point;
      point = this.#next[point] as number;
    }
    const after = this.#next[point] as number;
    if (before === NOTHING) this.#first[bucket] = after;
    else this.#next[before] = after;
    this.#next[point] = this.#unused;
    this.#unused = point;
    this.#total--;
  }

  /** Twice as many buckets; all points are put in anew. */
  #spread(bits: number): void {
    const former = this.#first;
    this.#bits = bits;
    this.#first = new Int32Array(1 << bits).fill(NOTHING);
    for (const first of former) {
      for (let point = first; point !== NOTHING; ) {
        const next = this.#next[point] as number;
        this.#insert(point);
        point = next;
      }
    }
  }

  #growPoints(): void {
    const length = Math.max(1024, 2 * this.#at.length);
    this.#at = grown(this.#at, new Uint32Array(length));
    this.#whose = lengthened(this.#whose, length);
    this.#next = lengthened(this.#next, length);
  }
}

function lengthened(numbers: Int32Array, length: number): Int32Array {
  return numbers.length >= length ? numbers : grown(numbers, new Int32Array(length));
}
