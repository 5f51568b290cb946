// The instances of one service as flat arrays by slot: what a dispatcher knows of each.
//
// A slot is lent to an instance. It is taken back when the instance has left the table *and* no
// attempt on it is under way: whoever holds a slot during an attempt holds the right instance. An
// instance that leaves and returns meanwhile finds its slot, and all that was known of it, again.
//
// Invariant: `active` > 0 or `listed` = 1 for every slot that is lent; a free slot is all zeros.

import { NO_TIER, type SlotView } from "../balance/balancer.ts";
import { assert } from "../base/assert.ts";
import { grown } from "../base/grown.ts";
import { fnv1a32 } from "../base/prng.ts";
import { type InstanceVerdict, LEVELS_MAX, type TableInstance } from "../route/table.ts";

const FIRST_CAPACITY = 16;
/** In `backs`: it stands in for nobody; */
export const NOBODY = -1;
/** for one that is not in the table. */
export const ABSENT = -2;

/** In `limit`. */
export const OF_SERVICE = -1;

export const verdictCode = {
  up: 0,
  draining: 1,
  down: 2,
  failing: 3,
  standby: 4,
} as const satisfies Record<InstanceVerdict, number>;

/** What tells an instance from all others. */
export type Place = Pick<TableInstance, "id" | "host" | "port">;

export class Slots implements SlotView {
  /** One more than the highest slot ever lent. */
  count = 0;
  active = new Int32Array(FIRST_CAPACITY);
  weight = new Int32Array(FIRST_CAPACITY);
  tableWeight = new Int32Array(FIRST_CAPACITY);
  identity = new Uint32Array(FIRST_CAPACITY);
  /** 1 while the instance is in the table. */
  listed = new Uint8Array(FIRST_CAPACITY);
  /** Its priority: 0 is the first to take traffic. */
  level = new Uint8Array(FIRST_CAPACITY);
  order = new Int32Array(FIRST_CAPACITY);
  verdict = new Uint8Array(FIRST_CAPACITY);
  generation = new Float64Array(FIRST_CAPACITY);
  share = new Float64Array(FIRST_CAPACITY);
  /** The number of its zone: 0 is the gateway's own. */
  zone = new Uint8Array(FIRST_CAPACITY);
  /** Attempts at once: its own limit, 0 for none, or OF_SERVICE. */
  limit = new Int32Array(FIRST_CAPACITY).fill(OF_SERVICE);
  /** 1: control holds it back, and here too few others are left for that. */
  needed = new Uint8Array(FIRST_CAPACITY);
  /** The slot of the instance that this one stands in for, NOBODY, or ABSENT. */
  backs = new Int32Array(FIRST_CAPACITY);
  /** The slot of the instance that stands in for this one, or NOBODY. */
  standIn = new Int32Array(FIRST_CAPACITY).fill(NOBODY);
  /** The tier that it is in; tiers.ts moves it. */
  rank = new Int8Array(FIRST_CAPACITY).fill(NO_TIER);
  shut = new Uint8Array(FIRST_CAPACITY);
  /** Grows with each table that lists others, or other weights. */
  version = 0;
  #listedBefore = new Uint8Array(FIRST_CAPACITY);
  #isSame = true;
  readonly #instances: (TableInstance | undefined)[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #free: number[] = [];
  /** Called for each slot that is lent anew, before its arrays are filled. */
  readonly #onLent: (slot: number) => void;

  constructor(onLent: (slot: number) => void) {
    this.#onLent = onLent;
  }

  get capacity(): number {
    return this.active.length;
  }

  instance(slot: number): TableInstance {
    const instance = this.#instances[slot];
    assert(instance !== undefined, "a slot that is asked for is lent");
    return instance;
  }

  find(instance: Place): number | undefined {
    return this.#byKey.get(keyOf(instance));
  }

  /** Lends a slot to an instance that has none. */
  lend(instance: TableInstance): number {
    const slot = this.#free.pop() ?? this.count++;
    if (slot >= this.capacity) this.#grow();
    assert(this.active[slot] === 0 && this.listed[slot] === 0, "a free slot is idle");
    this.#byKey.set(keyOf(instance), slot);
    this.#instances[slot] = instance;
    this.identity[slot] = fnv1a32(instance.id);
    this.needed[slot] = 0;
    this.#onLent(slot);
    return slot;
  }

