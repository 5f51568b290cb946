// Failures that are drawn from known rates: each instance has a Poisson process of crashes
// (SIGKILL) and one of hangs (SIGSTOP), from a seed. One that comes upon an instance that does not
// run already does nothing, as in the simulation.

import type { Random } from "../../src/core/base/prng.ts";
import { crashEveryMs, hangEveryMs, type Instance } from "./shops.ts";

const signals = { SIGKILL: crashEveryMs, SIGSTOP: hangEveryMs } as const;
type Signal = keyof typeof signals;

export class Strikes implements Disposable {
  count = 0;
  /** What was killed or stopped: no process of these works any more. */
  readonly #struck = new Set<number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #known: ReadonlyMap<string, Instance> = new Map();

  constructor(ids: readonly string[], random: Random) {
    for (const id of ids) {
      for (const signal of Object.keys(signals) as Signal[]) {
        this.#next(id, signal, random.stream(`${signal} ${id}`));
      }
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** What status says now. */
  look(instances: readonly Instance[]): void {
    this.#known = new Map(instances.map((one) => [one.id, one]));
  }

  /** Whether it takes traffic and can. */
  works({ state, pid }: Instance): boolean {
    return state === "up" && pid !== null && !this.#struck.has(pid);
  }

  #next(id: string, signal: Signal, random: Random): void {
    const gapMs = -Math.log(1 - random.ratio()) * signals[signal];
    this.#timers.set(
      `${signal} ${id}`,
      setTimeout(() => {
        this.#strike(id, signal);
        this.#next(id, signal, random);
      }, gapMs),
    );
  }

  #strike(id: string, signal: Signal): void {
    const known = this.#known.get(id);
    const pid = known?.pid ?? 0;
    const isReady = known?.state === "up" || known?.state === "standby";
    if (pid === 0 || !isReady || this.#struck.has(pid)) return;
    this.#struck.add(pid);
    try {
      process.kill(pid, signal);
      this.count++;
    } catch {
      // It has ended a moment ago; status will say so.
    }
  }
}
