// Clients: open-loop arrivals for each service. They don't slow down when answers do, as the public
// does not; a request's arrival depends on the seed and on nothing else.

import type { Random } from "../../src/core/base/prng.ts";
import type { EventLoop } from "./event-loop.ts";
import type { Gateway } from "./gateway.ts";

export interface ClientLoad {
  readonly service: string;
  readonly requestsPerSecond: number;
  /** Share of requests that must not be sent twice (POST). */
  readonly postRatio: number;
}

export class Clients {
  sent = 0;
  /** Found no worker to take them: every one was dead or stopped. */
  unaccepted = 0;
  /** No route took them: there was no table yet. */
  unrouted = 0;
  readonly #loop: EventLoop;
  readonly #gateway: Gateway;
  readonly #random: Random;
  #stopped = false;

  constructor(loop: EventLoop, gateway: Gateway, random: Random) {
    this.#loop = loop;
    this.#gateway = gateway;
    this.#random = random;
  }

  start(loads: readonly ClientLoad[]): void {
    for (const load of loads) this.#next(load, this.#random.stream(load.service));
  }

  stop(): void {
    this.#stopped = true;
  }

  #next(load: ClientLoad, random: Random): void {
    const gapMs = (-Math.log(1 - random.ratio()) * 1000) / load.requestsPerSecond;
    this.#loop.after(gapMs, () => {
      if (this.#stopped) return;
      this.#send(load, random);
      this.#next(load, random);
    });
  }

  #send(load: ClientLoad, random: Random): void {
    const lot = random.below(1 << 20);
    const idempotent = random.ratio() >= load.postRatio;
    const workers = this.#gateway.serving();
    this.sent++;
    const worker = workers[lot % Math.max(1, workers.length)];
    if (worker === undefined) this.unaccepted++;
    else if (!worker.request(`/${load.service}/item`, idempotent, lot)) this.unrouted++;
  }
}
