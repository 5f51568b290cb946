// Which faults a run has, and when: the seed first decides which exist at all, then how often.
//
// Intuition: with everything switched on in every run, each run looks like every other, and a fault
// that hides another always hides it. Swarm testing (Groce et al., ISSTA 2012; TigerBeetle's VOPR)
// draws a subset: some runs have nothing but control kills, three a minute.

import { assert } from "../../src/core/base/assert.ts";
import type { Random } from "../../src/core/base/prng.ts";
import type { World } from "../world/world.ts";
import { type Fault, faultMenu } from "./menu.ts";

/** At least so many are drawn in each run; one that finds nobody to hit is drawn again. */
const FAULTS_MIN = 5;
const FAULTS_MAX = 60;

export class Swarm {
  /** How often each fault struck. */
  readonly struck = new Map<string, number>();
  readonly #world: World;
  readonly #random: Random;
  readonly #enabled: readonly Fault[];
  readonly #healing = new Set<() => void>();
  readonly #untilMs: number;
  readonly #count: number;
  #over = false;

  constructor(world: World, random: Random, untilMs: number) {
    this.#world = world;
    this.#random = random;
    this.#untilMs = untilMs;
    this.#count = FAULTS_MIN + random.below(FAULTS_MAX - FAULTS_MIN);
    const share = 0.1 + random.ratio() * 0.9;
    const drawn = faultMenu.filter(() => random.ratio() < share);
    this.#enabled = drawn.length > 0 ? drawn : faultMenu;
  }

  get total(): number {
    let total = 0;
    for (const count of this.struck.values()) total += count;
    return total;
  }

  start(): void {
    this.#next();
  }

  #next(): void {
    const meanMs = this.#untilMs / this.#count;
    const gapMs = -Math.log(1 - this.#random.ratio()) * meanMs;
    this.#world.loop.after(gapMs, () => {
      if (this.#over) return;
      this.#strike(this.#random.below(this.#enabled.length));
      this.#next();
    });
  }

  #strike(index: number): void {
    const fault = this.#enabled[index];
    assert(fault !== undefined, "a drawn fault is on the menu");
    const strike = fault.begin(this.#world, this.#random);
    if (strike === undefined) return;
    this.struck.set(fault.name, (this.struck.get(fault.name) ?? 0) + 1);
    const [leastMs, mostMs] = fault.lastsMs;
    // Most are short and some are long, as outages are.
    const lastsMs = leastMs + (mostMs - leastMs) * this.#random.ratio() ** 2;
    const lasting = strike.heal === undefined ? "" : ` for ${(lastsMs / 1000).toFixed(1)} s`;
    this.#world.note("fault", strike.subject, `${fault.name}${lasting}`);
    const { heal } = strike;
    if (heal === undefined) return;
    const end = (): void => {
      if (!this.#healing.delete(end)) return;
      this.#world.note("fault", strike.subject, `${fault.name} is over`);
      heal();
    };
    this.#healing.add(end);
    this.#world.loop.after(lastsMs, end);
  }

  /** No more faults, and those that last end now; tops up a run that had too few. */
  healAll(): void {
    for (let tries = 0; this.total < FAULTS_MIN && tries < 1000; tries++) {
      this.#strike(this.#random.below(this.#enabled.length));
    }
    this.#over = true;
    for (const end of this.#healing) end();
    this.#world.note("fault", "", "all faults are over");
  }
}
