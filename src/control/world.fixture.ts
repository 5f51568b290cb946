// A small world for control's tests: a clock that a test turns by hand, and programs that do what
// the test says. Processes, ports and records outlive a control, as the real ones do. The simulator
// in sim/ is the full one; this one is for a test of one promise at a time.

import type { CommandService, Config, EndpointService, GatewayConfig } from "../config/config.ts";
import { plainFailover } from "../core/failover/settings.ts";
import { assert, present } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import { createPrng } from "../core/base/prng.ts";
import { defaultDeploy } from "../core/deploy/settings.ts";
import {
  defaultDetection,
  defaultHedge,
  type InstanceVerdict,
  type RoutingTable,
  plainRule,
} from "../core/route/table.ts";
import type { Incident } from "../core/incident/incident.ts";
import {
  quietInstance,
  quietService,
  quietWorker,
  type WorkerStats,
} from "../core/measure/gateway-stats.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { EventEntry } from "../ports/events.ts";
import type { History } from "../ports/history.ts";
import type {
  ExitReport,
  ProcessIdentity,
  Processes,
  RunningProcess,
  StartRequest,
} from "../ports/processes.ts";
import type { Agents } from "../ports/agents.ts";
import type { ProbeRequest, ProbeResult, Probes, ProbeTarget } from "../ports/probe.ts";
import type { Records } from "../ports/records.ts";
import type { WorkerReports } from "../ports/worker-reports.ts";
import type { AnswerCounts } from "../ports/traffic.ts";
import { type Control, type ControlPorts, createControl } from "./control.ts";
import type { InstanceRecord } from "./registry/registry.ts";

/** What a program does once it is started; read at each start. */
export interface Behaviour {
  /** Answers checks this long after its start; undefined never. */
  readonly readyAfterMs?: number | undefined;
  /** Ends by itself. */
  readonly exitsAfterMs?: number;
  readonly exitCode?: number;
  /** Ends this long after SIGTERM; undefined ignores it. */
  readonly endsAfterTermMs?: number | undefined;
  /** SIGKILL does not reach it. */
  readonly unkillable?: boolean;
  /** The start is refused with this code. */
  readonly refused?: "NINES_PROCESS_NOT_FOUND";
  readonly memoryEnforced?: boolean;
}

export interface FakeProcess {
  readonly pid: number;
  readonly identity: ProcessIdentity;
  readonly request: StartRequest;
  readonly port: number;
  readonly startedAtMs: number;
  behaviour: Behaviour;
  alive: boolean;
  endedBy: ExitReport["kind"] | undefined;
  residentBytes: number;
  readonly signals: string[];
  /** Of the control that watches it; undefined while none does. */
  watcher: ((report: ExitReport) => void) | undefined;
  adopted: boolean;
}

/** One control process: nothing of it happens, or is heard, after its death. */
interface ControlProcess {
  dead: boolean;
}

/** A start has its port next, its program next, or is recorded and not yet reported. */
export type StartMoment = "port" | "program" | "announced";

interface Task {
  /** Undefined: the world's own. */
  readonly owner: ControlProcess | undefined;
  atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

interface WorkerSays {
  readonly requests?: Readonly<Record<string, number>>;
  readonly ejected?: readonly string[];
  readonly lost?: number;
  readonly tableVersion?: number;
  readonly loopDelayMs?: number;
}

/** A report of a worker that knows web's instances. */
export function workerReport(pid: number, says: WorkerSays): WorkerStats {
  const ids = ["web-1", "web-2", "web-3"];
  const instances = ids.map((id) => ({
    ...quietInstance,
    id,
    requests: says.requests?.[id] ?? 0,
    ejected: says.ejected?.includes(id) ?? false,
  }));
  const { tableVersion = 0, loopDelayMs = 0, lost = 0 } = says;
  const services = [{ ...quietService, name: "web", lost, instances }];
  return { ...quietWorker, worker: pid, pid, tableVersion, loopDelayMs, services };
}

/** Workers that say what a test makes them say. */
export class FakeWorkers implements WorkerReports {
  readonly #linked = new Map<number, WorkerStats>();
  readonly #listeners = new Set<(stats: WorkerStats) => void>();

