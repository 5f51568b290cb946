// What a worker counts of one route: a few additions a request, in numbers that only grow. What
// goes wrong is counted by its reason as well; that path is rare, or ends a request in any case.

import type { EndingCode } from "../../core/base/reasons.ts";
import type { CountsByReason, RouteStats } from "../../core/measure/gateway-stats.ts";
import { bucketOf, HISTOGRAM_BUCKETS, withoutZeros } from "../../core/measure/histogram.ts";

/** Classes of status: 1xx to 5xx. */
export const CLASSES = 5;

export class RouteCounts {
  readonly name: string;
  readonly service: string;
  /** Let in; what a limit kept out is among the failures only. */
  requests = 0;
  readonly #answers = new Float64Array(CLASSES);
  readonly #failures = new ReasonCounts();
  readonly #latency = new Float64Array(HISTOGRAM_BUCKETS);
  #latencySumMs = 0;

  constructor(name: string, service: string) {
    this.name = name;
    this.service = service;
  }

  /** `status` of the answer that the client has whole, or 0. */
  ended(status: number, code?: EndingCode): void {
    if (status !== 0) {
      const index = Math.floor(status / 100) - 1;
      if (index < CLASSES) this.#answers[index] = (this.#answers[index] as number) + 1;
    }
    if (code !== undefined) this.#failures.add(code);
  }

  measured(latencyMs: number): void {
    const bucket = bucketOf(latencyMs);
    this.#latency[bucket] = (this.#latency[bucket] as number) + 1;
    this.#latencySumMs += latencyMs;
  }

  stats(): RouteStats {
    return {
      name: this.name,
      service: this.service,
      requests: this.requests,
      answers: Array.from(this.#answers),
      failures: this.#failures.all(),
      latency: withoutZeros(this.#latency),
      latencySumMs: this.#latencySumMs,
    };
  }
}

export class ReasonCounts {
  readonly #counts = new Map<string, number>();

  add(code: string): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
  }

  all(): CountsByReason {
    return Object.fromEntries(this.#counts);
  }
}
