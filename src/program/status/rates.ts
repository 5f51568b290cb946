// Requests a second and latencies of the last ten seconds, out of counters that only grow.
//
// A sample of the gateway's totals is kept each second, eleven of them; the newest less the oldest
// is the window. Totals, not events, so a lost report costs nothing. A counter that went back (a
// gateway was replaced behind our back) gives an empty window, never a negative rate.

import type { ServiceStats } from "../../core/measure/gateway-stats.ts";
import { quantileMs } from "../../core/measure/histogram.ts";

export interface Rates {
  readonly requestsPerSecond: number;
  readonly errorsPerSecond: number;
  /** Undefined when nothing was answered in the window. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

interface Sample {
  readonly atMs: number;
  readonly services: ReadonlyMap<string, ServiceStats>;
}

const WINDOW_SAMPLES = 11;
/** Samples closer than this are left out, so that whoever asks often does not shrink the window. */
export const SAMPLE_INTERVAL_MS = 1000;

/** Answers 5xx of the instances, and answers of our own making in their stead. */
export function errorsOf(service: ServiceStats): number {
  let errors = service.refused;
  for (const instance of service.instances) errors += instance.answers[4] ?? 0;
  return errors;
}

export class RateWindow {
  readonly #samples: Sample[] = [];

  add(nowMs: number, services: readonly ServiceStats[]): void {
    this.#samples.push({ atMs: nowMs, services: new Map(services.map((one) => [one.name, one])) });
    if (this.#samples.length > WINDOW_SAMPLES) this.#samples.shift();
  }

  /** Rates of a service between the oldest sample and `now`'s totals. */
  service(now: ServiceStats | undefined, nowMs: number): Rates {
    const oldest = now === undefined ? undefined : this.#oldestOf(now.name, nowMs);
    const before = now === undefined ? undefined : oldest?.services.get(now.name);
    if (now === undefined || oldest === undefined || before === undefined) return nothing;
    const seconds = (nowMs - oldest.atMs) / 1000;
    const latency = now.latency.map((count, bucket) => count - (before.latency[bucket] ?? 0));
    if (now.requests < before.requests || latency.some((count) => count < 0)) return nothing;
    return {
      requestsPerSecond: (now.requests - before.requests) / seconds,
      errorsPerSecond: Math.max(0, errorsOf(now) - errorsOf(before)) / seconds,
      p50Ms: quantileMs(latency, 0.5),
      p99Ms: quantileMs(latency, 0.99),
    };
  }

  /** Attempts a second on one instance. */
  instance(now: ServiceStats | undefined, id: string, nowMs: number): number {
    const oldest = now === undefined ? undefined : this.#oldestOf(now.name, nowMs);
    if (now === undefined || oldest === undefined) return 0;
    const before = attempts(oldest.services.get(now.name), id);
    const grown = attempts(now, id) - before;
    return grown <= 0 ? 0 : grown / ((nowMs - oldest.atMs) / 1000);
  }

  /** A sample from before the first report of a gateway that serves already would show its whole
   * past as one second's work. */
  #oldestOf(service: string, nowMs: number): Sample | undefined {
    return this.#samples.find(({ atMs, services }) => atMs < nowMs && services.has(service));
  }
}

const nothing: Rates = {
  requestsPerSecond: 0,
  errorsPerSecond: 0,
  p50Ms: undefined,
  p99Ms: undefined,
};

function attempts(service: ServiceStats | undefined, id: string): number {
  return service?.instances.find((instance) => instance.id === id)?.requests ?? 0;
}