  onReport(listener: (stats: WorkerStats) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  linkedWorkers(): readonly number[] {
    return [...this.#linked.keys()];
  }

  report(stats: WorkerStats): void {
    this.#linked.set(stats.pid, stats);
    for (const listener of this.#listeners) listener(stats);
  }
}

export class World {
  nowMs = 1_000;
  readonly events: EventEntry[] = [];
  readonly tables: RoutingTable[] = [];
  readonly processes: FakeProcess[] = [];
  readonly kept = new Map<string, string>();
  /** By instance; the default serves at once and ends when told. */
  readonly behaviours = new Map<string, Behaviour>();
  /** Addresses of endpoints that answer. */
  readonly answering = new Set<string>();
  readonly busy = new Set<string>();
  /** Incidents that controls have kept. */
  readonly history = new Map<string, Incident>();
  /** The gateway's workers, as far as they report. */
  readonly workers = new FakeWorkers();
  /** What the gateway counted, by instance. */
  readonly counts = new Map<string, AnswerCounts>();
  diskRefuses = false;
  /** A worker lives that control does not hear. */
  strayWorker = false;
  /** Control dies at its nth write from now, before it is done; 0: it does not. */
  killAtWrite = 0;
  /** Called in the middle of each start, which waits for it. */
  onStart: ((moment: StartMoment) => void | Promise<void>) | undefined;
  /** Called before and after each record is written. */
  onWrite: (() => void) | undefined;
  probesBegun = 0;
  probesUnderWay = 0;
  /** Of these, the ones that nothing will answer. */
  silentUnderWay = 0;
  readonly #tasks = new Set<Task>();
  #sequence = 0;
  #pids = 100;
  #terms = 0;
  readonly #given = new Set<number>();

  #control: ControlProcess = { dead: false };

  /** A control over this world; several may follow one another. */
  control(seed = 1): Control {
    return createControl(this.ports(seed));
  }

  ports(seed = 1): ControlPorts {
    const control: ControlProcess = { dead: false };
    this.#control = control;
    return {
      term: ++this.#terms,
      clock: this.#clock(control),
      random: createPrng(seed),
      processes: this.#processes(control),
      probes: this.#probes(control),
      agents: this.#agents(control),
      records: this.#records(control),
      events: { record: (entry) => void (control.dead || this.events.push(entry)) },
      routingTables: { publish: (table) => void (control.dead || this.tables.push(table)) },
      traffic: {
        isIdle: (instance, version) => this.#isIdle(instance, version),
        isFenced: (instance, version) =>
          !control.dead && !this.strayWorker && this.#isIdle(instance, version),
        counts: () => this.counts,
      },
      heartbeats: {
        environmentOf: ({ file }) => ({ NINES_HEARTBEAT_FILE: file }),
        listen: ({ instance }, heard) => {
          this.listeners.set(instance, heard);
          return { [Symbol.dispose]: () => void this.listeners.delete(instance) };
        },
      },
      workerReports: this.workers,
      history: this.#history(control),
      freePorts: {
        find: async (preferred, taken) => {
          await this.#moment("port");
          return control.dead ? never() : this.#port(preferred, taken);
        },
      },
      baseEnvironment: { PATH: "/bin" },
      logFileOf: (instance) => `/logs/${instance}.log`,
      dataFolderOf: (instance) => `/data/${instance}`,
    };
  }

  /** Runs everything that is due within `forMs`, in order. */
  async advance(forMs: number): Promise<void> {
    const untilMs = this.nowMs + forMs;
    await settle();
    for (let task = this.#due(untilMs); task !== undefined; task = this.#due(untilMs)) {
      this.#tasks.delete(task);
      this.nowMs = Math.max(this.nowMs, task.atMs);
      task.run();
      await settle();
    }
    this.nowMs = untilMs;
  }

  /** Advances in small steps until it holds; fails after `withinMs`. */
  async until(holds: () => boolean, withinMs = 60_000): Promise<void> {
    const lastMs = this.nowMs + withinMs;
    while (!holds()) {
      assert(this.nowMs < lastMs, `it holds within ${withinMs} ms`);
      await this.advance(5);
    }
  }

  /** `kill -9` of control: its timers and watches are gone, nothing else is. */
  killControl(): void {
    this.#control.dead = true;
    for (const task of this.#tasks) if (task.owner !== undefined) this.#tasks.delete(task);
    for (const process of this.processes) process.watcher = undefined;
  }

  /** SIGSTOP and SIGCONT: the world goes on, control hears of all of it at the end. */
  async stopControlFor(stoppedMs: number): Promise<void> {
    const untilMs = this.nowMs + stoppedMs;
    for (const task of this.#tasks) {
      if (task.owner === undefined || task.atMs >= untilMs) continue;
      task.atMs = untilMs;
    }
    await this.advance(stoppedMs);
  }

  alive(instance: string): readonly FakeProcess[] {
    return this.processes.filter((one) => one.alive && one.request.name === instance);
  }

  process(instance: string): FakeProcess {
    return present(this.alive(instance)[0], `a process of ${instance}`);
  }

  starts(instance: string): readonly FakeProcess[] {
    return this.processes.filter((one) => one.request.name === instance);
  }

  crash(instance: string, report: ExitReport = { kind: "exited", code: 1 }): void {
    this.#end(this.process(instance), report);
  }

  verdict(instance: string): InstanceVerdict | undefined {
    const services = this.tables.at(-1)?.services ?? [];
    return services.flatMap((one) => one.instances).find((one) => one.id === instance)?.verdict;
  }

  sentences(instance?: string): readonly string[] {
    const own = this.events.filter((one) => instance === undefined || one.instance === instance);
    return own.map((one) => one.sentence);
  }

  /** Timers and watches that are still there: none, once control was released. */
  get leftovers(): number {
    const watched = this.processes.filter((process) => process.watcher !== undefined);
    return [...this.#tasks].filter((task) => task.owner !== undefined).length + watched.length;
  }

  #due(untilMs: number): Task | undefined {
    let first: Task | undefined;
    for (const task of this.#tasks) {
      if (task.atMs > untilMs) continue;
      const earlier = first === undefined || task.atMs < first.atMs;
      if (earlier || (task.atMs === first?.atMs && task.sequence < first.sequence)) first = task;
    }
    return first;
  }

  /** Whoever asks must have taken the instance out first: else "idle" means nothing. */
  #isIdle(instance: string, version: number): boolean {
    const table = this.tables.find((one) => one.version === version);
    const listed = table?.services.flatMap((one) => one.instances) ?? [];
    const verdict = listed.find((one) => one.id === instance)?.verdict ?? "draining";
    const out = verdict === "draining" || verdict === "standby";
    assert(table !== undefined && out, `version ${version} takes ${instance} out`);
    return !this.busy.has(instance);
  }

  #port(preferred: number, taken: ReadonlySet<number>): number {
    let port = preferred > 0 ? preferred : 20_001;
    const held = new Set(this.processes.filter((one) => one.alive).map((one) => one.port));
    while (taken.has(port) || held.has(port) || (port !== preferred && this.#given.has(port)))
      port++;
    this.#given.add(port);
    return port;
  }

  /** Where a start waits for the world. */
  async #moment(moment: StartMoment): Promise<void> {
    await Promise.resolve();
    await this.onStart?.(moment);
  }

  #after(owner: ControlProcess | undefined, delayMs: number, run: () => void): Timer {
    assert(delayMs >= 0, "a delay is not negative");
    const task = { owner, atMs: this.nowMs + delayMs, sequence: this.#sequence++, run };
    if (owner?.dead !== true) this.#tasks.add(task);
    return { [Symbol.dispose]: () => void this.#tasks.delete(task) };
  }

  #clock(control: ControlProcess): Clock {
    return {
      monotonicMs: () => this.nowMs,
      wallMs: () => 1_700_000_000_000 + this.nowMs,
      after: (delayMs, run) => this.#after(control, delayMs, run),
    };
  }

  #history(control: ControlProcess): History {
    return {
      keep: (incident) => void (control.dead || this.history.set(incident.id, incident)),
      incidents: () => [...this.history.values()],
      whenRestored: (run) => {
        const kept = [...this.history.values()];
        this.#after(control, 0, () => run(kept));
      },
    };
  }

  #records(control: ControlProcess): Records {
    return {
      read: (key) => {
        const text = this.kept.get(key);
        return text === undefined ? undefined : (JSON.parse(text) as unknown);
      },
      list: (prefix) => [...this.kept.keys()].filter((key) => key.startsWith(prefix)).sort(),
      write: (key, value) => {
        if (this.killAtWrite > 0 && --this.killAtWrite === 0) this.killControl();
        if (control.dead) return;
        this.onWrite?.();
        if (control.dead) return;
        if (this.diskRefuses) throw new NinesError("NINES_STATE_WRITE", "The disk is full.");
        this.kept.set(key, JSON.stringify(value));
        this.onWrite?.();
      },
      remove: (key) => void (control.dead || this.kept.delete(key)),
    };
  }

  #processes(control: ControlProcess): Processes {
    return {
      start: async (request) => {
        await this.#moment("program");
        if (control.dead) return never();
        const behaviour = this.behaviours.get(request.name) ?? {};
        if (behaviour.refused !== undefined) {
          const what = `The program "${request.command[0]}" is not there.`;
          throw new NinesError(behaviour.refused, what);
        }
        const process = this.#process(request, behaviour);
        request.announce?.(process.identity);
        // Killed over the announcement: what was forked ends with its maker.
        if (control.dead) return never();
        this.processes.push(process);
        this.#live(process);
        await this.#moment("announced");
        if (control.dead) return never();
        return this.#running(process, control);
      },
      adopt: (identity) => {
        const process = this.processes.find((one) => one.alive && one.pid === identity.pid);
        if (process === undefined || process.identity.startTime !== identity.startTime) return;
        process.adopted = true;
        return this.#running(process, control);
      },
    };
  }

