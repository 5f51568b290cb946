// The loop that does a vault's duties: it starts what is due, one at a time, each in a process of
// its own, takes in what came of it, and says when what could be restored has grown too old.
//
// What is due is decided in core/vault/duties.ts, what is too old in core/vault/freshness.ts. Here
// is only their memory, which outlives control (one record), and the one process. A control that
// finds such a process at its start adopts it. Nothing here reads or writes a vault.

import type { BackupConfig } from "../../config/config.ts";
import { sayDuration } from "../../core/base/duration.ts";
import { NinesError } from "../../core/base/errors.ts";
import {
  afterAttempt,
  chooseDuty,
  type DueDuty,
  type DutyHistories,
  type DutyKind,
  dueTimes,
  mustYield,
} from "../../core/vault/duties.ts";
import {
  type FreshnessVerdict,
  judgeFreshness,
  type SourceFreshness,
} from "../../core/vault/freshness.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { DutyOrder, DutyPrograms, DutyReport, Redundancy } from "../../ports/duty-programs.ts";
import type { Events } from "../../ports/events.ts";
import type { Processes, ProcessIdentity, RunningProcess } from "../../ports/processes.ts";
import type { Records } from "../../ports/records.ts";
import { carefulRecords, type CarefulRecords } from "../registry/careful-records.ts";

export interface DutiesWorld {
  readonly clock: Clock;
  readonly events: Events;
  readonly records: Records;
  readonly processes: Processes;
  readonly programs: DutyPrograms;
}

export interface SourceState extends FreshnessVerdict {
  readonly source: string;
  readonly found: SourceFreshness | undefined;
}

export interface DutiesState {
  readonly histories: DutyHistories;
  readonly due: readonly DueDuty[];
  readonly running: RunningDuty | undefined;
  readonly sources: readonly SourceState[];
  readonly redundancy: Redundancy | undefined;
}

export interface RunningDuty {
  readonly order: DutyOrder;
  readonly startedMs: number;
  readonly process: ProcessIdentity;
}

/** What is remembered: one record. */
export interface KeptDuties {
  readonly histories: DutyHistories;
  readonly running?: RunningDuty;
  readonly freshness: readonly SourceFreshness[];
  readonly redundancy?: Redundancy;
  /** Since when each source is kept. */
  readonly since: Readonly<Record<string, number>>;
  /** Sources of which it was said that they are too old. */
  readonly stale: readonly string[];
  readonly failedDrills: readonly string[];
}

export const dutiesRecord = "backup/duties";
const nothingKept: KeptDuties = {
  histories: {},
  freshness: [],
  since: {},
  stale: [],
  failedDrills: [],
};

const tickMs = 1_000;
/** A duty that takes longer has got stuck. */
const dutyMsMax = 7 * 86_400_000;
/** From SIGTERM to SIGKILL: a duty looks up after each file and each object. */
const graceMs = 60_000;
const failedDrillsMax = 100;

/** As a person says it. */
export const dutyNames: Readonly<Record<DutyKind, string>> = {
  run: "backup",
  look: "look at the vault",
  drill: "restore drill",
  prune: "prune",
  scrub: "scrub",
};

export class VaultDuties {
  readonly #world: DutiesWorld;
  readonly #records: CarefulRecords;
  #config: BackupConfig | undefined;
  #kept: KeptDuties = nothingKept;
  #process: RunningProcess | undefined;
  #starting: Promise<void> | undefined;
  #isStopping = false;
  /** On the monotonic clock: when the process was started or adopted, and asked to end. */
  #sinceMs = 0;
  #askedMs: number | undefined;
  #tick: Timer | undefined;
  #onEnd: () => void = () => undefined;

  constructor(world: DutiesWorld) {
    this.#world = world;
    this.#records = carefulRecords(world.records, world.events);
  }

