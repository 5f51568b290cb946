// One simulated machine with everything on it, put together; and what a person may do to it.
//
//   clients ─> workers ─> programs        the data plane, which needs nobody
//                │            │
//              control ───────┘           one incarnation after another, over the same state files
//
// Faults act on the parts, checkers watch them (watcher.ts), the trace keeps what happened.

import { createPrng, type Random } from "../../src/core/base/prng.ts";
import type { CommandService, Config, EndpointService } from "../../src/config/config.ts";
import { present } from "../../src/core/base/assert.ts";
import type { Incident } from "../../src/core/incident/incident.ts";
import { type Outcome, outcome } from "../../src/core/dispatch/dispatcher.ts";
import type { RoutingTable } from "../../src/core/route/table.ts";
import type { AnswerCounts } from "../../src/ports/traffic.ts";
import { versionsInTerm } from "../../src/control/routing/memory.ts";
import type { Plan } from "../plan.ts";
import { Clients } from "./clients.ts";
import { Incarnation } from "./control-host.ts";
import { even, evenIn } from "./even.ts";
import { type Boundary, EventLoop } from "./event-loop.ts";
import { Gateway } from "./gateway.ts";
import { Machine } from "./machine.ts";
import { MachineClock } from "./machine-clock.ts";
import { Network } from "./network.ts";
import { Operator } from "./operator.ts";
import type { Program, ProgramTraits } from "./program.ts";
import { StateFiles } from "./state-files.ts";
import { Trace } from "./trace.ts";
import { Trouble } from "./trouble.ts";
import type { Watcher } from "./watcher.ts";
import type { Worker, WorkerPorts } from "./worker.ts";

/** A promise was broken. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly checker: string;

  constructor(checker: string, what: string) {
    super(`${checker}: ${what}`);
    this.checker = checker;
  }
}

export interface WorldOptions {
  readonly seed: number;
  readonly plan: Plan;
  readonly boundary: Boundary;
  /** Crosses the boundary after every task: slow, and must change nothing. */
  readonly settleAlways?: boolean;
  /**
   * For years: what recurs is even (even.ts), times lie on a grid, and nothing happens but what the
   * caller makes happen: endpoints stay away until he brings them back, nobody looks, and nothing
   * is kept of what happened unless `trace`.
   */
  readonly calm?: { readonly trace: boolean };
}

/** Times of a calm world are multiples of 1/64 ms: exact in a double for a thousand years. */
const GRID_PER_MS = 64;

/** True time has no calendar; people's clocks begin here. */
const WALL_START_MS = 1_700_000_000_000;
const LOOK_MS = 250;

export class World {
  readonly loop: EventLoop;
  readonly random: Random;
  readonly clock: MachineClock;
  readonly network: Network;
  readonly machine: Machine;
  readonly files: StateFiles;
  readonly gateway: Gateway;
  readonly clients: Clients;
  readonly trace = new Trace();
  readonly plan: Plan;
  readonly watchers: Watcher[] = [];
  readonly operator: Operator;
  readonly #counts = new Map<string, AnswerCounts>();
  /** Every instance that ever had a process. */
  readonly knownIds: string[] = [];
  /** Incidents as control last kept them, whoever was control. */
  readonly history = new Map<string, Incident>();
  readonly trouble: Trouble;
  /** The file as it is now. */
  file: Config;
  control: Incarnation | undefined;
  incarnations = 0;
  /** Questions that checkers asked. */
  checks = 0;
  stopped = false;
  /** When anything happened last that somebody may act upon; the trace tells of it. */
  changedAtMs = 0;
  /** The same of each that acted, or that something was done to. */
  readonly #changedOf = new Map<string, number>();
  readonly #calm: WorldOptions["calm"];
  #doubtedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WorldOptions) {
    this.plan = options.plan;
    this.file = options.plan.config;
    this.random = createPrng(options.seed);
    this.#calm = options.calm;
    this.files = new StateFiles(options.calm !== undefined);
    const settleAlways = options.settleAlways ?? false;
    const perMs = options.calm === undefined ? 0 : GRID_PER_MS;
    this.loop = new EventLoop(options.boundary, { settleAlways, perMs });
    this.operator = new Operator(this, this.random.stream("operator"));
    this.trouble = new Trouble(this.loop);
    this.clock = new MachineClock(this.loop, 1_000_000, WALL_START_MS);
    this.network = new Network(this.#calm === undefined ? this.random.stream("network") : even);
    const machineRandom = this.random.stream("machine");
    const events = {
      started: (program: Program) => this.#started(program),
      changed: (program: Program) => this.#programChanged(program),
    };
    const traitsOf = (id: string): ProgramTraits => this.#traits(id);
    this.machine = new Machine(this.loop, machineRandom, traitsOf, events, this.plan.pids);
    this.gateway = new Gateway({
      loop: this.loop,
      network: this.network,
      random: this.random.stream("gateway"),
      files: this.files,
      isCalm: this.#calm !== undefined,
      worker: (number) => this.#workerPorts(number),
      control: () => this.control,
      trace: (actor, subject, what) => this.note(actor, subject, what),
    });
    this.clients = new Clients(this.loop, this.gateway, this.random.stream("clients"));
  }

