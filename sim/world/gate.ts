// The life of one of our own processes (control, a gateway worker), as whatever calls into it sees
// it.
//
// Everything that reaches the code of a simulated process goes through its gate: timers, messages,
// results, notices. A stopped process (SIGSTOP) hears nothing until it goes on, then all of it in
// order; an ended one never hears anything again, although its objects are still in memory here.

import type { EventLoop } from "./event-loop.ts";

export type GateState = "running" | "stopped" | "ended";

export class Gate {
  state: GateState = "running";
  /** Since when it has run without a pause, in true time. */
  runningSinceMs: number;
  readonly #loop: EventLoop;
  readonly #usesPromises: boolean;
  #held: (() => void)[] = [];

  constructor(loop: EventLoop, usesPromises: boolean) {
    this.#loop = loop;
    this.#usesPromises = usesPromises;
    this.runningSinceMs = loop.nowMs;
  }

  enter(run: () => void): void {
    if (this.state === "ended") return;
    if (this.state === "stopped") {
      this.#held.push(run);
      return;
    }
    if (this.#usesPromises) this.#loop.settle();
    run();
  }

  stop(): void {
    if (this.state === "running") this.state = "stopped";
  }

  goOn(): void {
    if (this.state !== "stopped") return;
    this.state = "running";
    this.runningSinceMs = this.#loop.nowMs;
    // Each in a task of its own: a real process would drain its promises between them as well.
    for (const run of this.#held) this.#loop.after(0, () => this.enter(run));
    this.#held = [];
  }

  end(): void {
    this.state = "ended";
    this.#held = [];
  }
}
