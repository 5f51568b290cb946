// The balancing algorithms by the name that a route gives them, and those of them that are in use.

import type { BalanceAlgorithm } from "../route/table.ts";
import type { Balancer, Candidates, CreateBalancer, SlotView } from "./balancer.ts";
import { createFirst } from "./first.ts";
import { createLeastRequest } from "./least-request.ts";
import { createLeastTime } from "./least-time.ts";
import { createMaglev } from "./maglev.ts";
import { createPeakEwma } from "./peak-ewma.ts";
import { createRandom } from "./random.ts";
import { createRendezvous } from "./rendezvous.ts";
import { createRing } from "./ring.ts";
import { createRoundRobin } from "./round-robin.ts";
import { createP2c } from "./two-choices.ts";
import { createWeighted } from "./weighted.ts";

export const algorithms: Readonly<Record<BalanceAlgorithm, CreateBalancer>> = {
  "round-robin": createRoundRobin,
  random: createRandom,
  p2c: createP2c,
  weighted: createWeighted,
  "least-request": createLeastRequest,
  "least-time": createLeastTime,
  "peak-ewma": createPeakEwma,
  first: createFirst,
  "source-hash": createRendezvous,
  rendezvous: createRendezvous,
  ring: createRing,
  maglev: createMaglev,
};

/** Whether a key leads to its instance. */
export function hashes(algorithm: BalanceAlgorithm): boolean {
  return hashing.has(algorithm);
}
const hashing: ReadonlySet<BalanceAlgorithm> = new Set([
  "source-hash",
  "rendezvous",
  "ring",
  "maglev",
]);

/** Whatever any route of the service asks for; each is told everything from its first use on. */
export class Algorithms {
  readonly #view: SlotView;
  readonly #random: () => number;
  readonly #byName = new Map<BalanceAlgorithm, Balancer>();
  readonly #inUse: Balancer[] = [];

  constructor(view: SlotView, random: () => number) {
    this.#view = view;
    this.#random = random;
  }

  of(name: BalanceAlgorithm, tiers: readonly Candidates[]): Balancer {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const balancer = algorithms[name](this.#view, this.#random);
    for (let slot = 0; slot < this.#view.count; slot++) balancer.forget(slot);
    for (const { slots, count, rank } of tiers) {
      for (let index = 0; index < count; index++) balancer.joined(slots[index] as number, rank);
    }
    this.#byName.set(name, balancer);
    this.#inUse.push(balancer);
    return balancer;
  }

  joined(slot: number, rank: number): void {
    for (const each of this.#inUse) each.joined(slot, rank);
  }

  left(slot: number, rank: number): void {
    for (const each of this.#inUse) each.left(slot, rank);
  }

  changed(slot: number): void {
    for (const each of this.#inUse) each.changed(slot);
  }

  answered(slot: number, nowMs: number, latencyMs: number): void {
    for (const each of this.#inUse) each.answered(slot, nowMs, latencyMs);
  }

  finished(slot: number, nowMs: number, latencyMs: number, failed: boolean): void {
    for (const each of this.#inUse) each.finished(slot, nowMs, latencyMs, failed);
  }

  forget(slot: number): void {
    for (const each of this.#inUse) each.forget(slot);
  }
}
