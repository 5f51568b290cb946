// When a service begins to shed, and when that is over: one sentence each, out of what its workers
// report.
//
// A burst sheds a few by chance, and at the edge of what a service bears some are shed in one
// second and none in the next. So what is looked at is a window of a second, longer where little is
// asked; shedding begins with one in which a tenth of all was shed, and is over when there has been
// none such for ten seconds. Rejected: an event of each worker (they all shed together), a share of
// all services (one that is well hides another).

import { sayDuration } from "../../core/base/duration.ts";
import type { WorkerStats } from "../../core/measure/gateway-stats.ts";
import type { EventEntry } from "../../ports/events.ts";

/** A window ends with the first look after so many requests, or after the longer time. */
const REQUESTS_MIN = 100;
const WINDOW_MS_MAX = 10_000;
const SHED_RATIO = 0.1;
const CALM_MS = 10_000;

interface Counts {
  requests: number;
  shed: number;
}

interface Watched {
  readonly window: Counts & { fromMs: number };
  /** While it sheds: since when, until when at the last look, and all in that time. */
  episode: (Counts & { readonly sinceMs: number; untilMs: number }) | undefined;
}

export class SheddingNews {
  readonly #services = new Map<string, Watched>();
  /** What was counted before the first of these is not of this second. */
  readonly #heard = new WeakSet<WorkerStats>();
  #lookedMs: number;

  constructor(nowMs: number) {
    this.#lookedMs = nowMs;
  }

  /** `before`: the same worker's last report; the first one only says where it stands. */
  heard(before: WorkerStats | undefined, stats: WorkerStats): void {
    this.#heard.add(stats);
    if (before === undefined || !this.#heard.has(before)) return;
    for (const { name, requests, concurrency } of stats.services) {
      if (concurrency === undefined) continue;
      const known = before.services.find((service) => service.name === name)?.requests ?? 0;
      const { window } = this.#watched(name);
      window.requests += Math.max(0, requests - known);
      window.shed += Math.max(0, shedOf(stats, name) - shedOf(before, name));
    }
  }

  /** About once a second. `limitOf`: requests at once that a service is found to bear now; 0 when no worker is there to say. */
  look(nowMs: number, limitOf: (service: string) => number): readonly EventEntry[] {
    this.#lookedMs = nowMs;
    const told: EventEntry[] = [];
    for (const [name, watched] of this.#services) {
      const { window } = watched;
      const forMs = nowMs - window.fromMs;
      if (window.requests < REQUESTS_MIN && forMs < WINDOW_MS_MAX) continue;
      const event = close(name, watched, nowMs, limitOf(name));
      if (event !== undefined) told.push(event);
      if (window.requests === 0 && watched.episode === undefined) this.#services.delete(name);
      window.fromMs = nowMs;
      window.requests = 0;
      window.shed = 0;
    }
    return told;
  }

  #watched(name: string): Watched {
    const known = this.#services.get(name);
    if (known !== undefined) return known;
    const window = { fromMs: this.#lookedMs, requests: 0, shed: 0 };
    const watched: Watched = { window, episode: undefined };
    this.#services.set(name, watched);
    return watched;
  }
}

/** A window is over. */
function close(
  service: string,
  watched: Watched,
  nowMs: number,
  limit: number,
): EventEntry | undefined {
  const { window, episode } = watched;
  const { fromMs, requests, shed } = window;
  const sheds = shed > 0 && shed >= requests * SHED_RATIO;
  const bears = limit > 0 ? `; it is found to bear ${limit} at once` : "";
  if (episode === undefined) {
    if (!sheds) return undefined;
    watched.episode = { sinceMs: fromMs, untilMs: nowMs, requests, shed };
    const sentence =
      `${service} sheds: of ${requests} requests in ${sayDuration(nowMs - fromMs)} ${shed} were ` +
      `answered 503 OVERLOADED${bears}`;
    return { kind: "gateway.shedding-began", level: "warning", sentence, service };
  }
  episode.requests += requests;
  episode.shed += shed;
  if (sheds) episode.untilMs = nowMs;
  if (nowMs - episode.untilMs < CALM_MS) return undefined;
  watched.episode = undefined;
  const sentence =
    `${service} sheds no more, for ${sayDuration(nowMs - episode.untilMs)} now: of ` +
    `${episode.requests} requests in ${sayDuration(nowMs - episode.sinceMs)} ${episode.shed} were ` +
    `answered 503 OVERLOADED${bears}`;
  return { kind: "gateway.shedding-ended", level: "info", sentence, service };
}

function shedOf({ routes }: WorkerStats, service: string): number {
  return routes.reduce((sum, route) => {
    return sum + (route.service === service ? (route.failures["OVERLOADED"] ?? 0) : 0);
  }, 0);
}
