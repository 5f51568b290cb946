// One instance: its life (core/supervise decides), its process, one timer. Tells the registry and
// the event log of every step, and does what the step commands.
//
// Invariants: the record of a process is on disk before its program runs, and gone only after its
// end; `launch` is carried out only in the phase `launching`, which no process leads to.

import type { CommandService } from "../../config/config.ts";
import { AssertionError, assert, present } from "../../core/base/assert.ts";
import { sayBytes } from "../../core/base/bytes.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Random } from "../../core/base/prng.ts";
import { type Fingerprint, fingerprintOf } from "../../core/supervise/fingerprint.ts";
import { type KeptInstance, keptInstances } from "../../core/supervise/kept-instance.ts";
import {
  bornLife,
  type Life,
  type LifeEvent,
  type LifeSettings,
  type Step,
  step,
} from "../../core/supervise/lifecycle.ts";
import type { Command } from "../../core/supervise/lifecycle-table.ts";
import type { Phase } from "../../core/supervise/phase.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { FreePorts } from "../../ports/free-ports.ts";
import type { HeartbeatPlace, Heartbeats } from "../../ports/heartbeats.ts";
import type {
  ExitReport,
  Processes,
  ProcessIdentity,
  RunningProcess,
} from "../../ports/processes.ts";
import type { Records } from "../../ports/records.ts";
import type { Traffic } from "../../ports/traffic.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import type { InstanceRecord, Registry, Told } from "../registry/registry.ts";
import type { Surroundings } from "../registry/surroundings.ts";
import { environmentOf } from "./environment.ts";

/** How often a draining instance is asked for what is still under way. */
export const idlePollMs = 25;
/** A timer this late was not kept waiting by a busy moment: we were not running. */
const asleepMs = 250;

export interface InstancePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly processes: Processes;
  readonly records: Records;
  readonly careful: CarefulRecords;
  readonly events: Events;
  readonly traffic: Traffic;
  readonly freePorts: FreePorts;
  readonly heartbeats: Heartbeats;
  readonly registry: Registry;
  readonly baseEnvironment: Readonly<Record<string, string>>;
  readonly logFileOf: (instance: string) => string;
  readonly dataFolderOf: (instance: string, user: string | undefined) => string;
  /** Ports of all other instances. */
  readonly portsTaken: (except: string) => ReadonlySet<number>;
  /** Something about the instance has changed that others may wait for. */
  readonly changed: () => void;
}

export interface InstanceBirth {
  readonly id: string;
  readonly service: string;
  readonly ordinal: number;
  /** Beyond the replicas, for a deploy. */
  readonly extra: boolean;
  /** Undefined: the file does not name it any more. */
  readonly spec: CommandService | undefined;
  /** Longest drain before a planned end; 0 when no data plane serves it. */
  readonly drainMs: number;
  readonly drained: boolean;
  readonly told: Told | undefined;
  readonly generation: number;
}

export class Instance {
  readonly id: string;
  readonly service: string;
  readonly ordinal: number;
  readonly #ports: InstancePorts;
  readonly #random: Random;
  #spec: CommandService | undefined;
  #drainMs: number;
  #stopGraceMs = 0;
  #life: Life;
  #process: RunningProcess | undefined;
  #fingerprint: Fingerprint | undefined;
  #port = 0;
  #surroundings: Surroundings | undefined;
  #restarts = 0;
  #failedBy = "";
  #drained: boolean;
  #deadline: Timer | undefined;
  #idlePoll: Timer | undefined;
  #released = false;