  /** A table comes: nobody is listed until it says so. */
  unlist(): void {
    this.#listedBefore = grown(this.listed, new Uint8Array(this.capacity));
    this.#isSame = true;
    this.listed.fill(0);
  }

  /** Writes what the table says of the slot's instance. */
  list(slot: number, instance: TableInstance, order: number): void {
    const wasListed = this.#listedBefore[slot] === 1;
    if (!wasListed || this.tableWeight[slot] !== instance.weight) {
      this.#isSame = false;
      this.weight[slot] = instance.weight;
    }
    this.#listedBefore[slot] = 0;
    this.listed[slot] = 1;
    this.order[slot] = order;
    this.tableWeight[slot] = instance.weight;
    this.level[slot] = levelOf(instance);
    this.verdict[slot] = verdictCode[instance.verdict];
    this.generation[slot] = instance.generation;
    this.share[slot] = instance.share;
    this.limit[slot] = limitOf(instance);
    if (instance.verdict !== "standby") this.needed[slot] = 0;
  }

  /** Once all are listed: who stands in for whom. */
  pair(instances: readonly TableInstance[]): void {
    // Whoever is left of those before is no longer in the table.
    if (!this.#isSame || this.#listedBefore.includes(1)) this.version++;
    this.backs.fill(NOBODY);
    this.standIn.fill(NOBODY);
    if (instances.every(({ backupOf }) => backupOf === undefined)) return;
    const byId = new Map(instances.map((instance) => [instance.id, instance]));
    for (const instance of instances) {
      if (instance.backupOf === undefined) continue;
      const slot = this.find(instance);
      assert(slot !== undefined, "what is listed has its slot");
      const backed = byId.get(instance.backupOf);
      const backs = backed === undefined ? ABSENT : (this.find(backed) ?? ABSENT);
      this.backs[slot] = backs;
      if (backs !== ABSENT) this.standIn[backs] = slot;
    }
  }

  /** Takes back the slot when nobody needs it any more; true when it did. */
  release(slot: number): boolean {
    const instance = this.#instances[slot];
    if (instance === undefined || this.listed[slot] === 1 || this.active[slot] !== 0) return false;
    this.#byKey.delete(keyOf(instance));
    this.#instances[slot] = undefined;
    this.#free.push(slot);
    return true;
  }

  #grow(): void {
    const capacity = this.capacity * 2;
    this.active = grown(this.active, new Int32Array(capacity));
    this.weight = grown(this.weight, new Int32Array(capacity));
    this.tableWeight = grown(this.tableWeight, new Int32Array(capacity));
    this.identity = grown(this.identity, new Uint32Array(capacity));
    this.listed = grown(this.listed, new Uint8Array(capacity));
    this.level = grown(this.level, new Uint8Array(capacity));
    this.order = grown(this.order, new Int32Array(capacity));
    this.verdict = grown(this.verdict, new Uint8Array(capacity));
    this.generation = grown(this.generation, new Float64Array(capacity));
    this.share = grown(this.share, new Float64Array(capacity));
    this.zone = grown(this.zone, new Uint8Array(capacity));
    this.limit = grown(this.limit, new Int32Array(capacity).fill(OF_SERVICE));
    this.needed = grown(this.needed, new Uint8Array(capacity));
    this.backs = grown(this.backs, new Int32Array(capacity).fill(NOBODY));
    this.standIn = grown(this.standIn, new Int32Array(capacity).fill(NOBODY));
    this.rank = grown(this.rank, new Int8Array(capacity).fill(NO_TIER));
    this.shut = grown(this.shut, new Uint8Array(capacity));
  }
}

/** A backup is of the next level, unless the table says of which. */
export function levelOf({ priority, backup }: TableInstance): number {
  return Math.min(priority ?? (backup ? 1 : 0), LEVELS_MAX - 1);
}

export function limitOf({ maxConnections }: TableInstance): number {
  return maxConnections ?? OF_SERVICE;
}

function keyOf(instance: Place): string {
  return `${instance.id} ${instance.host} ${instance.port}`;
}
