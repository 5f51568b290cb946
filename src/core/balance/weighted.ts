// Smooth weighted round robin: in every `sum of weights` choices each instance gets exactly its
// weight, and a heavy one's turns lie apart instead of in a row.
//
// nginx's algorithm (Igor Sysoev, commit 52327e0627f4, 2012): everybody earns its weight, the
// richest is chosen and pays the whole round. For weights 5, 1, 1: a a b a c a a. nginx passes over
// all for each choice. Those of equal weight earn alike, so their order changes only when one pays:
// kept as a queue, richest first, they earn by one addition to what the queue has earned, and who
// pays goes to its end. A choice looks at the heads of as many queues as there are weights, not at
// all instances; the choices are nginx's, one by one.
//
// Who comes begins behind those of its weight: nobody waits longer because of it. Rejected:
// earliest deadline first on a heap (Envoy): bursts for the heavy, as their deadlines come first
// in a round.
//
// Invariant: a queue is in descending order of what each has; of equals the lower slot is first.

import { grown } from "../base/grown.ts";
import { Balancer, type Candidates, NOBODY, type SlotView } from "./balancer.ts";

export function createWeighted(view: SlotView, random: () => number): Balancer {
  return new Weighted(view, random);
}

/** Those of one tier that have one weight. */
interface Queue {
  readonly weight: number;
  /** What each of them has earned since the queue began. */
  earned: number;
  head: number;
  tail: number;
}

class Weighted extends Balancer {
  /** By rank; each as long as there are weights in that tier. */
  readonly #queues: Queue[][] = [];
  /** By slot: what it has, less what its queue has earned; its neighbours; its weight there. */
  #purse = new Float64Array(0);
  #before = new Int32Array(0);
  #after = new Int32Array(0);
  #weight = new Int32Array(0);

  choose(tier: Candidates): number {
    const queues = this.#queues[tier.rank];
    if (queues === undefined) return NOBODY;
    let richest = NOBODY;
    let most = -Infinity;
    let payer: Queue | undefined;
    for (let index = 0; index < queues.length; index++) {
      const queue = queues[index] as Queue;
      queue.earned += queue.weight;
      let slot = queue.head;
      while (slot !== NOBODY && this.view.shut[slot] !== 0) slot = this.#after[slot] as number;
      if (slot === NOBODY) continue;
      const has = (this.#purse[slot] as number) + queue.earned;
      if (has < most || (has === most && slot > richest)) continue;
      richest = slot;
      most = has;
      payer = queue;
    }
    if (payer === undefined) return NOBODY;
    this.#take(payer, richest);
    this.#purse[richest] = (this.#purse[richest] as number) - tier.weight;
    this.#insert(payer, richest);
    return richest;
  }

  override joined(slot: number, rank: number): void {
    this.#grow();
    const weight = this.view.weight[slot] as number;
    const queue = this.#queueOf(rank, weight);
    const last = queue.tail === NOBODY ? 0 : (this.#purse[queue.tail] as number);
    this.#purse[slot] = queue.tail === NOBODY ? -queue.earned : last;
    this.#weight[slot] = weight;
    this.#insert(queue, slot);
  }

  override left(slot: number, rank: number): void {
    const queue = this.#queueOf(rank, this.#weight[slot] as number);
    this.#take(queue, slot);
    if (queue.head !== NOBODY) return;
    const queues = this.#queues[rank] as Queue[];
    queues.splice(queues.indexOf(queue), 1);
  }

  override changed(slot: number): void {
    const rank = this.view.rank[slot] as number;
    if (rank < 0 || this.#weight[slot] === this.view.weight[slot]) return;
    this.left(slot, rank);
    this.joined(slot, rank);
  }

  #queueOf(rank: number, weight: number): Queue {
    const queues = (this.#queues[rank] ??= []);
    for (const queue of queues) if (queue.weight === weight) return queue;
    const queue = { weight, earned: 0, head: NOBODY, tail: NOBODY };
    queues.push(queue);
    return queue;
  }

  #take(queue: Queue, slot: number): void {
    const before = this.#before[slot] as number;
    const after = this.#after[slot] as number;
    if (before === NOBODY) queue.head = after;
    else this.#after[before] = after;
    if (after === NOBODY) queue.tail = before;
    else this.#before[after] = before;
  }

  /** From the end on: whoever is put in has just paid, or comes last. */
  #insert(queue: Queue, slot: number): void {
    const purse = this.#purse[slot] as number;
    let before = queue.tail;
    while (before !== NOBODY) {
      const other = this.#purse[before] as number;
      if (other > purse || (other === purse && before < slot)) break;
      before = this.#before[before] as number;
    }
    const after = before === NOBODY ? queue.head : (this.#after[before] as number);
    this.#before[slot] = before;
    this.#after[slot] = after;
    if (before === NOBODY) queue.head = slot;
    else this.#after[before] = slot;
    if (after === NOBODY) queue.tail = slot;
    else this.#before[after] = slot;
  }

  #grow(): void {
    const { capacity } = this.view;
    if (this.#purse.length >= capacity) return;
    this.#purse = grown(this.#purse, new Float64Array(capacity));
    this.#before = grown(this.#before, new Int32Array(capacity));
    this.#after = grown(this.#after, new Int32Array(capacity));
    this.#weight = grown(this.#weight, new Int32Array(capacity));
  }
}