  /** The file, at the start and whenever it has changed. */
  follow(config: BackupConfig | undefined): void {
    this.#config = config;
    if (this.#tick !== undefined || this.#isStopping) return;
    this.#kept = readKept(this.#records.read(dutiesRecord));
    this.#adopt();
    this.#turn();
  }

  state(): DutiesState | undefined {
    const config = this.#config;
    return config && stateOf(config, this.#kept, this.#world.clock.wallMs());
  }

  /** Ends the duty under way, softly at first; resolves when its process is gone. */
  async stop(withinMs: number): Promise<void> {
    this.#isStopping = true;
    if (this.#tick === undefined) {
      this.#kept = readKept(this.#records.read(dutiesRecord));
      this.#adopt();
    }
    this.#rest();
    await this.#starting;
    const running = this.#process;
    if (running === undefined) return;
    await new Promise<void>((resolve) => {
      this.#onEnd = resolve;
      running.signal("SIGTERM");
      this.#tick = this.#world.clock.after(withinMs, () => void running.signal("SIGKILL"));
    });
    this.#rest();
  }

  /** Stops looking; a process goes on. */
  release(): void {
    this.#rest();
    this.#process?.release();
  }

  #rest(): void {
    this.#tick?.[Symbol.dispose]();
    this.#tick = undefined;
  }

  #adopt(): void {
    const { running } = this.#kept;
    if (running === undefined) return;
    const found = this.#world.processes.adopt(running.process, nameOf(running.order));
    if (found === undefined) this.#ended(running);
    else this.#watch(found, running);
  }

  #turn(): void {
    this.#tick = this.#world.clock.after(tickMs, () => this.#turn());
    this.#alarm();
    if (this.#process !== undefined) this.#lookAfter(this.#process);
    else if (this.#starting === undefined) this.#begin();
  }

  #begin(): void {
    const config = this.#config;
    if (config === undefined) return;
    const wallMs = this.#world.clock.wallMs();
    const kind = chooseDuty(config.schedule, this.#kept.histories, wallMs);
    if (kind === undefined) return;
    const cursor = this.#kept.histories[kind]?.cursor;
    const order = { id: `${kind}-${wallMs}`, kind, ...(cursor === undefined ? {} : { cursor }) };
    this.#starting = this.#start(order, wallMs).finally(() => {
      this.#starting = undefined;
    });
  }

  async #start(order: DutyOrder, startedMs: number): Promise<void> {
    const { processes, programs } = this.#world;
    let running: RunningDuty | undefined;
    try {
      const found = await processes.start({
        ...programs.request(order),
        announce: (process) => {
          running = { order, startedMs, process };
          this.#keep({ running });
        },
      });
      if (running === undefined) return;
      this.#watch(found, running);
    } catch (error) {
      if (!(error instanceof NinesError)) throw error;
      this.#take(order, startedMs, { outcome: "failed", sentence: error.message, said: [] });
    }
  }

  #watch(found: RunningProcess, running: RunningDuty): void {
    this.#process = found;
    this.#sinceMs = this.#world.clock.monotonicMs();
    this.#askedMs = undefined;
    found.onExit(() => this.#ended(running));
  }

  #lookAfter(running: RunningProcess): void {
    const { clock } = this.#world;
    const nowMs = clock.monotonicMs();
    const kind = this.#kept.running?.order.kind;
    if (this.#askedMs !== undefined) {
      if (nowMs - this.#askedMs > graceMs) running.signal("SIGKILL");
      return;
    }
    const { schedule } = this.#config ?? { schedule: {} };
    const isInTheWay =
      kind !== undefined && mustYield(kind, schedule, this.#kept.histories, clock.wallMs());
    if (!isInTheWay && nowMs - this.#sinceMs < dutyMsMax) return;
    this.#askedMs = nowMs;
    running.signal("SIGTERM");
  }

  #ended({ order, startedMs }: RunningDuty): void {
    this.#process = undefined;
    const { programs } = this.#world;
    const report = programs.report(order.id) ?? {
      outcome: "failed",
      sentence: "Its process ended without a word: it was killed, or the machine went down.",
      said: [],
    };
    this.#take(order, startedMs, report);
    programs.forget(order.id);
    this.#onEnd();
  }

  /** What came of an attempt becomes memory, and is said. */
  #take({ kind }: DutyOrder, startedMs: number, report: DutyReport): void {
    const { clock, events } = this.#world;
    const { running: _, ...kept } = this.#kept;
    const { outcome, sentence, cursor, drilled } = report;
    const attempt = { startedMs, endedMs: clock.wallMs(), outcome, sentence };
    const history = afterAttempt(kept.histories[kind], {
      ...attempt,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const entry of report.said) events.record(entry);
    this.#kept = {
      ...kept,
      histories: { ...kept.histories, [kind]: history },
      freshness: report.freshness ?? kept.freshness,
      ...(report.redundancy === undefined ? {} : { redundancy: report.redundancy }),
      failedDrills: drilled === undefined ? kept.failedDrills : drilledNow(kept, drilled),
    };
    this.#keep({});
    if (outcome === "failed") this.#sayFailure(kind, sentence);
    else if (history.failures === 0 && (kept.histories[kind]?.failures ?? 0) > 0) {
      const again = `The ${dutyNames[kind]} works again. ${sentence}`;
      events.record({ kind: "backup.duty-recovered", level: "info", sentence: again });
    }
    this.#alarm();
  }

  #sayFailure(kind: DutyKind, why: string): void {
    const { clock, events } = this.#world;
    const nowMs = clock.wallMs();
    const next = dueTimes(this.#config?.schedule ?? {}, this.#kept.histories, nowMs).find(
      (due) => due.kind === kind,
    );
    const again =
      next === undefined
        ? ""
        : ` It is tried again in ${sayDuration(Math.max(0, next.atMs - nowMs))}.`;
    const sentence = `The ${dutyNames[kind]} has failed: ${why}${again}`;
    events.record({ kind: "backup.duty-failed", level: "error", sentence });
  }

  /** Says once when a source has grown too old, and once when it is well again. */
  #alarm(): void {
    const config = this.#config;
    if (config === undefined) return;
    const nowMs = this.#world.clock.wallMs();
    const known = this.#kept.since;
    const since = config.sources.map(({ name }) => [name, known[name] ?? nowMs] as const);
    if (since.some(([name]) => known[name] === undefined)) {
      this.#keep({ since: Object.fromEntries(since) });
    }
    const states = judgeSources(config, this.#kept, nowMs);
    const stale = states.filter(({ isStale }) => isStale).map(({ source }) => source);
    const before = this.#kept.stale;
    const changed = states.filter(({ source, isStale }) => isStale !== before.includes(source));
    if (changed.length === 0 && stale.length === before.length) return;
    this.#keep({ stale });
    for (const { isStale, sentence } of changed) {
      const kind = isStale ? "backup.stale" : "backup.fresh";
      this.#world.events.record({ kind, level: isStale ? "error" : "info", sentence });
    }
  }

  #keep(change: Partial<KeptDuties>): void {
    this.#kept = { ...this.#kept, ...change };
    this.#records.write(dutiesRecord, this.#kept);
  }
}