  note(actor: string, subject: string, what: string): void {
    this.#changed(actor, subject);
    this.#tell(actor, subject, what);
  }

  #changed(actor: string, subject: string): void {
    const { nowMs } = this.loop;
    this.changedAtMs = nowMs;
    this.#changedOf.set(actor, nowMs);
    this.#changedOf.set(subject, nowMs);
  }

  /** For how long nothing has happened to any of these instances; undefined: to anybody. */
  unchangedForMs(instances: readonly string[] | undefined): number {
    const { nowMs } = this.loop;
    if (instances === undefined) return nowMs - this.changedAtMs;
    let ms = Number.POSITIVE_INFINITY;
    for (const id of instances) ms = Math.min(ms, nowMs - (this.#changedOf.get(id) ?? 0));
    return ms;
  }

  /** What is not is not put into words either. */
  get #isTraced(): boolean {
    return this.#calm?.trace ?? true;
  }

  #tell(actor: string, subject: string, what: string): void {
    if (this.#isTraced) this.trace.add(this.loop.nowMs, actor, subject, what);
    for (const watcher of this.watchers) watcher.noted?.();
  }

  violated(checker: string, what: string): void {
    this.note("checker", checker, what);
    this.loop.fail(new Violation(checker, what));
  }

  // ---- what a person does -----------------------------------------------------------------

  start(): void {
    for (const service of this.file.services) {
      if (service.kind === "endpoints") this.#startEndpoints(service);
    }
    this.bootControl();
    this.gateway.start(this.plan.workers);
    this.clients.start(this.plan.loads);
    if (this.#calm === undefined) this.#look();
  }

  bootControl(): void {
    const incarnation = new Incarnation(++this.incarnations, {
      loop: this.loop,
      clock: this.clock,
      machine: this.machine,
      network: this.network,
      files: this.files,
      random: this.random,
      controlRandom: (number) => {
        const random = this.random.stream(`control-${number}`);
        return this.#calm === undefined ? random : evenIn(random, ["health"]);
      },
      isCalm: this.#calm !== undefined,
      published: (table) => {
        this.note(this.#actor(), "", this.#isTraced ? sayTable(table) : "");
        this.gateway.publish(table);
        for (const watcher of this.watchers) watcher.published?.(table);
      },
      isIdle: (instance, version) => this.gateway.isIdle(instance, version),
      isFenced: (instance, version) => this.gateway.isFenced(instance, version),
      counts: () => this.#counts,
      recorded: (entry) => {
        const subject = entry.instance ?? entry.service ?? "";
        // The account of what happened: nobody does anything else for it.
        const isAccount = entry.kind.startsWith("incident.");
        if (!isAccount) this.#changed(`control-${incarnation.number}`, subject);
        this.#tell(`control-${incarnation.number}`, subject, entry.sentence);
        for (const watcher of this.watchers) watcher.recorded?.(entry);
      },
      history: this.history,
      incidentChanged: (incident) => {
        for (const watcher of this.watchers) watcher.incidentChanged?.(incident);
      },
      linkedWorkers: () => this.gateway.linked(),
      signalled: (program, signal) => {
        this.note(this.#actor(), program.id, `${signal} to pid ${program.pid}`);
        for (const watcher of this.watchers) watcher.programSignalled?.(program, signal);
      },
      ended: () => {
        this.note(`control-${incarnation.number}`, "", "killed");
        this.gateway.controlEnded();
      },
    });
    this.control = incarnation;
    this.note(this.#actor(), "", "starts");
    this.operator.controlStarts();
    incarnation.start(this.file);
  }

  killControl(): void {
    this.control?.kill();
  }

  /** Starts control again unless it lives. */
  reviveControl(): void {
    if (this.control?.gate.state === "ended") this.bootControl();
  }

  stopControl(): void {
    const control = this.control;
    if (control?.gate.state !== "running") return;
    control.gate.stop();
    this.note(this.#actor(), "", "stopped");
    this.gateway.controlStopped(control);
  }

  continueControl(): void {
    if (this.control?.gate.state !== "stopped") return;
    this.note(this.#actor(), "", "goes on");
    this.control.gate.goOn();
  }

  /** `nines down`: resolves `done` when control says that all is ended. */
  shutDown(done: () => void): void {
    this.clients.stop();
    this.stopped = true;
    const incarnation = present(this.control, "control runs");
    incarnation.enter(() => {
      const ended = present(incarnation.control, "control runs").stop();
      ended.then(done, (error: unknown) => this.loop.fail(error));
    });
  }

  // ---- what is true -----------------------------------------------------------------------

  commandServices(): readonly CommandService[] {
    return this.file.services.filter((service) => service.kind === "command");
  }

  service(name: string): CommandService | EndpointService | undefined {
    return this.file.services.find((service) => service.name === name);
  }

  /** Whether Nines starts this instance itself. */
  ownsInstance(id: string): boolean {
    return this.service(serviceOf(id))?.kind === "command";
  }

  controlRuns(): boolean {
    return this.control?.gate.state === "running";
  }

  /** Whether control doubted itself at some time in the last so many milliseconds. */
  doubtedWithin(ms: number): boolean {
    return this.loop.nowMs - this.#doubtedAtMs <= ms;
  }

  /** For how long control has run and the worker has heard it, without a break. */
  inTouchForMs(worker: Worker): number {
    if (!this.controlRuns() || worker.linkedSinceMs === undefined) return 0;
    const sinceMs = Math.max(worker.linkedSinceMs, this.control?.gate.runningSinceMs ?? 0);
    return this.loop.nowMs - sinceMs;
  }

  // ---- how the parts hang together --------------------------------------------------------

  #actor(): string {
    return `control-${this.control?.number ?? 0}`;
  }

  #traits(id: string): ProgramTraits {
    return present(this.plan.traits.get(this.#serviceOf(id)), `the plan has programs of ${id}`);
  }

  /** Names of a user's services have dashes in them. */
  #serviceOf(id: string): string {
    const names = [...this.plan.traits.keys()].filter((name) => id.startsWith(`${name}-`));
    return names.sort((a, b) => b.length - a.length)[0] ?? serviceOf(id);
  }

  #started(program: Program): void {
    if (!this.knownIds.includes(program.id)) this.knownIds.push(program.id);
    this.note(program.id, "", `pid ${program.pid} starts on port ${program.port}`);
    for (const watcher of this.watchers) watcher.programStarted?.(program);
  }

  #programChanged(program: Program): void {
    this.note(program.id, "", this.#isTraced ? describe(program) : "");
    for (const watcher of this.watchers) watcher.programChanged?.(program);
  }

  #startEndpoints(service: EndpointService): void {
    for (const { host, port } of service.endpoints) {
      const id = `${service.name}-${host}:${port}`;
      const random = this.random.stream(id);
      const run = (): void => {
        const program = this.machine.run(id, host, port);
        if (this.#calm !== undefined) return;
        // Somebody else keeps it up, in their own time.
        this.machine.onEnd(program, () => this.loop.after(500 + random.ratio() * 8000, run));
      };
      run();
    }
  }

  #workerPorts(number: number): WorkerPorts {
    return {
      loop: this.loop,
      clock: this.clock,
      random: this.random.stream(`worker-${number}`),
      isCalm: this.#calm !== undefined,
      listener: (host, port) => this.machine.listener(host, port),
      cutOff: (instance) => this.network.cutFromWorkers.has(instance),
      attempted: (attempt) => {
        for (const watcher of this.watchers) watcher.attempted?.(attempt);
      },
      attemptEnded: (...ended) => {
        this.#count(ended[1], ended[2]);
        for (const watcher of this.watchers) watcher.attemptEnded?.(...ended);
      },
      requestEnded: (worker, end) => {
        if (end.result !== "answered") {
          const triedText = `after ${end.attempts} tries in ${(end.endedAtMs - end.startedAtMs).toFixed(0)} ms`;
          this.note(`worker-${worker.number}`, end.service, `request ${end.result} ${triedText}`);
        }
        for (const watcher of this.watchers) watcher.requestEnded?.(worker, end);
      },
      noticed: (worker, notice) => {
        for (const watcher of this.watchers) watcher.noticed?.(worker, notice);
        this.gateway.notice(worker, notice);
      },
      followed: (worker) => {
        for (const watcher of this.watchers) watcher.followed?.(worker);
      },
      trace: (worker, subject, what) => this.note(`worker-${worker.number}`, subject, what),
    };
  }

  /** Control hears of each answer at once; the real gateway tells it four times a second. */
  #count(instance: string, result: Outcome): void {
    const { requests, errors } = this.#counts.get(instance) ?? { requests: 0, errors: 0 };
    const says = result !== outcome.abandoned && result !== outcome.silent;
    const failed = says && result !== outcome.answered;
    this.#counts.set(instance, { requests: requests + 1, errors: errors + (failed ? 1 : 0) });
  }

  #look(): void {
    if ((this.control?.control?.patience() ?? 1) > 1) this.#doubtedAtMs = this.loop.nowMs;
    for (const watcher of this.watchers) watcher.looked?.();
    if (!this.stopped) this.loop.after(LOOK_MS, () => this.#look());
  }
}

/** "web" of "web-2" and of "web-10.0.0.1:80": simulated services have no dash in their names. */
export function serviceOf(id: string): string {
  return id.slice(0, id.indexOf("-"));
}

function sayTable({ version, services }: RoutingTable): string {
  const verdicts = services.flatMap(({ instances }) =>
    instances.map(({ id, verdict }) => `${id}=${verdict}`),
  );
  return `table ${version % versionsInTerm}: ${verdicts.join(" ")}`;
}

function describe(program: Program): string {
  if (program.state === "ended")
    return `pid ${program.pid} ended: ${JSON.stringify(program.report)}`;
  if (program.stoppedSinceMs !== undefined) return `pid ${program.pid} is stopped`;
  if (program.toldToEndAtMs !== undefined) return `pid ${program.pid} is ending`;
  return `pid ${program.pid} is ${program.state}`;
}
