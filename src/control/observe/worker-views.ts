// What each linked worker last said of instances: whether it has ejected one, which table it
// follows, and whether it still sends there.

import type { WorkerStats } from "../../core/measure/gateway-stats.ts";
import type { WorkerReports } from "../../ports/worker-reports.ts";
import type { Told } from "../registry/registry.ts";

interface View {
  stats: WorkerStats;
  /** The report before. */
  before: WorkerStats | undefined;
  atMs: number;
  ejected: ReadonlySet<string>;
}

const nobody: ReadonlySet<string> = new Set();
const starvedForMs = 2_000;

export class WorkerViews {
  readonly #reports: WorkerReports;
  readonly #views = new Map<number, View>();
  /** Mostly nobody is, and it is asked of everybody at each report. */
  #isAnyEjected = false;

  constructor(reports: WorkerReports) {
    this.#reports = reports;
  }

  reported(stats: WorkerStats, atMs: number): void {
    const { ejected } = this.#follow(stats, atMs);
    if (this.#isAnyEjected || ejected.size > 0) this.#isAnyEjected = this.#ejectsAny();
    if (this.#views.size === 1) return;
    const linked = this.linked();
    for (const pid of this.#views.keys()) {
      if (pid !== stats.pid && !linked.includes(pid)) this.#views.delete(pid);
    }
  }

  /** In place: most reports of a quiet hour are the ones before. */
  #follow(stats: WorkerStats, atMs: number): View {
    const view = this.#views.get(stats.pid);
    if (view === undefined) {
      const first = { stats, before: undefined, atMs, ejected: ejectedBy(stats) };
      this.#views.set(stats.pid, first);
      return first;
    }
    view.before = view.stats;
    view.atMs = atMs;
    if (view.stats === stats) return view;
    view.stats = stats;
    view.ejected = ejectedBy(stats);
    return view;
  }

  #ejectsAny(): boolean {
    return [...this.#views.values()].some(({ ejected }) => ejected.size > 0);
  }

  get isAnyEjected(): boolean {
    return this.#isAnyEjected;
  }

  linked(): readonly number[] {
    return this.#reports.linkedWorkers();
  }

  /** A link keeps its order: what comes after a notice knows of it. */
  allReportedAfter(sinceMs: number): boolean {
    return this.linked().every((pid) => (this.#views.get(pid)?.atMs ?? sinceMs) > sinceMs);
  }

  isEjected(id: string): boolean {
    if (!this.#isAnyEjected) return false;
    return this.linked().some((pid) => this.#views.get(pid)?.ejected.has(id) === true);
  }

  /**
   * Whether no linked worker sends requests to an instance: it follows a table that says so, has
   * ejected it, or has sent none between two reports, the later one after `sinceMs`.
   */
  avoid(id: string, told: Told | undefined, sinceMs: number): boolean {
    const outFrom = told === undefined || told.verdict === "up" ? undefined : told.version;
    return this.linked().every((pid) => {
      const view = this.#views.get(pid);
      if (view === undefined) return false;
      if (outFrom !== undefined && view.stats.tableVersion >= outFrom) return true;
      return view.ejected.has(id) || (view.atMs > sinceMs && !hasSentTo(id, view));
    });
  }

  /** The largest delay of a worker's event loop that was told lately: a machine short of time. */
  loopDelayMs(nowMs: number): number {
    const recent = [...this.#views.values()].filter(({ atMs }) => nowMs - atMs <= starvedForMs);
    return Math.max(0, ...recent.map(({ stats }) => stats.loopDelayMs));
  }
}

function ejectedBy({ services }: WorkerStats): ReadonlySet<string> {
  let found: Set<string> | undefined;
  for (const { instances } of services) {
    for (const { id, ejected } of instances) if (ejected) (found ??= new Set()).add(id);
  }
  return found ?? nobody;
}

/** Attempts begun since the report before. */
function hasSentTo(id: string, { stats, before }: View): boolean {
  const now = sentTo(id, stats);
  return now !== undefined && now > (sentTo(id, before) ?? now);
}

function sentTo(id: string, stats: WorkerStats | undefined): number | undefined {
  for (const { instances } of stats?.services ?? []) {
    const found = instances.find((one) => one.id === id);
    if (found !== undefined) return found.requests;
  }
  return undefined;
}