  #process(request: StartRequest, behaviour: Behaviour): FakeProcess {
    const pid = this.#pids++;
    return {
      pid,
      identity: { pid, startTime: `boot ${this.nowMs}` },
      request,
      port: Number(request.environment["PORT"]),
      startedAtMs: this.nowMs,
      behaviour,
      alive: true,
      endedBy: undefined,
      residentBytes: 0,
      signals: [],
      watcher: undefined,
      adopted: false,
    };
  }

  #live(process: FakeProcess): void {
    const { exitsAfterMs, exitCode } = process.behaviour;
    if (exitsAfterMs === undefined) return;
    const report = { kind: "exited", code: exitCode ?? 1 } as const;
    this.#after(undefined, exitsAfterMs, () => this.#end(process, report));
  }

  #end(process: FakeProcess, report: ExitReport): void {
    if (!process.alive) return;
    process.alive = false;
    process.endedBy = report.kind;
    const watcher = process.watcher;
    process.watcher = undefined;
    watcher?.(process.adopted ? { kind: "unknown" } : report);
  }

  #running(process: FakeProcess, control: ControlProcess): RunningProcess {
    return {
      identity: process.identity,
      memoryEnforced: process.behaviour.memoryEnforced ?? false,
      onExit: (listener) => {
        if (!control.dead) process.watcher = listener;
      },
      signal: (signal) => !control.dead && this.#signal(process, signal),
      residentBytes: () => (process.alive ? process.residentBytes : undefined),
      release: () => {
        process.watcher = undefined;
      },
    };
  }

  #signal(process: FakeProcess, signal: "SIGTERM" | "SIGKILL"): boolean {
    process.signals.push(signal);
    if (!process.alive) return false;
    const ended = { kind: "signalled", signal, outOfMemory: false } as const;
    const { behaviour } = process;
    if (signal === "SIGKILL") {
      if (behaviour.unkillable !== true) this.#after(undefined, 1, () => this.#end(process, ended));
      return true;
    }
    const ignores = "endsAfterTermMs" in behaviour && behaviour.endsAfterTermMs === undefined;
    if (ignores) return true;
    const report = { kind: "exited", code: 0 } as const;
    this.#after(undefined, behaviour.endsAfterTermMs ?? 5, () => this.#end(process, report));
    return true;
  }

  #probes(control: ControlProcess): Probes {
    return {
      probe: (target, request) => {
        this.probesBegun++;
        this.probesUnderWay++;
        return new Promise((resolve) => {
          const { delayMs, result } = this.#probe(target, request);
          if (result.silent === true) this.silentUnderWay++;
          this.#after(control, delayMs, () => {
            if (result.silent === true) this.silentUnderWay--;
            this.probesUnderWay--;
            resolve(result);
          });
        });
      },
    };
  }

  /** What the agents say, by address; nobody listens at the others. */
  readonly agents = new Map<string, string>();
  agentDelayMs = 1;
  /** What they were sent. */
  readonly agentsSent: string[] = [];

  #agents(control: ControlProcess): Agents {
    return {
      ask: ({ host, port }, { send }) =>
        new Promise((resolve) => {
          this.agentsSent.push(send);
          const line = this.agents.get(`${host}:${port}`);
          const nobody = { outcome: "unreachable", text: "connection refused" } as const;
          this.#after(control, this.agentDelayMs, () =>
            resolve(line === undefined ? nobody : { outcome: "said", text: line }),
          );
        }),
    };
  }

  #probe(
    { host, port }: ProbeTarget,
    request: ProbeRequest,
  ): { readonly delayMs: number; readonly result: ProbeResult } {
    const process = this.processes.find((one) => one.alive && one.port === port);
    const readyAfterMs =
      process !== undefined && "readyAfterMs" in process.behaviour
        ? process.behaviour.readyAfterMs
        : 0;
    if (this.hung.has(process?.request.name ?? `${host}:${port}`)) {
      const detail = `no answer in ${request.timeoutMs} ms`;
      const result = { passed: false, detail, latencyMs: request.timeoutMs, silent: true } as const;
      return { delayMs: request.timeoutMs, result };
    }
    const serves =
      process !== undefined &&
      readyAfterMs !== undefined &&
      this.nowMs >= process.startedAtMs + readyAfterMs;
    const passed = serves || this.answering.has(`${host}:${port}`);
    const detail = passed ? "answered 200" : "connection refused";
    const latencyMs = this.latencyMs(process?.request.name ?? `${host}:${port}`);
    return { delayMs: 1, result: { passed, detail, latencyMs } };
  }

  /** What a passed check says it took. */
  latencyMs: (instance: string) => number = () => 1;

  /** Who listens for heartbeats, by instance. */
  readonly listeners = new Map<string, () => void>();

  /** Instances, or addresses of endpoints, that take a connection and say nothing. */
  readonly hung = new Set<string>();
}

