// Who waits for an instance: the more important first, and among equals who came first (HAProxy's
// priority classes). It has no end of its own: whoever adds looks at its size first, and may put
// out one who is less important instead.
//
// Rejected: letting those who have waited long pass the more important ones. They have a deadline,
// and under overload everybody would soon have waited long.

import { priorities, type Priority } from "../../core/guard/concurrency-limit.ts";

export interface Waiting {
  readonly priority: Priority;
}

export class WaitingLine<One extends Waiting> {
  size = 0;
  readonly #lines: Readonly<Record<Priority, Set<One>>> = {
    high: new Set(),
    normal: new Set(),
    low: new Set(),
  };

  has(one: One): boolean {
    return this.#lines[one.priority].has(one);
  }

  add(one: One): void {
    const line = this.#lines[one.priority];
    this.size -= line.size;
    line.add(one);
    this.size += line.size;
  }

  delete(one: One): void {
    if (this.#lines[one.priority].delete(one)) this.size--;
  }

  /** In their order, those of one priority each; whoever is being looked at may be deleted. */
  *lines(): Generator<ReadonlySet<One>> {
    for (const priority of priorities) yield this.#lines[priority];
  }

  /** Of the least important who came first, if less important than this: its time is over next. */
  leastBelow(priority: Priority): One | undefined {
    for (const below of priorities.toReversed()) {
      if (below === priority) return undefined;
      for (const one of this.#lines[below]) return one;
    }
    return undefined;
  }
}