  constructor(ports: InstancePorts, birth: InstanceBirth) {
    this.#ports = ports;
    this.#random = ports.random.stream(birth.id);
    this.id = birth.id;
    this.service = birth.service;
    this.ordinal = birth.ordinal;
    this.#spec = birth.spec;
    this.#drainMs = birth.drainMs;
    this.#drained = birth.drained;
    this.#life = bornLife(ports.clock.monotonicMs());
    ports.registry.add(this.#bornRecord(birth));
  }

  get phase(): Phase {
    return this.#life.phase;
  }

  get port(): number {
    return this.#port;
  }

  /** From SIGTERM to SIGKILL. */
  get stopGraceMs(): number {
    return this.#settings().stopGraceMs;
  }

  /** Why its process ended, or is being ended, unasked; undefined while it has not failed. */
  get failure(): string | undefined {
    const { phase, next, cause } = this.#life;
    if (phase === "backoff" || phase === "crash-loop") return this.#failedBy;
    const ends = phase === "draining" || phase === "stopping";
    return ends && next === "retry" ? cause : undefined;
  }

  /** What its latest process was started with. */
  get fingerprint(): Fingerprint | undefined {
    return this.#fingerprint;
  }

  /** What its process lives in; for what runs beside it. */
  get surroundings(): Surroundings | undefined {
    if (this.#spec === undefined) return undefined;
    this.#surroundings ??= this.#makeSurroundings(this.#spec);
    return this.#surroundings;
  }

  /** Follows the file: takes effect at the next start, deadlines at the next step. */
  follow(spec: CommandService | undefined, drainMs: number): void {
    this.#spec = spec ?? this.#spec;
    this.#drainMs = drainMs;
    this.#surroundings = undefined;
  }

  /** Takes over a process that a control before this one started. */
  adopt(kept: KeptInstance, process: RunningProcess): void {
    this.#process = process;
    this.#fingerprint = kept.fingerprint;
    this.#port = kept.port;
    this.#restarts = kept.restarts;
    this.#stopGraceMs = kept.stopGraceMs;
    const { startedAtMs, readyAtMs } = kept;
    this.tell({ kind: "adopted", pid: process.identity.pid, startedAtMs, readyAtMs });
    process.onExit((report) => this.#exited(process, report));
  }

  /** Its process ended while nobody looked. */
  endedUnseen(kept: KeptInstance): void {
    this.#port = kept.port;
    this.#restarts = kept.restarts + 1;
    this.#ports.registry.patch(this.id, { port: this.#port, restarts: this.#restarts });
  }

  setDrained(drained: boolean): void {
    this.#drained = drained;
    this.#ports.registry.patch(this.id, { draining: this.#isDraining() });
  }

  /** Says why it is where it is, without a step. */
  explain(why: string): void {
    this.#ports.registry.patch(this.id, { why });
  }

  tell(event: LifeEvent): void {
    const result = step(this.#life, event, {
      instance: this.id,
      nowMs: this.#ports.clock.monotonicMs(),
      settings: this.#settings(),
      ratio: this.#random.ratio(),
    });
    if (result.life === this.#life) return;
    const before = this.#life;
    this.#life = result.life;
    if (result.failed) {
      this.#restarts++;
      // Of a process that was told to end, why it was told is the better cause.
      const told = before.next === "retry" && before.phase === "stopping" ? before.cause : "";
      this.#failedBy = told !== "" ? told : "cause" in event ? (event.cause ?? "") : "";
    }
    this.#armDeadline(before);
    this.#show(before, event, result);
    for (const command of result.commands) this.#carryOut(command);
    if (this.#life.phase === "draining") this.#pollIdle();
    this.#ports.changed();
  }

  /** Whether somebody must look at its memory, since the kernel does not. */
  get samplesMemory(): boolean {
    return this.#process !== undefined && !this.#process.memoryEnforced && this.#memoryLimit() > 0;
  }

  residentBytes(): number | undefined {
    return this.#process?.residentBytes();
  }

  sampleMemory(): void {
    const usedBytes = this.residentBytes();
    const limitBytes = this.#memoryLimit();
    if (usedBytes === undefined || usedBytes <= limitBytes) return;
    const cause = `it uses ${sayBytes(usedBytes)} of its ${sayBytes(limitBytes)} of memory`;
    this.tell({ kind: "over-memory", cause });
  }

  /** SIGKILL at once: it must not go on, whatever it does. What follows is what its end brings. */
  kill(): void {
    this.#process?.signal("SIGKILL");
  }

  /** Lets go: the process goes on, and nothing here happens any more. */
  release(): void {
    this.#released = true;
    this.#deadline?.[Symbol.dispose]();
    this.#idlePoll?.[Symbol.dispose]();
    this.#process?.release();
  }

  #carryOut(command: Command): void {
    if (command === "launch") void this.#launch();
    if (command === "terminate") this.#process?.signal("SIGTERM");
    if (command === "kill") this.#process?.signal("SIGKILL");
  }

  async #launch(): Promise<void> {
    const started = await this.#start();
    if (this.#released) {
      if (typeof started !== "string") started.release();
      return;
    }
    if (typeof started === "string") return this.tell({ kind: "launch-failed", cause: started });
    this.#process = started;
    this.tell({ kind: "launched", pid: started.identity.pid, port: this.#port });
    started.onExit((report) => this.#exited(started, report));
  }

  /** The running program, or why there is none. */
  async #start(): Promise<RunningProcess | string> {
    const spec = present(this.#spec, `a service to start ${this.id} by`);
    const { freePorts, processes, logFileOf, portsTaken } = this.#ports;
    const { limits } = spec;
    this.#fingerprint = fingerprintOf(spec);
    this.#stopGraceMs = spec.stopGraceMs;
    try {
      const port = await freePorts.find(this.#preferredPort(spec), portsTaken(this.id));
      if (this.#released || this.#life.phase !== "launching") return this.#life.cause;
      this.#takePort(port);
      this.#surroundings = this.#makeSurroundings(spec);
      const { heartbeatFile: _, ...place } = this.#surroundings;
      return await processes.start({
        command: spec.command,
        ...place,
        logFile: logFileOf(this.id),
        name: this.id,
        ...(limits.openFiles > 0 ? { openFiles: limits.openFiles } : {}),
        ...(limits.memoryBytes > 0 ? { memoryBytes: limits.memoryBytes } : {}),
        announce: (identity) => this.#announced(identity),
      });
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      // Once let go, the record may be of a process that the next control has started.
      if (!this.#released) this.#ports.careful.remove(this.#key);
      return asCause(error instanceof Error ? error.message : String(error));
    }
  }

  #makeSurroundings(spec: CommandService): Surroundings {
    const { baseEnvironment, dataFolderOf, heartbeats } = this.#ports;
    const { user, health } = spec;
    const { id, ordinal } = this;
    const dataFolder = dataFolderOf(id, user);
    const beats: HeartbeatPlace | undefined = health.heartbeat && {
      instance: id,
      everyMs: health.heartbeat.everyMs,
      file: `${dataFolder}/${health.heartbeat.file}`,
    };
    const heartbeat = beats === undefined ? {} : heartbeats.environmentOf(beats);
    const place = { id, ordinal, port: this.#port, dataFolder, heartbeat };
    // A process that was told otherwise is not held to what the file asks now.
    const held = this.#fingerprint?.["heartbeat"] === fingerprintOf(spec)["heartbeat"];
    return {
      workingDirectory: spec.workingDirectory,
      environment: environmentOf(baseEnvironment, spec, place),
      ...(user === undefined ? {} : { user }),
      ...(beats !== undefined && held ? { heartbeatFile: beats.file } : {}),
    };
  }

  /** Throws, and with that cancels the start, when nobody would know of the process. */
  #announced(identity: ProcessIdentity): void {
    if (this.#released) {
      throw new NinesError("NINES_PROCESS_START", `${this.id} was let go while it was started`);
    }
    this.#ports.records.write(this.#key, this.#kept(identity));
  }

  #exited(process: RunningProcess, report: ExitReport): void {
    assert(process === this.#process, `${this.id} has one process at a time`);
    // Children that outlive their leader hold its port; what they still do nobody waits for.
    process.signal("SIGKILL");
    this.#process = undefined;
    this.tell({ kind: "ended", cause: sayExit(report) });
    // Last, for the disk takes its time; a control that dies first finds a process that has ended.
    this.#ports.careful.remove(this.#key);
  }

  #armDeadline(before: Life): void {
    const { deadlineMs } = this.#life;
    if (deadlineMs === before.deadlineMs) return;
    this.#deadline?.[Symbol.dispose]();
    this.#deadline = undefined;
    if (deadlineMs === undefined) return;
    const { phase } = this.#life;
    const lookMs = phase === "starting" || phase === "running" ? this.#verdictMs() : 0;
    const delayMs = deadlineMs - lookMs - this.#ports.clock.monotonicMs();
    this.#deadline = this.#ports.clock.after(Math.max(0, delayMs), () => this.#lastLook(lookMs));
  }

  /**
   * What judges by checks keeps the time of one verdict for its end. A control that was stopped, or
   * starved, has seen nothing meanwhile, and cannot tell: but whoever sleeps through the deadline
   * has the last look before it, or this look is late and is taken again.
   */
  #lastLook(forMs: number): void {
    if (forMs === 0) return this.#tellDeadline();
    const { clock } = this.#ports;
    const untilMs = clock.monotonicMs() + forMs;
    this.#deadline = clock.after(forMs, () => {
      if (clock.monotonicMs() - untilMs > asleepMs) this.#lastLook(forMs);
      else this.#tellDeadline();
    });
  }

  #tellDeadline(): void {
    const starting = this.#life.phase === "starting";
    const lastCheck = this.#ports.registry.get(this.id)?.lastCheck ?? "no check has answered";
    this.tell({ kind: "deadline", cause: starting ? lastCheck : undefined });
  }

  /** Longest that checks take to find that it is well. */
  #verdictMs(): number {
    const health = this.#spec?.health;
    return health === undefined ? 0 : health.rise * (health.fastIntervalMs + health.timeoutMs);
  }

  #pollIdle(): void {
    this.#idlePoll?.[Symbol.dispose]();
    this.#idlePoll = this.#ports.clock.after(idlePollMs, () => {
      if (this.#life.phase !== "draining") return;
      const told = this.#ports.registry.get(this.id)?.told;
      if (told === undefined || told.version === 0) return this.#pollIdle();
      const heard = told.verdict === "draining" || told.verdict === "standby";
      if (heard && this.#ports.traffic.isIdle(this.id, told.version)) this.tell({ kind: "idle" });
      else this.#pollIdle();
    });
  }

