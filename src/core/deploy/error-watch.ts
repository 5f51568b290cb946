// What the new and the old version answered since a deploy began, from counters that only say how
// much each instance answered at all.
//
// Intuition: look at the counters again and again, and give what was added to the version that the
// instance runs. An instance keeps its name when it is replaced, and its counters go on: so what
// was added while it did not serve is of the process before, and is nobody's. A counter that went
// back began anew, and starts from there.

import { clearlyWorse, type ErrorCounts, noErrors } from "./compare-errors.ts";

export interface WatchedInstance {
  readonly id: string;
  readonly serving: boolean;
  readonly fresh: boolean;
}

export class ErrorWatch {
  readonly #seen = new Map<string, ErrorCounts>();
  #fresh = noErrors;
  #old = noErrors;

  look(instances: readonly WatchedInstance[], counts: ReadonlyMap<string, ErrorCounts>): void {
    for (const { id, serving, fresh } of instances) {
      const now = counts.get(id);
      const before = this.#seen.get(id);
      if (now === undefined) continue;
      this.#seen.set(id, now);
      if (before === undefined || !serving) continue;
      if (fresh) this.#fresh = grown(this.#fresh, before, now);
      else this.#old = grown(this.#old, before, now);
    }
  }

  /** Why the new version is worse; undefined while that may be chance. */
  verdict(): string | undefined {
    return clearlyWorse(this.#fresh, this.#old);
  }
}

function grown(sum: ErrorCounts, before: ErrorCounts, now: ErrorCounts): ErrorCounts {
  if (now.requests < before.requests || now.errors < before.errors) return sum;
  return {
    requests: sum.requests + now.requests - before.requests,
    errors: sum.errors + now.errors - before.errors,
  };
}
