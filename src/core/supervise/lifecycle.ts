// One instance's life, one step at a time: `step(life, event, context)` finds the row of
// lifecycle-table.ts and returns the life after it, what to do, and the sentence that says why.
//
// Pure: the loop that drives it holds the process, one timer (for `deadlineMs`) and nothing else.
// Restarts follow core/guard: exponential backoff with jitter, and the restart intensity that makes
// ends a crash loop. A crash loop stays one until the instance has been up for `resetAfterMs`: else
// a process held back for long would look recovered only because it was not tried.

import { AssertionError, assert, present } from "../base/assert.ts";
import { sayDuration } from "../base/duration.ts";
import { backoffMs, failuresInRow } from "../guard/backoff.ts";
import { isCrashLoop, withEnd } from "../guard/restart-intensity.ts";
import {
  type Command,
  type DeadlineKind,
  type EventKind,
  type Guard,
  impossible,
  type Level,
  lifecycle,
  type Next,
  type Row,
  type Saying,
  withoutEffect,
} from "./lifecycle-table.ts";
import type { Phase } from "./phase.ts";

/** What of the configuration shapes a life; times in milliseconds. */
export interface LifeSettings {
  readonly startTimeoutMs: number;
  readonly stopGraceMs: number;
  /** Longest wait for requests under way before a planned end; 0 when no data plane serves it. */
  readonly drainMs: number;
  readonly restart: {
    readonly backoffMs: number;
    readonly backoffMaxMs: number;
    readonly resetAfterMs: number;
    readonly crashLoopCount: number;
    readonly crashLoopWithinMs: number;
    /** 0 is never. */
    readonly unhealthyAfterMs: number;
  };
}

/** While memory grows past its limit, a drain must not take its time. */
export const shortDrainMs = 2_000;
/**
 * SIGKILL cannot be refused, but can come before a process is able to take it (fork, disk wait).
 */
export const killAgainMs = 1_000;

export interface Life {
  readonly phase: Phase;
  /** When the phase began. */
  readonly sinceMs: number;
  /** When the loop sends `deadline`. */
  readonly deadlineMs: number | undefined;
  /** What follows the end of its process, once it was told to end. */
  readonly next: Next;
  /** Why it is to end. */
  readonly cause: string;
  /** When its process was started; undefined without one. */
  readonly startedAtMs: number | undefined;
  /** When its process became ready; undefined before. */
  readonly readyAtMs: number | undefined;
  /** Failures since it was last up for `resetAfterMs`. */
  readonly failures: number;
  /** Its latest ends, for the restart intensity. */
  readonly endsMs: readonly number[];
  readonly looping: boolean;
}

export type LifeEvent =
  | {
      readonly kind: "adopted";
      readonly pid: number;
      readonly startedAtMs: number;
      readonly readyAtMs: number | undefined;
    }
  | { readonly kind: "launched"; readonly pid: number; readonly port: number }
  | { readonly kind: CausedEvent; readonly cause: string }
  /** Of a start that took too long: what its last check met. */
  | { readonly kind: "deadline"; readonly cause?: string | undefined }
  | { readonly kind: "may-start" | "healthy" | "idle" };

/** These carry why, as a part of a sentence: "exit code 1", "its command changed in the file". */
type CausedEvent = Exclude<
  EventKind,
  "adopted" | "launched" | "may-start" | "healthy" | "idle" | "deadline"
>;

export interface StepContext {
  readonly instance: string;
  readonly nowMs: number;
  readonly settings: LifeSettings;
  /** A draw in [0, 1) for the jitter. */
  readonly ratio: number;
}

export interface Said {
  readonly kind: string;
  readonly level: Level;
  readonly sentence: string;
}

export interface Step {
  readonly life: Life;
  readonly commands: readonly Command[];
  readonly said: Said | undefined;
  /** Its process failed and will be started again. */
  readonly failed: boolean;
}

/** A life before its first process. */
export function bornLife(nowMs: number): Life {
  return {
    phase: "waiting",
    sinceMs: nowMs,
    deadlineMs: undefined,
    next: "retry",
    cause: "",
    startedAtMs: undefined,
    readyAtMs: undefined,
    failures: 0,
    endsMs: [],
    looping: false,
  };
}

