// Ending everything: layer by layer, dependents before what they depend on, so that none of them
// loses its database while it finishes its work.
//
// With a time limit each layer has its share of what is left; past it SIGKILL. SIGKILL cannot be
// refused, but a process that hangs in the kernel takes it late or never: such a one is left behind
// and named, for a stop must end.

import { startLayers, type OrderedService } from "../../core/supervise/start-order.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { Instance } from "./instance.ts";

export interface ShutdownOptions {
  readonly clock: Clock;
  readonly events: Events;
  readonly services: readonly OrderedService[];
  readonly instances: () => readonly Instance[];
  /** Undefined: each layer has its own graces. */
  readonly withinMs: number | undefined;
}

/** What a killed process may take to be gone, before it is left behind. */
const leaveBehindMs = 2_000;

export class Shutdown {
  /** Resolves when nothing is left to wait for. */
  readonly done: Promise<void>;
  readonly #options: ShutdownOptions;
  readonly #endsMs: number | undefined;
  /** Names of services still to end; the last layer is next. Those of no layer go first. */
  readonly #layers: (readonly string[])[];
  #current: readonly Instance[] = [];
  #timer: Timer | undefined;
  #finished = false;
  #resolve: () => void = () => undefined;

  constructor(options: ShutdownOptions) {
    this.#options = options;
    const { withinMs, clock, services } = options;
    this.#endsMs = withinMs === undefined ? undefined : clock.monotonicMs() + withinMs;
    this.#layers = [...startLayers(services)];
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const named = new Set(services.map((service) => service.name));
    this.#begin(options.instances().filter((instance) => !named.has(instance.service)));
  }

  /** Goes on to the next layer when the current one has ended. */
  review(): void {
    while (!this.#finished && this.#current.every((instance) => instance.phase === "stopped")) {
      const layer = this.#layers.pop();
      if (layer === undefined) this.#finish();
      else this.#begin(this.#options.instances().filter((one) => layer.includes(one.service)));
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #begin(instances: readonly Instance[]): void {
    this.#current = instances;
    const cause = "everything is stopped";
    for (const instance of instances) {
      instance.follow(undefined, 0);
      instance.tell({ kind: "stop", cause });
      if (instance.phase === "draining") instance.tell({ kind: "hurry", cause });
    }
    this.#timer?.[Symbol.dispose]();
    if (instances.length === 0) return;
    this.#timer = this.#options.clock.after(this.#layerMs(), () => this.#hurry());
  }

  /** The longest that the current layer may take. */
  #layerMs(): number {
    if (this.#endsMs === undefined) {
      return Math.max(...this.#current.map((instance) => instance.stopGraceMs));
    }
    const leftMs = Math.max(0, this.#endsMs - this.#options.clock.monotonicMs());
    const occupied = this.#layers.filter((layer) =>
      this.#options.instances().some((instance) => layer.includes(instance.service)),
    );
    return leftMs / (occupied.length + 1);
  }

  #hurry(): void {
    for (const instance of this.#current) instance.tell({ kind: "hurry", cause: "time is up" });
    this.#timer = this.#options.clock.after(leaveBehindMs, () => this.#leaveBehind());
  }

  #leaveBehind(): void {
    for (const instance of this.#current.filter((one) => one.phase !== "stopped")) {
      const sentence = `${instance.id} is left behind: it does not end, not even by SIGKILL`;
      this.#options.events.record({ kind: "instance.left-behind", level: "error", sentence });
    }
    this.#current = [];
    this.review();
  }

  #finish(): void {
    this.#finished = true;
    this.#timer?.[Symbol.dispose]();
    this.#resolve();
  }
}