/** What a dead control gets. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Lets everything happen that waits for no time. */
async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

export function commandService(
  name: string,
  fields: Partial<Omit<CommandService, "kind" | "name">> = {},
): CommandService {
  return {
    kind: "command",
    name,
    command: ["node", "server.js"],
    replicas: { min: 3, max: 6 },
    health: {
      check: { kind: "tcp" },
      intervalMs: 1_000,
      timeoutMs: 500,
      fall: 3,
      rise: 2,
      fastIntervalMs: 250,
      downIntervalMs: 1_000,
      initialState: "unchecked",
    },
    dependsOn: [],
    maxConnections: 0,
    queueLength: 100,
    detection: defaultDetection,
    slowStartMs: 0,
    overProvision: 0,
    failover: plainFailover,
    workingDirectory: "/srv",
    environment: {},
    limits: { memoryBytes: 0, openFiles: 0 },
    restart: {
      backoffMs: 200,
      backoffMaxMs: 30_000,
      resetAfterMs: 10_000,
      crashLoopCount: 5,
      crashLoopWithinMs: 60_000,
      unhealthyAfterMs: 10_000,
    },
    startTimeoutMs: 30_000,
    stopGraceMs: 5_000,
    logs: { rotateBytes: 1_000_000, keep: 1 },
    deploy: defaultDeploy,
    portBase: 0,
    ...fields,
  };
}

