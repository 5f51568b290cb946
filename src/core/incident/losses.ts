// From what workers count to what clients lost: differences of cumulative counters, a report after
// another, each worker for itself.
//
// The first report of a worker counts nothing: it may have served for hours under another control.
// Slow is an answer of max(200 ms, 10 times the typical one) or more, rounded up to a bucket's
// limit (at most 12.5%); typical is the median of the service's answers, with a half-life of a
// minute, and learns nothing while something is wrong, so that a long trouble does not become the
// measure. It comes from the latency histogram, which costs the workers nothing more.

import type { ServiceStats, WorkerStats } from "../measure/gateway-stats.ts";
import { bucketLimitMs, bucketOf, HISTOGRAM_BUCKETS, quantileMs } from "../measure/histogram.ts";
import { addLosses } from "./fold.ts";
import { type Losses, nothingLost } from "./incident.ts";

const slowLeastMs = 200;
const slowFactor = 10;
const halfLifeMs = 60_000;
/** What happens at once is judged together, of all workers. */
const windowMs = 1_000;
/** A burst of answers 5xx: so many in the window, and this share of all. */
const serverErrorsLeast = 5;
const serverErrorsRatio = 0.1;
const slowAnswersLeast = 5;
const slowAnswersRatio = 0.5;

export interface ServiceLosses {
  readonly service: string;
  /** They fall between these. */
  readonly fromMs: number;
  readonly atMs: number;
  readonly losses: Losses;
  /** Whether they are trouble by themselves: a loss always, 5xx and slow answers in bursts. */
  readonly notable: boolean;
}

interface Known {
  atMs: number;
  readonly services: readonly ServiceStats[];
}

interface Count {
  readonly fromMs: number;
  readonly atMs: number;
  readonly losses: Losses;
  isTold: boolean;
}

interface Window {
  /** Of the last second. */
  readonly counts: Count[];
  /** Answers by bucket, of better times. */
  readonly typical: Float64Array;
  halvedMs: number;
}

export class LossCounter {
  readonly #workers = new Map<number, Known>();
  readonly #windows = new Map<string, Window>();

  /**
   * What this report adds. `isTroubled` services teach nothing of what is typical, and all of theirs
   * is told; of others what is notable. What was lost in the second before comes with it.
   */
  report(
    stats: WorkerStats,
    nowMs: number,
    isTroubled: (service: string) => boolean,
  ): readonly ServiceLosses[] {
    const known = this.#workers.get(stats.pid);
    const { services } = stats;
    if (known?.services === services) {
      known.atMs = nowMs;
      return [];
    }
    this.#workers.set(stats.pid, { atMs: nowMs, services });
    if (known === undefined) return [];
    const found: ServiceLosses[] = [];
    for (let index = 0; index < services.length; index++) {
      const service = services[index] as ServiceStats;
      const before = serviceOf(known, service.name, index);
      if (before === service) continue;
      if (before === undefined || service.requests < before.requests) continue;
      const troubled = isTroubled(service.name);
      const window = this.#window(service.name, nowMs);
      const losses = this.#difference(before, service, window, !troubled);
      if (losses === nothingLost) continue;
      window.counts.push({ fromMs: known.atMs, atMs: nowMs, losses, isTold: false });
      const notable = isNotable(losses, window, nowMs);
      if (!troubled && !notable) continue;
      const untold = window.counts.filter(
        (one) => !one.isTold && (one.losses === losses || isLoss(one)),
      );
      for (const one of window.counts) one.isTold = true;
      found.push({
        service: service.name,
        fromMs: Math.min(...untold.map(({ fromMs }) => fromMs)),
        atMs: nowMs,
        losses: untold.reduce((sum, one) => addLosses(sum, one.losses), nothingLost),
        notable,
      });
    }
    return found;
  }

  /** Workers that have ended are forgotten: their process numbers come again. */
  retain(pids: readonly number[]): void {
    for (const pid of this.#workers.keys()) if (!pids.includes(pid)) this.#workers.delete(pid);
  }

  slowLimitMs(service: string): number {
    const window = this.#windows.get(service);
    return window === undefined ? slowLeastMs : bucketLimitMs(slowFrom(window) - 1);
  }

  #window(service: string, nowMs: number): Window {
    let window = this.#windows.get(service);
    if (window === undefined) {
      window = { counts: [], typical: new Float64Array(HISTOGRAM_BUCKETS), halvedMs: nowMs };
      this.#windows.set(service, window);
    }
    const halvings = Math.floor((nowMs - window.halvedMs) / halfLifeMs);
    if (halvings < 1) return window;
    window.halvedMs += halvings * halfLifeMs;
    const left = 0.5 ** halvings;
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
      window.typical[bucket] = (window.typical[bucket] ?? 0) * left;
    }
    return window;
  }

  #difference(before: ServiceStats, after: ServiceStats, window: Window, learns: boolean): Losses {
    const from = slowFrom(window);
    let slow = 0;
    let worst = -1;
    let requests = 0;
    const [now, then] = [after.latency, before.latency];
    for (let bucket = 0; bucket < now.length; bucket++) {
      const more = (now[bucket] ?? 0) - (then[bucket] ?? 0);
      if (more <= 0) continue;
      requests += more;
      worst = bucket;
      if (bucket >= from) slow += more;
      if (learns) window.typical[bucket] = (window.typical[bucket] ?? 0) + more;
    }
    const lost = Math.max(0, after.lost - before.lost);
    const serverErrors = Math.max(0, after.serverErrors - before.serverErrors);
    if (requests === 0 && lost === 0 && serverErrors === 0) return nothingLost;
    const worstMs = worst < 0 ? 0 : bucketLimitMs(worst);
    return { lost, serverErrors, slow, worstMs, requests };
  }
}

/** Reports keep their order, but when the file changes. */
function serviceOf({ services }: Known, name: string, index: number): ServiceStats | undefined {
  const there = services[index];
  return there?.name === name ? there : services.find((one) => one.name === name);
}

/** The first bucket of which all is slow. */
function slowFrom({ typical }: Window): number {
  const typicalMs = quantileMs(typical, 0.5) ?? 0;
  const from = bucketOf(Math.max(slowLeastMs, slowFactor * typicalMs));
  return Math.min(from + 1, HISTOGRAM_BUCKETS - 1);
}

function isLoss({ losses }: Count): boolean {
  return losses.lost + losses.serverErrors + losses.slow > 0;
}

function isNotable(losses: Losses, window: Window, nowMs: number): boolean {
  while ((window.counts[0]?.atMs ?? nowMs) <= nowMs - windowMs) window.counts.shift();
  if (losses.lost > 0) return true;
  const recent = window.counts.reduce((sum, one) => addLosses(sum, one.losses), nothingLost);
  const { serverErrors, slow, requests } = recent;
  const failing = serverErrors >= serverErrorsLeast && serverErrors >= serverErrorsRatio * requests;
  const crawling = slow >= slowAnswersLeast && slow >= slowAnswersRatio * requests;
  return (failing && losses.serverErrors > 0) || (crawling && losses.slow > 0);
}
