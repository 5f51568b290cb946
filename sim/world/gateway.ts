// The gateway's processes around the workers: the parent's replacing, the links to control, the
// kept table. Simulated because the real ones are sockets and signals; how they behave is the
// contract in src/gateway/contract.ts, and test/e2e holds the real ones to it.
//
// A link is a stream: nothing in it is lost or overtaken while it holds, but it breaks, and then
// what was on its way is lost. A message may be late, and may come twice (a sender that tries
// again).

import type { Random } from "../../src/core/base/prng.ts";
import { withPromotions } from "../../src/core/failover/kept-promotion.ts";
import type { WorkerStats } from "../../src/core/measure/gateway-stats.ts";
import type { RoutingTable } from "../../src/core/route/table.ts";
import type { Observation } from "../../src/control/control.ts";
import type { Recurring } from "../../src/ports/recurring.ts";
import type { Incarnation } from "./control-host.ts";
import type { EventLoop } from "./event-loop.ts";
import type { Network } from "./network.ts";
import type { StateFiles } from "./state-files.ts";
import { Worker, type WorkerPorts } from "./worker.ts";

/** A worker that hears nothing for so long takes control for dead, as src/gateway/worker does. */
const SILENCE_MS = 2000;
/** Three heartbeats of 200 ms. */
const HUNG_AFTER_MS = 600;
const RECONNECT_MS = 200;
const REPORT_MS = 250;
/** Without any worker for so long, nobody can tell whether an instance is idle. */
const NOBODY_MS = 2000;

export interface GatewayPorts {
  readonly loop: EventLoop;
  readonly network: Network;
  readonly random: Random;
  readonly files: StateFiles;
  /** See WorldOptions.calm: a report that comes every so often is heard as it is made. */
  readonly isCalm: boolean;
  readonly worker: (number: number) => WorkerPorts;
  control(): Incarnation | undefined;
  trace(actor: string, subject: string, what: string): void;
}

export class Gateway {
  workers: Worker[] = [];
  /** The latest table of control. */
  latest: RoutingTable | undefined;
  /** The disk has no room for a table. */
  tableRefused = false;
  /** What a new worker finds on disk. */
  #onDisk: RoutingTable | undefined;
  readonly #ports: GatewayPorts;
  #numbers = 0;
  #linkedLastMs = 0;
  #stops = 0;

  constructor(ports: GatewayPorts) {
    this.#ports = ports;
  }

  /** Starts so many workers; also after a stop. */
  start(count: number): void {
    for (let index = 0; index < count; index++) this.#spawn();
  }

  serving(): readonly Worker[] {
    return this.workers.filter((worker) => worker.gate.state === "running");
  }

  /** Every worker ended at the gateway's stop; nobody is replaced. */
  stop(): void {
    this.#stops++;
    for (const worker of this.workers) worker.kill();
    this.workers = [];
  }

