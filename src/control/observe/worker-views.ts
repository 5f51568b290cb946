// What each linked worker last said of instances: whether it has ejected one, which table it
// follows, and whether it still sends there.

import type { InstanceStats, WorkerStats } from "../../core/measure/gateway-stats.ts";
import type { WorkerReports } from "../../ports/worker-reports.ts";
import type { Told } from "../registry/registry.ts";

interface Said {
  readonly instance: InstanceStats;
  /** Attempts begun since the report before. */
  readonly more: number;
}

interface View {
  readonly tableVersion: number;
  readonly atMs: number;
  readonly loopDelayMs: number;
  readonly instances: ReadonlyMap<string, Said>;
}

const starvedForMs = 2_000;

export class WorkerViews {
  readonly #reports: WorkerReports;
  readonly #views = new Map<number, View>();

  constructor(reports: WorkerReports) {
    this.#reports = reports;
  }

  reported(stats: WorkerStats, atMs: number): void {
    const before = this.#views.get(stats.pid);
    const instances = new Map<string, Said>();
    for (const instance of stats.services.flatMap((service) => service.instances)) {
      const known = before?.instances.get(instance.id)?.instance.requests;
      const more = known === undefined ? 0 : Math.max(0, instance.requests - known);
      instances.set(instance.id, { instance, more });
    }
    const { tableVersion, loopDelayMs } = stats;
    this.#views.set(stats.pid, { tableVersion, loopDelayMs, atMs, instances });
    const linked = new Set(this.linked());
    for (const pid of this.#views.keys()) {
      if (pid !== stats.pid && !linked.has(pid)) this.#views.delete(pid);
    }
  }

  linked(): readonly number[] {
    return this.#reports.linkedWorkers();
  }

  /** A link keeps its order: what comes after a notice knows of it. */
  allReportedAfter(sinceMs: number): boolean {
    return this.linked().every((pid) => (this.#views.get(pid)?.atMs ?? sinceMs) > sinceMs);
  }

  isEjected(id: string): boolean {
    return this.linked().some(
      (pid) => this.#views.get(pid)?.instances.get(id)?.instance.ejected === true,
    );
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
      if (outFrom !== undefined && view.tableVersion >= outFrom) return true;
      const said = view.instances.get(id);
      if (said?.instance.ejected === true) return true;
      return view.atMs > sinceMs && (said?.more ?? 0) === 0;
    });
  }

  /** The largest delay of a worker's event loop that was told lately: a machine short of time. */
  loopDelayMs(nowMs: number): number {
    const recent = [...this.#views.values()].filter(({ atMs }) => nowMs - atMs <= starvedForMs);
    return Math.max(0, ...recent.map(({ loopDelayMs }) => loopDelayMs));
  }
}