export function endpointService(name: string, addresses: readonly string[]): EndpointService {
  const { health } = commandService(name);
  const endpoints = addresses.map((address) => {
    const [host = "", port = ""] = address.split(":");
    return { host, port: Number(port), weight: 1, backup: false, zone: "" };
  });
  return {
    kind: "endpoints",
    name,
    health,
    dependsOn: [],
    maxConnections: 0,
    queueLength: 100,
    detection: defaultDetection,
    slowStartMs: 0,
    overProvision: 0,
    failover: plainFailover,
    endpoints,
  };
}

const gateway: GatewayConfig = {
  workers: 2,
  listen: [{ host: "0.0.0.0", port: 8080, protocol: "http" }],
  routes: [],
  balance: plainRule("least-request"),
  retry: { attempts: 1, budgetRatio: 0.2, budgetPerSecond: 10, replayBytes: 65_536 },
  hedge: defaultHedge,
  timeouts: {
    connectMs: 1_000,
    headMs: 10_000,
    idleMs: 60_000,
    keepAliveMs: 60_000,
    queueMs: 1_000,
    responseMs: 15_000,
    tunnelMs: 3_600_000,
  },
  limits: {
    headBytes: 16_384,
    headerCount: 100,
    targetBytes: 8_192,
    connections: 10_000,
    connectionsPerAddress: 10_000,
    minimumRate: 0,
  },
  drainMs: 10_000,
};

export function configOf(
  services: Config["services"],
  gatewayFields: Partial<GatewayConfig> | "none" = {},
): Config {
  const file = "/srv/nines.yaml";
  if (gatewayFields === "none") return { file, services };
  return { file, services, gateway: { ...gateway, ...gatewayFields } };
}

/** Phases of a service's instances by ordinal, as one word each. */
export function phases(control: Control, service?: string): readonly string[] {
  const own = control.registry
    .instances()
    .filter((record) => service === undefined || record.service === service);
  return own.map((record: InstanceRecord) => record.phase);
}
