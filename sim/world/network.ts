// The wires between control, workers and instances: what is cut, how late, how often twice.
//
// Only what can go wrong on one machine and its endpoints is here. TCP never loses or reorders
// bytes of one connection, so "lost" means a probe without an answer, or a link that breaks and
// comes back.

import type { Random } from "../../src/core/base/prng.ts";

export class Network {
  /** Instances that control cannot reach, and those that workers cannot. */
  readonly cutFromControl = new Set<string>();
  readonly cutFromWorkers = new Set<string>();
  /** Workers that cannot reach control. */
  readonly cutWorkers = new Set<number>();
  /** Share of probes that get no answer, and of messages that come twice. */
  probeLossRatio = 0;
  duplicateRatio = 0;
  /** Added to a message, a probe or an exit report, at most. */
  lateMs = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** One way over loopback, or from a process to the kernel and back. */
  delayMs(): number {
    const late = this.lateMs > 0 ? this.#random.ratio() * this.lateMs : 0;
    return 0.05 + this.#random.ratio() * 0.5 + late;
  }

  probeLost(): boolean {
    return this.probeLossRatio > 0 && this.#random.ratio() < this.probeLossRatio;
  }

  duplicated(): boolean {
    return this.duplicateRatio > 0 && this.#random.ratio() < this.duplicateRatio;
  }
}
