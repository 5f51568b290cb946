// Clients, who call while something happens: from a moment before each fault until the world has
// stood still for a while.
//
// Between faults every request fares as the queueing model says, and a thousand years of them would
// teach nothing. Around a fault they are sent for real, to the real dispatcher, at a rate that is
// low enough to be cheap: each stands for as many as the load has in its place.

import type { Random } from "../../src/core/base/prng.ts";
import type { World } from "../world/world.ts";

/** Of each service. */
export const callsPerSecond = 10;
/** Share of requests that must not be sent twice. */
const postShare = 0.1;
/** Nothing has happened for so long: they go home, and what holds then is taken to go on. */
const stillMs = 500;
/** However much happens (an outage fails every call), so long after the last fault they go home. */
const longestMs = 15_000;
const lookMs = 100;

export interface CallersEvents {
  /** A call that no worker took; all others are heard of by the world's watchers. */
  unaccepted(service: string): void;
  went(): void;
  /** Whether it is known how the services fare as they are now. */
  areHeard(): boolean;
}

export class Callers {
  readonly #world: World;
  readonly #random: Random;
  readonly #services: readonly string[];
  readonly #events: CallersEvents;
  readonly #streams = new Map<string, Random>();
  #calling = false;
  #untilMs = 0;

  constructor(world: World, random: Random, services: readonly string[], events: CallersEvents) {
    this.#world = world;
    this.#random = random;
    this.#services = services;
    this.#events = events;
  }

  get areCalling(): boolean {
    return this.#calling;
  }

  /** Something is about to happen. */
  come(): void {
    this.#untilMs = this.#world.loop.nowMs + longestMs;
    if (this.#calling) return;
    this.#calling = true;
    for (const service of this.#services) this.#next(service);
    this.#look(this.#world.loop.nowMs);
  }

  /** At the first step of `lookMs` at which it may be over, as far as is known now. */
  #look(cameMs: number): void {
    const { loop } = this.#world;
    const stillFromMs = (): number => Math.max(cameMs, this.#world.changedAtMs) + stillMs;
    const inMs = Math.min(stillFromMs(), this.#untilMs) - loop.nowMs;
    loop.after(lookMs * Math.max(1, Math.ceil(inMs / lookMs)), () => {
      const isStill = loop.nowMs >= stillFromMs() && this.#events.areHeard();
      const isOver = isStill || loop.nowMs >= this.#untilMs;
      if (!isOver) return this.#look(cameMs);
      this.#calling = false;
      this.#events.went();
    });
  }

  #next(service: string): void {
    const random = this.#stream(service);
    const gapMs = (-Math.log(1 - random.ratio()) * 1000) / callsPerSecond;
    this.#world.loop.after(gapMs, () => {
      if (!this.#calling) return;
      this.#call(service, random);
      this.#next(service);
    });
  }

  #call(service: string, random: Random): void {
    const lot = random.below(1 << 20);
    const idempotent = random.ratio() >= postShare;
    const workers = this.#world.gateway.serving();
    const worker = workers[lot % Math.max(1, workers.length)];
    const taken = worker?.request(`/${service}/item`, idempotent, lot) ?? false;
    if (!taken) this.#events.unaccepted(service);
  }

  #stream(service: string): Random {
    let stream = this.#streams.get(service);
    if (stream === undefined) {
      stream = this.#random.stream(service);
      this.#streams.set(service, stream);
    }
    return stream;
  }
}