/** Whether this phase may have a process. */
export function hasProcess(phase: Phase): boolean {
  return (
    phase === "launching" ||
    phase === "starting" ||
    phase === "running" ||
    phase === "draining" ||
    phase === "stopping"
  );
}

export function step(life: Life, event: LifeEvent, context: StepContext): Step {
  const pair = `${event.kind} while ${life.phase}`;
  assert(!impossible[life.phase].includes(event.kind), `${context.instance} never sees ${pair}`);
  if (withoutEffect[life.phase].includes(event.kind)) {
    return { life, commands: [], said: undefined, failed: false };
  }
  const ended = afterEnd(life, event, context);
  const holds = (guard: Guard): boolean => guardHolds[guard](ended, event, context.settings);
  const found = rowsOf(life.phase, event.kind).find(
    (row) => row.when === undefined || holds(row.when),
  );
  const row = present(found, `a row for ${pair}`);
  const next = follow(ended, event, row, context);
  return {
    life: next,
    commands: row.commands,
    said: row.says && say(row.says, life, next, event, context),
    failed: row.to === "backoff" || row.to === "crash-loop",
  };
}

const rowsByPair = new Map<string, readonly Row[]>();
for (const row of lifecycle) {
  const key = `${row.from} ${row.on}`;
  rowsByPair.set(key, [...(rowsByPair.get(key) ?? []), row]);
}

function rowsOf(phase: Phase, kind: EventKind): readonly Row[] {
  return rowsByPair.get(`${phase} ${kind}`) ?? [];
}

const guardHolds: Readonly<
  Record<Guard, (life: Life, event: LifeEvent, settings: LifeSettings) => boolean>
> = {
  "was ready": (_life, event) => event.kind === "adopted" && event.readyAtMs !== undefined,
  "a data plane serves it": (_life, _event, settings) => settings.drainMs > 0,
  "to start again": (life) => life.next === "start",
  "not wanted": (life) => life.next === "nothing",
  "in a crash loop": (life) => life.looping,
};

/** The life with a failure counted, when this event is the end of a process that was to stay. */
function afterEnd(life: Life, event: LifeEvent, context: StepContext): Life {
  if (event.kind !== "ended" && event.kind !== "launch-failed") return life;
  if (life.next !== "retry") return life;
  const { nowMs } = context;
  const { resetAfterMs, crashLoopCount, crashLoopWithinMs } = context.settings.restart;
  const upMs = life.readyAtMs === undefined ? 0 : nowMs - life.readyAtMs;
  const recovered = upMs >= resetAfterMs;
  const intensity = { count: crashLoopCount, withinMs: crashLoopWithinMs };
  const endsMs = withEnd(recovered ? [] : life.endsMs, nowMs, intensity);
  return {
    ...life,
    failures: failuresInRow(life.failures, upMs, resetAfterMs),
    endsMs,
    looping: (life.looping && !recovered) || isCrashLoop(endsMs, nowMs, intensity),
  };
}

/** The life that a row leads to. */
function follow(life: Life, event: LifeEvent, row: Row, context: StepContext): Life {
  const { nowMs } = context;
  const moved = row.to !== life.phase;
  const kept = row.deadline === "kept" ? life.deadlineMs : undefined;
  const lasts = deadlineLastsMs(row.deadline, life, context);
  return {
    ...life,
    ...processTimes(life, event, row, nowMs),
    phase: row.to,
    sinceMs: moved ? nowMs : life.sinceMs,
    deadlineMs: lasts === undefined ? kept : nowMs + lasts,
    next: row.next ?? (row.to === "launching" ? "retry" : life.next),
    cause: causeOf(event, row) ?? life.cause,
    ...(event.kind === "replace" && row.to === "waiting" ? forgiven : {}),
  };
}

/** What is replaced on purpose starts without the past of what it replaces. */
const forgiven: Pick<Life, "failures" | "endsMs" | "looping"> = {
  failures: 0,
  endsMs: [],
  looping: false,
};

