// The instances of one service as flat arrays by slot: what a dispatcher knows of each.
//
// A slot is lent to an instance. It is taken back when the instance has left the table *and* no
// attempt on it is under way: whoever holds a slot during an attempt holds the right instance. An
// instance that leaves and returns meanwhile finds its slot, and all that was known of it, again.
//
// Invariant: `active` > 0 or `listed` = 1 for every slot that is lent; a free slot is all zeros.

import { assert } from "../base/assert.ts";
import { grown } from "../base/grown.ts";
import { fnv1a32 } from "../base/prng.ts";
import type { InstanceVerdict, TableInstance } from "../route/table.ts";

const FIRST_CAPACITY = 16;
/** In `backs`: it stands in for nobody; */
export const NOBODY = -1;
/** for one that is not in the table. */
export const ABSENT = -2;

export const verdictCode = {
  up: 0,
  draining: 1,
  down: 2,
  failing: 3,
  standby: 4,
} as const satisfies Record<InstanceVerdict, number>;

export class Slots {
  /** One more than the highest slot ever lent. */
  count = 0;
  active = new Int32Array(FIRST_CAPACITY);
  weight = new Int32Array(FIRST_CAPACITY);
  identity = new Uint32Array(FIRST_CAPACITY);
  /** 1 while the instance is in the table. */
  listed = new Uint8Array(FIRST_CAPACITY);
  backup = new Uint8Array(FIRST_CAPACITY);
  verdict = new Uint8Array(FIRST_CAPACITY);
  generation = new Float64Array(FIRST_CAPACITY);
  share = new Float64Array(FIRST_CAPACITY);
  /** 1: control holds it back, and here too few others are left for that. */
  needed = new Uint8Array(FIRST_CAPACITY);
  /** The slot of the instance that this one stands in for, NOBODY, or ABSENT. */
  backs = new Int32Array(FIRST_CAPACITY);
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

  find(instance: TableInstance): number | undefined {
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

  /** Writes what the table says of the slot's instance. */
  list(slot: number, instance: TableInstance): void {
    this.listed[slot] = 1;
    this.weight[slot] = instance.weight;
    this.backup[slot] = instance.backup ? 1 : 0;
    this.verdict[slot] = verdictCode[instance.verdict];
    this.generation[slot] = instance.generation;
    this.share[slot] = instance.share;
    if (instance.verdict !== "standby") this.needed[slot] = 0;
  }

  /** Once all are listed: who stands in for whom. */
  pair(instances: readonly TableInstance[]): void {
    const byId = new Map(instances.map((instance) => [instance.id, instance]));
    for (const instance of instances) {
      const slot = this.find(instance);
      assert(slot !== undefined, "what is listed has its slot");
      const backed = instance.backupOf === undefined ? undefined : byId.get(instance.backupOf);
      const none = instance.backupOf === undefined ? NOBODY : ABSENT;
      this.backs[slot] = backed === undefined ? none : (this.find(backed) ?? ABSENT);
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
    this.identity = grown(this.identity, new Uint32Array(capacity));
    this.listed = grown(this.listed, new Uint8Array(capacity));
    this.backup = grown(this.backup, new Uint8Array(capacity));
    this.verdict = grown(this.verdict, new Uint8Array(capacity));
    this.generation = grown(this.generation, new Float64Array(capacity));
    this.share = grown(this.share, new Float64Array(capacity));
    this.needed = grown(this.needed, new Uint8Array(capacity));
    this.backs = grown(this.backs, new Int32Array(capacity));
  }
}

function keyOf(instance: TableInstance): string {
  return `${instance.id} ${instance.host} ${instance.port}`;
}
