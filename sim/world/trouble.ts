// Which instances a fault is upon now, and until when one was: the excuse that checkers accept for
// an instance that does not serve. Faults of control, of workers and of the disk excuse no
// instance.

import type { EventLoop } from "./event-loop.ts";

export class Trouble {
  readonly #loop: EventLoop;
  readonly #now = new Map<string, number>();
  readonly #untilMs = new Map<string, number>();
  #everywhere = 0;
  #everywhereUntilMs = Number.NEGATIVE_INFINITY;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** A fault is upon the instance until the returned function is called. */
  begin(id: string): () => void {
    this.#now.set(id, (this.#now.get(id) ?? 0) + 1);
    return () => {
      this.#now.set(id, (this.#now.get(id) ?? 1) - 1);
      this.#untilMs.set(id, this.#loop.nowMs);
    };
  }

  beginEverywhere(): () => void {
    this.#everywhere++;
    return () => {
      this.#everywhere--;
      this.#everywhereUntilMs = this.#loop.nowMs;
    };
  }

  /** For how long no fault has been upon the instance; 0 while one is. */
  freeForMs(id: string): number {
    if (this.#everywhere > 0 || (this.#now.get(id) ?? 0) > 0) return 0;
    const untilMs = Math.max(this.#everywhereUntilMs, this.#untilMs.get(id) ?? 0);
    return this.#loop.nowMs - untilMs;
  }
}