  /** Writes the step into the registry and the event log. */
  #show(before: Life, event: LifeEvent, { life, said }: Step): void {
    const { registry, events, clock, careful } = this.#ports;
    const record = present(registry.get(this.id), `a record of ${this.id}`);
    if (said !== undefined) events.record({ ...said, service: this.service, instance: this.id });
    const moved = life.phase !== before.phase;
    registry.patch(this.id, {
      phase: life.phase,
      draining: this.#isDraining(),
      port: this.#port,
      pid: this.#process?.identity.pid,
      restarts: this.#restarts,
      readyAtMs: life.readyAtMs,
      generation: record.generation + (event.kind === "launched" ? 1 : 0),
      ...(said === undefined ? {} : { why: said.sentence }),
      ...(moved ? { sinceWallMs: clock.wallMs() } : {}),
    });
    const gotReady = life.readyAtMs !== undefined && life.readyAtMs !== before.readyAtMs;
    if (gotReady && event.kind !== "adopted" && this.#process !== undefined) {
      careful.write(this.#key, this.#kept(this.#process.identity));
    }
  }

  #isDraining(): boolean {
    const { phase } = this.#life;
    return this.#drained || phase === "draining" || phase === "stopping";
  }

  #settings(): LifeSettings {
    const spec = this.#spec;
    const drainMs = this.#drainMs;
    if (spec === undefined) return { ...unnamed, drainMs, stopGraceMs: this.#stopGraceMs };
    const { startTimeoutMs, stopGraceMs, restart } = spec;
    return { startTimeoutMs, stopGraceMs, restart, drainMs };
  }

  #memoryLimit(): number {
    return this.#spec?.limits.memoryBytes ?? 0;
  }

  get #key(): string {
    return keptInstances + this.id;
  }

  /** A port of the file goes before the one it had: that is what the file's is for. */
  #preferredPort(spec: CommandService): number {
    if (spec.portBase > 0) return spec.portBase + this.ordinal - 1;
    if (this.#port > 0) return this.#port;
    const kept = this.#ports.careful.read(`ports/${this.id}`);
    return typeof kept === "number" && Number.isInteger(kept) ? kept : 0;
  }

  #takePort(port: number): void {
    if (port !== this.#port) this.#ports.careful.write(`ports/${this.id}`, port);
    this.#port = port;
  }

  #kept({ pid, startTime }: ProcessIdentity): KeptInstance {
    const { startedAtMs, readyAtMs } = this.#life;
    return {
      service: this.service,
      ordinal: this.ordinal,
      process: { pid, startTime },
      port: this.#port,
      restarts: this.#restarts,
      fingerprint: present(this.#fingerprint, "what it was started with"),
      startedAtMs: startedAtMs ?? this.#ports.clock.monotonicMs(),
      ...(readyAtMs === undefined ? {} : { readyAtMs }),
      stopGraceMs: this.#stopGraceMs,
    };
  }

  #bornRecord(birth: InstanceBirth): InstanceRecord {
    const { told, generation } = birth;
    return {
      id: this.id,
      service: this.service,
      ordinal: this.ordinal,
      extra: birth.extra,
      origin: "command",
      host: "127.0.0.1",
      port: 0,
      weight: 1,
      backup: false,
      zone: "",
      phase: "waiting",
      health: "unknown",
      draining: this.#drained,
      standing: "active",
      standingWhy: "",
      startHeld: "",
      generation,
      pid: undefined,
      restarts: 0,
      why: `${this.id} waits for its start`,
      sinceWallMs: this.#ports.clock.wallMs(),
      readyAtMs: undefined,
      ...(told === undefined ? {} : { told }),
    };
  }
}

/** For an instance that the file does not name: it is only ever ended. */
const unnamed: Omit<LifeSettings, "drainMs" | "stopGraceMs"> = {
  startTimeoutMs: 60_000,
  restart: {
    backoffMs: 1_000,
    backoffMaxMs: 60_000,
    resetAfterMs: 60_000,
    crashLoopCount: 5,
    crashLoopWithinMs: 60_000,
    unhealthyAfterMs: 0,
  },
};

/** A cause is a part of a sentence that says more. */
function asCause(message: string): string {
  return message.replace(/\.$/, "");
}

/** What a shell means by its exit code, when it is the shell that speaks. */
const shellWords: Readonly<Record<number, string>> = {
  126: " (in a shell: the program may not be run)",
  127: " (in a shell: the program was not found)",
};

function sayExit(report: ExitReport): string {
  switch (report.kind) {
    case "exited":
      return `exit code ${report.code}${shellWords[report.code] ?? ""}`;
    case "signalled":
      return report.outOfMemory
        ? `killed by the kernel for its memory (${report.signal})`
        : `ended by ${report.signal}`;
    case "unknown":
      return "exit code unknown, it was adopted";
  }
}