  #spawn(): void {
    const number = ++this.#numbers;
    const records = this.#ports.files.for(() => true);
    const found = this.#onDisk && withPromotions(this.#onDisk, (key) => records.read(key));
    const worker = new Worker(number, this.#ports.worker(number), found?.table);
    this.workers.push(worker);
    const by = found === undefined ? "no table yet" : "the kept table";
    this.#ports.trace(
      `worker-${number}`,
      "",
      [`serves by ${by}`, ...(found?.says ?? [])].join("; "),
    );
    this.#connectSoon(worker);
    this.#reportEvery(worker);
  }

  kill(worker: Worker): void {
    if (worker.gate.state === "ended") return;
    worker.kill();
    this.workers = this.workers.filter((other) => other !== worker);
    this.#ports.trace(`worker-${worker.number}`, "", "killed");
    const startMs = 100 + this.#ports.random.ratio() * 300;
    const stops = this.#stops;
    this.#ports.loop.after(startMs, () => {
      if (stops === this.#stops) this.#spawn();
    });
  }

  /** SIGSTOP: its parent kills and replaces it. */
  hang(worker: Worker): void {
    worker.gate.stop();
    this.#ports.trace(`worker-${worker.number}`, "", "stopped");
    const noticedMs = HUNG_AFTER_MS + this.#ports.random.ratio() * 200;
    this.#ports.loop.after(noticedMs, () => this.kill(worker));
  }

  /** A new table: kept on disk at once, and on its way to each linked worker. */
  publish(table: RoutingTable): void {
    if (this.latest !== undefined && table.version <= this.latest.version) return;
    this.latest = table;
    this.keepTable();
    for (const worker of this.workers) if (worker.linkedSinceMs !== undefined) this.#send(worker);
  }

  /** Control tries again when there is room, as long as it lives. */
  keepTable(): void {
    if (!this.tableRefused && !this.#ports.files.refusing) this.#onDisk = this.latest;
  }

  #send(worker: Worker): void {
    const table = this.latest;
    if (table === undefined) return;
    const { network, loop } = this.#ports;
    const deliver = (): void =>
      worker.gate.enter(() => {
        worker.swap(table);
        this.#report(worker);
      });
    const inLink = (): void => {
      if (worker.linkedSinceMs !== undefined) deliver();
    };
    loop.after(network.delayMs(), inLink);
    if (network.duplicated()) loop.after(network.delayMs(), inLink);
  }

  /** A worker's notice to control. */
  notice(worker: Worker, observation: Observation): void {
    const { network, loop } = this.#ports;
    const control = this.#ports.control();
    if (control === undefined || worker.linkedSinceMs === undefined) return;
    const deliver = (): void => control.enter(() => control.control?.observe(observation));
    loop.after(network.delayMs(), deliver);
    if (network.duplicated()) loop.after(network.delayMs(), deliver);
  }

  /** Workers that control hears, by number. */
  linked(): readonly number[] {
    return this.workers
      .filter((one) => one.linkedSinceMs !== undefined)
      .map(({ number }) => number);
  }

  /** What a worker counted: every 250 ms, and right after a table. */
  #reportEvery(worker: Worker): void {
    const { loop, isCalm } = this.#ports;
    let armedMs = loop.nowMs;
    let [said, saidBefore]: (WorkerStats | undefined)[] = [];
    const recurring: Recurring = {
      // What is told is the difference of two reports.
      atRest: () =>
        said === worker.stats() && said === saidBefore
          ? { everyMs: REPORT_MS, agoMs: loop.nowMs - armedMs }
          : undefined,
      passedOver: (byMs) => void (armedMs += byMs),
    };
    const turn = (): void => {
      if (worker.gate.state === "ended") return;
      armedMs = loop.nowMs;
      saidBefore = said;
      said = worker.stats();
      loop.after(REPORT_MS, turn, recurring);
      if (worker.gate.state !== "running") return;
      if (!isCalm) this.#report(worker);
      else if (worker.linkedSinceMs !== undefined) this.#ports.control()?.reported(said);
    };
    loop.after(REPORT_MS, turn, recurring);
  }

  #report(worker: Worker): void {
    if (worker.linkedSinceMs === undefined) return;
    const { network, loop } = this.#ports;
    const control = this.#ports.control();
    const stats = worker.stats();
    // Nothing in a link is overtaken.
    worker.reportedMs = Math.max(worker.reportedMs, loop.nowMs + network.delayMs());
    loop.after(worker.reportedMs - loop.nowMs, () => control?.reported(stats));
  }

  /** Links that can no longer be break; called when control ended or a wire was cut. */
  unlink(worker: Worker, why: string): void {
    if (worker.linkedSinceMs === undefined) return;
    this.#linkedLastMs = this.#ports.loop.nowMs;
    this.#ports.trace(`worker-${worker.number}`, "control", `link lost: ${why}`);
    worker.gate.enter(() => worker.linked(false));
    this.#connectSoon(worker);
  }

  controlEnded(): void {
    for (const worker of this.workers) this.unlink(worker, "control ended");
  }

  /** Control was stopped: its workers notice by its silence. */
  controlStopped(incarnation: Incarnation): void {
    this.#ports.loop.after(SILENCE_MS, () => {
      if (incarnation.gate.state !== "stopped") return;
      for (const worker of this.workers) this.unlink(worker, "control is silent");
    });
  }

  cut(worker: Worker): void {
    this.#ports.network.cutWorkers.add(worker.number);
    this.unlink(worker, "cut");
  }

  #connectSoon(worker: Worker): void {
    this.#ports.loop.after(RECONNECT_MS * (0.5 + this.#ports.random.ratio()), () => {
      if (worker.gate.state === "ended" || worker.linkedSinceMs !== undefined) return;
      const control = this.#ports.control();
      const cut = this.#ports.network.cutWorkers.has(worker.number);
      if (control?.gate.state === "running" && !cut) this.#link(worker);
      else this.#connectSoon(worker);
    });
  }

  #link(worker: Worker): void {
    this.#ports.trace(`worker-${worker.number}`, "control", "linked");
    worker.gate.enter(() => worker.linked(true));
    this.#send(worker);
  }

  /** See ports/traffic.ts. */
  isIdle(instance: string, version: number): boolean {
    const linked = this.workers.filter((worker) => worker.linkedSinceMs !== undefined);
    if (linked.length === 0) return this.#ports.loop.nowMs - this.#linkedLastMs >= NOBODY_MS;
    return linked.every((worker) => isIdleOn(worker, instance, version));
  }

  /**
   * Of all that live, linked or not: a stopped one says nothing, and goes on by what it has. The
   * real one waits for the table on disk as well. Here a worker may start in between: what keeps it
   * from the primary before is then the kept promotion alone.
   */
  isFenced(instance: string, version: number): boolean {
    const heard = (worker: Worker): boolean =>
      worker.linkedSinceMs !== undefined && worker.gate.state === "running";
    return this.workers.every((worker) => heard(worker) && isIdleOn(worker, instance, version));
  }
}

function isIdleOn(worker: Worker, instance: string, version: number): boolean {
  return (worker.table?.version ?? -1) >= version && worker.active(instance) === 0;
}