/** What is remembered, as of now: of control, or of its record without it. */
export function stateOf(config: BackupConfig, kept: KeptDuties, nowMs: number): DutiesState {
  const { histories, running, redundancy } = kept;
  const due = dueTimes(config.schedule, histories, nowMs);
  return { histories, due, running, redundancy, sources: judgeSources(config, kept, nowMs) };
}

function judgeSources(
  { sources, staleAfterMs }: BackupConfig,
  { freshness, failedDrills, since }: KeptDuties,
  nowMs: number,
): readonly SourceState[] {
  return sources.map(({ name: source }) => {
    const found = freshness.find((one) => one.source === source);
    const sinceMs = since[source];
    const question = { source, found, failedDrills, staleAfterMs, sinceMs };
    return { source, found, ...judgeFreshness(question, nowMs) };
  });
}

function nameOf({ kind }: DutyOrder): string {
  return `backup-${kind}`;
}

function drilledNow(
  { failedDrills }: KeptDuties,
  { failed, passed }: NonNullable<DutyReport["drilled"]>,
): readonly string[] {
  const before = failedDrills.filter((id) => !passed.includes(id) && !failed.includes(id));
  return [...before, ...failed].slice(-failedDrillsMax);
}

/** Records are whole or refused; one of another version is forgotten. */
export function readKept(value: unknown): KeptDuties {
  if (typeof value !== "object" || value === null) return nothingKept;
  const { histories, freshness, since, stale, failedDrills } = value as Partial<KeptDuties>;
  const isKept =
    typeof histories === "object" &&
    typeof since === "object" &&
    [freshness, stale, failedDrills].every((list) => Array.isArray(list));
  return isKept ? (value as KeptDuties) : nothingKept;
}