function processTimes(
  life: Life,
  event: LifeEvent,
  row: Row,
  nowMs: number,
): Pick<Life, "startedAtMs" | "readyAtMs"> {
  if (event.kind === "adopted") {
    return { startedAtMs: event.startedAtMs, readyAtMs: event.readyAtMs };
  }
  if (event.kind === "launched") return { startedAtMs: nowMs, readyAtMs: undefined };
  if (!hasProcess(row.to)) return { startedAtMs: undefined, readyAtMs: undefined };
  const ready = row.to === "running" && life.phase === "starting";
  return { startedAtMs: life.startedAtMs, readyAtMs: ready ? nowMs : life.readyAtMs };
}

/** Only what decides over an end or a launch is remembered as its cause. */
function causeOf(event: LifeEvent, row: Row): string | undefined {
  if (event.kind === "deadline" && row.from === "starting") return "it was not ready in time";
  if (event.kind === "unhealthy" || event.kind === "hurry") {
    return row.to === "running" ? eventCause(event) : undefined;
  }
  return row.next === undefined ? undefined : eventCause(event);
}

function eventCause(event: LifeEvent): string | undefined {
  return "cause" in event ? event.cause : undefined;
}

function deadlineLastsMs(
  kind: DeadlineKind,
  life: Life,
  { settings, ratio }: StepContext,
): number | undefined {
  const { restart } = settings;
  switch (kind) {
    case "none":
    case "kept":
      return undefined;
    case "start timeout":
      return settings.startTimeoutMs;
    case "drain":
      return settings.drainMs;
    case "short drain":
      return Math.min(settings.drainMs, shortDrainMs);
    case "stop grace":
      return settings.stopGraceMs;
    case "kill again":
      return killAgainMs;
    case "unhealthy":
      return restart.unhealthyAfterMs > 0 ? restart.unhealthyAfterMs : undefined;
    case "backoff":
      return backoffMs(
        { baseMs: restart.backoffMs, maxMs: restart.backoffMaxMs },
        life.failures,
        ratio,
      );
    case "longest backoff":
      return backoffMs({ baseMs: restart.backoffMaxMs, maxMs: restart.backoffMaxMs }, 1, ratio);
  }
}

function say(
  saying: Saying,
  before: Life,
  after: Life,
  event: LifeEvent,
  context: StepContext,
): Said {
  const sentence = saying.sentence.replace(/\{(\w+)\}/g, (_match, word: string) =>
    meaningOf(word, before, after, event, context),
  );
  return { kind: saying.kind, level: saying.level, sentence };
}

function meaningOf(
  word: string,
  before: Life,
  after: Life,
  event: LifeEvent,
  { instance, nowMs, settings }: StepContext,
): string {
  const startedAtMs = before.startedAtMs ?? after.startedAtMs;
  switch (word) {
    case "instance":
      return instance;
    case "cause":
      return causeInWords(before, event, startedAtMs, nowMs);
    case "age":
      return sayDuration(nowMs - before.sinceMs);
    case "ran":
      // Of an adopted process the start was read by another process's clock.
      return sayDuration(Math.max(0, nowMs - present(startedAtMs, "a process that ran")));
    case "next":
      return sayDuration(present(after.deadlineMs, "a deadline that was set") - nowMs);
    case "pid":
      return "pid" in event ? String(event.pid) : "?";
    case "port":
      return "port" in event ? String(event.port) : "?";
    case "ends":
      return sayEnds(after, settings);
    default:
      throw new AssertionError(`a meaning of {${word}}`);
  }
}

/** The event's own cause; for the end of a process that was told to end, why it was told. */
function causeInWords(
  before: Life,
  event: LifeEvent,
  startedAtMs: number | undefined,
  nowMs: number,
): string {
  const own = eventCause(event);
  if (event.kind !== "ended") return own ?? before.cause;
  const told = before.phase === "draining" || before.phase === "stopping";
  const ran =
    startedAtMs === undefined ? "" : ` after ${sayDuration(Math.max(0, nowMs - startedAtMs))}`;
  return told && before.cause !== "" ? `${before.cause} (${own})` : `${own}${ran}`;
}

function sayEnds(life: Life, { restart }: LifeSettings): string {
  const { crashLoopCount, crashLoopWithinMs } = restart;
  const within = `ended ${crashLoopCount} times within ${sayDuration(crashLoopWithinMs)}`;
  return life.failures > crashLoopCount ? `${within}, ${life.failures} in a row` : within;
}
