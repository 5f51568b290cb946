// The candidate with the least of something, and of equals the one whose last turn is longest ago.
//
// A binary heap for each tier, kept as loads change: a choice, a start and an end cost O(log n)
// instead of a look at all. Somebody who is tried already may stand at the top: the search goes on
// below it, and only there. Whose turn was when is counted, so equals take turns whatever the shape
// of the heap; who has had none yet is placed by lot, or all workers would begin with the same one.
//
// Invariant: nobody's load is above that of those below it in the heap; equal loads by turn.

import { grown } from "../base/grown.ts";
import { Balancer, type Candidates, NOBODY } from "./balancer.ts";

interface Heap {
  slots: Int32Array;
  count: number;
}

export abstract class LeastOf extends Balancer {
  readonly #heaps: (Heap | undefined)[] = [];
  /** By slot: its index in its tier's heap, what it is ordered by, and its last turn. */
  #index = new Int32Array(0);
  #load = new Float64Array(0);
  #turn = new Float64Array(0);
  #turns = 0;

  /** What is the least for whoever comes next; asked again at `changed`. */
  protected abstract loadOf(slot: number): number;

  choose(tier: Candidates, _nowMs: number): number {
    const heap = this.#heaps[tier.rank];
    if (heap === undefined || heap.count === 0) return NOBODY;
    const slot = this.#leastFree(heap, 0, NOBODY);
    if (slot === NOBODY) return NOBODY;
    this.#turn[slot] = ++this.#turns;
    this.#sink(heap, this.#index[slot] as number, slot);
    return slot;
  }

  /** The least that is not shut, at `index` or below, or `best` when nobody there is less. */
  #leastFree(heap: Heap, index: number, best: number): number {
    if (index >= heap.count) return best;
    const slot = heap.slots[index] as number;
    if (best !== NOBODY && !this.#isBefore(slot, best)) return best;
    if (this.view.shut[slot] === 0) return slot;
    const left = this.#leastFree(heap, 2 * index + 1, best);
    return this.#leastFree(heap, 2 * index + 2, left);
  }

  override joined(slot: number, rank: number): void {
    const heap = this.#heapOf(rank);
    this.#load[slot] = this.loadOf(slot);
    if (this.#turn[slot] === 0) this.#turn[slot] = this.#turns + this.random() - 1;
    this.#rise(heap, heap.count++, slot);
  }

  override left(slot: number, rank: number): void {
    const heap = this.#heapOf(rank);
    const index = this.#index[slot] as number;
    const last = heap.slots[--heap.count] as number;
    if (last !== slot) this.#settle(heap, index, last);
  }

  override changed(slot: number): void {
    const rank = this.view.rank[slot] as number;
    if (rank < 0) return;
    const load = this.loadOf(slot);
    if (load === this.#load[slot]) return;
    this.#load[slot] = load;
    this.#settle(this.#heapOf(rank), this.#index[slot] as number, slot);
  }

  override forget(slot: number): void {
    this.#grow();
    this.#turn[slot] = 0;
  }

  #heapOf(rank: number): Heap {
    this.#grow();
    const heap = this.#heaps[rank];
    const { capacity } = this.view;
    if (heap === undefined) {
      const made = { slots: new Int32Array(capacity), count: 0 };
      this.#heaps[rank] = made;
      return made;
    }
    if (heap.slots.length < capacity) heap.slots = grown(heap.slots, new Int32Array(capacity));
    return heap;
  }

  #grow(): void {
    const { capacity } = this.view;
    if (this.#index.length >= capacity) return;
    this.#index = grown(this.#index, new Int32Array(capacity));
    this.#load = grown(this.#load, new Float64Array(capacity));
    this.#turn = grown(this.#turn, new Float64Array(capacity));
  }

  #isBefore(one: number, other: number): boolean {
    const difference = (this.#load[one] as number) - (this.#load[other] as number);
    if (difference !== 0) return difference < 0;
    return (this.#turn[one] as number) < (this.#turn[other] as number);
  }

  /** Puts the slot where it belongs, from `index` up or down. */
  #settle(heap: Heap, index: number, slot: number): void {
    const parent = (index - 1) >> 1;
    if (index > 0 && this.#isBefore(slot, heap.slots[parent] as number)) {
      this.#rise(heap, index, slot);
    } else {
      this.#sink(heap, index, slot);
    }
  }

  #rise(heap: Heap, from: number, slot: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap.slots[parent] as number;
      if (!this.#isBefore(slot, above)) break;
      this.#put(heap, index, above);
      index = parent;
    }
    this.#put(heap, index, slot);
  }

  #sink(heap: Heap, from: number, slot: number): void {
    const { slots, count } = heap;
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= count) break;
      const right = child + 1;
      if (right < count && this.#isBefore(slots[right] as number, slots[child] as number)) {
        child = right;
      }
      const below = slots[child] as number;
      if (!this.#isBefore(below, slot)) break;
      this.#put(heap, index, below);
      index = child;
    }
    this.#put(heap, index, slot);
  }

  #put(heap: Heap, index: number, slot: number): void {
    heap.slots[index] = slot;
    this.#index[slot] = index;
  }
}
