// The failover of one `primary-standby` service, one step at a time: `pendingEvents` says what is
// so now and matters in this phase, `step` finds the row of failover-table.ts and returns the
// state after it, the command, and the sentence.
//
// Events are conditions, looked at again and again, and not messages that can be lost: a control
// that was killed between any two steps sees the same world and decides the same. What must
// outlive it is `KeptFailover`, written before a promotion is published. Pure: the loop that
// drives it holds one timer and asks the world.

import { assert, present } from "../base/assert.ts";
import { sayDuration } from "../base/duration.ts";
import {
  type FailoverCommand,
  type FailoverDeadline,
  type FailoverEventKind,
  type FailoverGuard,
  type FailoverPhase,
  type FailoverRow,
  type FailoverSaying,
  failoverTable,
  impossible,
  withoutEffect,
} from "./failover-table.ts";

/** How a service moves; times in milliseconds. */
export interface FailoverRules {
  readonly failback: "automatic" | "manual";
  /** How long the preferred one must have been well before it gets its place back. */
  readonly minimumHealthyMs: number;
  /** Longest that a planned move waits for requests under way; new ones wait as long. */
  readonly drainMs: number;
  /** Longest wait for the workers' word before the primary is killed. */
  readonly fenceMs: number;
  /** What follows where it cannot be killed. */
  readonly unfenced: "wait" | "promote";
}

export interface FailoverState {
  readonly phase: FailoverPhase;
  /** When the phase began. */
  readonly sinceMs: number;
  readonly deadlineMs: number | undefined;
  /** Of the latest promotion; 0 before the first. */
  readonly epoch: number;
  /** Who was promoted last; in `vacant` and `fencing` it gets no traffic any more. */
  readonly primary: string | undefined;
  /** Who is to take over: chosen in `holding` and `switching`. */
  readonly successor: string | undefined;
  /** An operator chose this primary: no failback by itself. */
  readonly pinned: boolean;
  /** Why the move under way was begun. */
  readonly cause: string;
  /** The row that spoke last without a move, so that it speaks once. */
  readonly noted: string;
}

/** What must outlive control. */
export interface KeptFailover {
  readonly epoch: number;
  readonly primary: string;
  readonly pinned: boolean;
}

export type PrimaryCondition =
  | "well"
  /** Not checked yet by this control. */
  | "unknown"
  | "failing"
  | "leaving"
  | "ended";

/** The world as the loop sees it now. */
export interface Situation {
  readonly nowMs: number;
  /** Of the primary, and why it is so as a part of a sentence. */
  readonly primary: PrimaryCondition;
  readonly why: string;
  /** Instances that could be primary now, best first; the primary itself too if it is well. */
  readonly fit: readonly string[];
  /** Instances whose process is about to be there, or is there and not ready yet. */
  readonly starting: readonly string[];
  /** Somebody fit has been so for long: this is no common start. */
  readonly settled: boolean;
  /** Whose place it is: first of the order. */
  readonly preferred: string | undefined;
  /** No living worker sends to the primary; where nobody was primary: to any of them. */
  readonly fenced: boolean;
  /** Every living worker is heard: a planned move can be finished. */
  readonly heard: boolean;
  /** Its process is ours to end. */
  readonly killable: boolean;
  readonly maintenance: boolean;
}

export interface FailoverEvent {
  readonly kind: FailoverEventKind;
  /** Of an order: who is wanted. */
  readonly target?: string | undefined;
  readonly cause: string;
}

export interface FailoverContext {
  readonly service: string;
  readonly rules: FailoverRules;
  readonly situation: Situation;
  /** What the next promotion gets; larger than any before. */
  readonly nextEpoch: number;
}

export interface FailoverSaid {
  readonly kind: string;
  readonly level: FailoverSaying["level"];
  readonly sentence: string;
}

export interface FailoverStep {
  /** The same value when nothing changes. */
  readonly state: FailoverState;
  readonly command: FailoverCommand | undefined;
  readonly said: FailoverSaid | undefined;
}

/** Workers that are well say their word within this, however long a primary is given. */
const wordMs = 500;
/** How long a service whose instances start together waits for the one whose place it is. */
export const startPatienceMs = 2_000;

/** Epochs of one control begin above all that a control before it can have given. */
export const epochsInTerm = 1_000_000;

export function nextEpoch(epoch: number, term: number): number {
  return Math.max(epoch, term * epochsInTerm) + 1;
}

/** "3.1": the first promotion by the control with term 3. */
export function sayEpoch(epoch: number): string {
  return `${Math.floor(epoch / epochsInTerm)}.${epoch % epochsInTerm}`;
}

/**
 * Where a control begins. Without a record nobody knows whom workers follow: first all of them must
 * have said that they send to nobody.
 */
export function bornFailover(
  kept: KeptFailover | undefined,
  nowMs: number,
  { fenceMs }: FailoverRules,
): FailoverState {
  return {
    phase: kept === undefined ? "fencing" : "serving",
    sinceMs: nowMs,
    deadlineMs: kept === undefined ? nowMs + Math.max(fenceMs, wordMs) : undefined,
    epoch: kept?.epoch ?? 0,
    primary: kept?.primary,
    successor: undefined,
    pinned: kept?.pinned ?? false,
    cause: "it is the first",
    noted: "",
  };
}

/** Who would be promoted now, if somebody had to be. */
export function candidateOf(state: FailoverState, situation: Situation): string | undefined {
  const { fit } = situation;
  if (state.phase === "vacant") return vacantCandidates(state, situation)[0];
  const others = fit.filter((id) => id !== state.primary);
  const chosen = state.successor !== undefined && others.includes(state.successor);
  return chosen ? state.successor : others[0];
}

/**
 * Whether an instance without a process may get one: a worker that has not heard of the promotion
 * of another would send to it. `sealed`: no living worker sends to it since it was primary last.
 */
export function mayStart(state: FailoverState, id: string, sealed: boolean): boolean {
  return sealed || id === state.primary;
}

/** Before the last primary is out of reach, it alone may come back. */
function vacantCandidates(state: FailoverState, situation: Situation): readonly string[] {
  const { fit, primary, fenced, starting, settled, preferred, nowMs } = situation;
  const isExpected = starting.includes(state.primary ?? preferred ?? "");
  if (isExpected && !settled && nowMs - state.sinceMs < startPatienceMs) return [];
  if (fenced || primary === "ended") return fit;
  return fit.filter((id) => id === state.primary);
}

/** What is so now and has an effect in this phase, the most urgent first. */
export function pendingEvents(
  state: FailoverState,
  situation: Situation,
  rules: FailoverRules,
): readonly FailoverEvent[] {
  const { preferred, why, nowMs } = situation;
  const events: FailoverEvent[] = [];
  const add = (kind: FailoverEventKind, holds: boolean, cause: string): void => {
    if (!holds || withoutEffect[state.phase].includes(kind)) return;
    if (!impossible[state.phase].includes(kind)) events.push({ kind, cause });
  };
  const known = state.primary !== undefined;
  add("primary-ended", known && situation.primary === "ended", why);
  add("primary-failing", known && situation.primary === "failing", why);
  const lost = whyLost(state, situation);
  add("successor-lost", lost !== undefined, lost ?? "");
  const due = state.deadlineMs !== undefined && nowMs >= state.deadlineMs;
  const isKilledFirst = killsFirst(state, situation, rules);
  add("deadline", due && isKilledFirst, state.cause);
  add("fenced", situation.fenced, state.cause);
  add("primary-leaving", known && situation.primary === "leaving", why);
  add("deadline", due && !isKilledFirst, deadlineCause(state, rules));
  add("candidate", candidateOf(state, situation) !== undefined, vacantCause(state, situation));
  add("preferred-fit", wantsFailback(state, situation, rules), `${preferred} is its preferred one`);
  return events;
}

/**
 * Without any time for the workers' word, a hung primary dies whether or not they have said it:
 * what lies in its sockets they do not know of.
 */
function killsFirst(
  { phase }: FailoverState,
  { primary, killable }: Situation,
  { fenceMs }: FailoverRules,
): boolean {
  return phase === "fencing" && fenceMs === 0 && primary === "failing" && killable;
}

/** Why who was chosen cannot take over; undefined when it can. */
function whyLost(state: FailoverState, { fit, heard, preferred }: Situation): string | undefined {
  const { phase, successor } = state;
  if (successor === undefined) return undefined;
  if (!fit.includes(successor)) return `${successor} is not fit any more`;
  if (phase !== "holding") return undefined;
  if (successor !== preferred) return `${preferred} is preferred now`;
  return heard ? undefined : unheard;
}

const unheard = "a worker of the gateway is not heard, it may go on by an older table";

function wantsFailback(
  state: FailoverState,
  { preferred, fit, primary, heard }: Situation,
  { failback }: FailoverRules,
): boolean {
  if (failback === "manual" || state.pinned || preferred === undefined) return false;
  return preferred !== state.primary && heard && fit.includes(preferred) && primary === "well";
}

function deadlineCause(state: FailoverState, { minimumHealthyMs }: FailoverRules): string {
  if (state.phase !== "holding") return state.cause;
  return `${state.successor} has been well for ${sayDuration(minimumHealthyMs)}`;
}

function vacantCause(state: FailoverState, situation: Situation): string {
  const next = candidateOf(state, situation);
  if (state.primary === undefined) return "it is the first that is fit";
  return next === state.primary ? "it is well again" : `${state.primary} is not there`;
}

export function step(
  state: FailoverState,
  event: FailoverEvent,
  context: FailoverContext,
): FailoverStep {
  const { phase } = state;
  const pair = `${event.kind} while ${phase}`;
  assert(!impossible[phase].includes(event.kind), `${context.service} never sees ${pair}`);
  if (withoutEffect[phase].includes(event.kind)) {
    return { state, command: undefined, said: undefined };
  }
  const found = rowsOf(phase, event.kind).find(
    ({ when }) => when === undefined || guardHolds[when](state, event, context),
  );
  const row = present(found, `a row for ${pair}`);
  return follow(state, event, row, context);
}

const rowsByPair = new Map<string, readonly FailoverRow[]>();
for (const row of failoverTable) {
  const key = `${row.from} ${row.on}`;
  rowsByPair.set(key, [...(rowsByPair.get(key) ?? []), row]);
}

function rowsOf(phase: FailoverPhase, kind: FailoverEventKind): readonly FailoverRow[] {
  return rowsByPair.get(`${phase} ${kind}`) ?? [];
}

type GuardHolds = (state: FailoverState, event: FailoverEvent, context: FailoverContext) => boolean;

const guardHolds: Readonly<Record<FailoverGuard, GuardHolds>> = {
  // A service that never had a primary, or whose primary is back, is not moved by getting it.
  "in maintenance": (state, event, { situation }) => {
    if (!situation.maintenance || state.primary === undefined) return false;
    return event.kind !== "candidate" || candidateOf(state, situation) !== state.primary;
  },
  "another is fit": (state, _event, { situation }) => candidateOf(state, situation) !== undefined,
  "nobody was primary": (state) => state.primary === undefined,
  "its target is fit": (state, event, { situation }) =>
    whyNotTo(event.target, state, situation) === undefined,
  "its target serves": (state, { target }) => target === state.primary && target !== undefined,
  "the primary is well": (_state, _event, { situation }) => situation.primary === "well",
  "it can be killed": (state, _event, { situation }) =>
    state.primary !== undefined && situation.killable,
  "unfenced is allowed": (state, _event, { situation, rules }) =>
    rules.unfenced === "promote" && candidateOf(state, situation) !== undefined,
};

/** Why an order to move there is refused; undefined when it can be followed. */
function whyNotTo(
  target: string | undefined,
  state: FailoverState,
  situation: Situation,
): string | undefined {
  const { phase, primary } = state;
  if (phase === "switching" || phase === "fencing") return "it is being moved already";
  if (target === undefined) return "nobody else is fit";
  if (target === primary && phase !== "vacant") return `${target} is its primary already`;
  if (phase !== "vacant" && !situation.heard) return unheard;
  const fit = phase === "vacant" ? vacantCandidates(state, situation) : situation.fit;
  return fit.includes(target) ? undefined : `${target} is not fit: it is not up, or it is drained`;
}

/** The state that a row leads to. */
function follow(
  state: FailoverState,
  event: FailoverEvent,
  row: FailoverRow,
  context: FailoverContext,
): FailoverStep {
  const { rules, situation } = context;
  const { nowMs } = situation;
  const promotes = row.command === "promote";
  const ordered = event.kind === "order-failover" || event.kind === "order-failback";
  const next = ordered ? event.target : nextOf(state, event, situation);
  const refused = ordered && row.to === state.phase && !promotes;
  const cause = refused ? (whyNotTo(next, state, situation) ?? event.cause) : event.cause;
  const lastsMs = deadlineLastsMs(row.deadline, rules, situation);
  const deadlineMs = row.deadline === "kept" ? state.deadlineMs : undefined;
  const moved = row.to !== state.phase || promotes;
  const after: FailoverState = {
    phase: row.to,
    sinceMs: moved ? nowMs : state.sinceMs,
    deadlineMs: lastsMs === undefined ? deadlineMs : nowMs + lastsMs,
    epoch: promotes ? context.nextEpoch : state.epoch,
    primary: promotes ? present(next, "somebody to promote") : state.primary,
    successor: successorAfter(state, row, next),
    pinned: row.pin ?? state.pinned,
    // A primary that is only to be replaced later serves for the reason that it was promoted for.
    cause:
      moved && (promotes || !isServing(state.phase) || !isServing(row.to)) ? cause : state.cause,
    noted: moved ? "" : state.noted,
  };
  const isFailback = promotes && state.phase === "switching" && next === situation.preferred;
  const kind = isFailback ? "failover.failed-back" : row.says?.kind;
  const words = { ...context, next, cause };
  const spoken = row.says && say(row.says, state, after, words);
  const said = spoken && { ...spoken, kind: kind ?? spoken.kind };
  if (moved || ordered) return { state: after, command: row.command, said };
  return noted(state, after, row, said);
}

function isServing(phase: FailoverState["phase"]): boolean {
  return phase === "serving" || phase === "holding";
}

/** Without a move, what is the same as last time is not said again. */
function noted(
  before: FailoverState,
  after: FailoverState,
  row: FailoverRow,
  said: FailoverSaid | undefined,
): FailoverStep {
  const spoke = `${row.from} ${row.on} ${row.when ?? ""}`;
  const news = said !== undefined && spoke !== after.noted;
  const same = after.deadlineMs === before.deadlineMs && after.pinned === before.pinned;
  const state = news ? { ...after, noted: spoke } : same ? before : after;
  return { state, command: row.command, said: news ? said : undefined };
}

function nextOf(
  state: FailoverState,
  event: FailoverEvent,
  situation: Situation,
): string | undefined {
  if (event.kind === "preferred-fit") return situation.preferred;
  if (event.kind === "successor-lost") return state.successor;
  return candidateOf(state, situation);
}

function successorAfter(
  state: FailoverState,
  row: FailoverRow,
  next: string | undefined,
): string | undefined {
  if (row.to === "vacant" || row.to === "serving") return undefined;
  return row.to === state.phase ? state.successor : next;
}

function deadlineLastsMs(
  kind: FailoverDeadline,
  rules: FailoverRules,
  { killable }: Situation,
): number | undefined {
  switch (kind) {
    case "none":
    case "kept":
      return undefined;
    case "hold":
      return rules.minimumHealthyMs;
    case "drain":
      return rules.drainMs;
    case "again":
      return Math.max(rules.fenceMs, wordMs);
    case "fence":
      return killable ? rules.fenceMs : Math.max(rules.fenceMs, wordMs);
  }
}

interface Words extends FailoverContext {
  readonly next: string | undefined;
  readonly cause: string;
}

function say(
  { kind, level, sentence }: FailoverSaying,
  before: FailoverState,
  after: FailoverState,
  { service, next, cause, situation: { nowMs } }: Words,
): FailoverSaid {
  const words: Readonly<Record<string, () => string>> = {
    service: () => service,
    primary: () => before.primary ?? "any of its instances",
    next: () => next ?? "nobody",
    cause: () => cause,
    within: () => sayDuration(present(after.deadlineMs, "a deadline that was set") - nowMs),
    age: () => sayDuration(nowMs - before.sinceMs),
    epoch: () => sayEpoch(after.epoch),
  };
  const text = sentence.replace(/\{(\w+)\}/g, (_match, word: string) =>
    present(words[word], `a meaning of {${word}}`)(),
  );
  return { kind, level, sentence: text };
}

/** A record of failover, or undefined when it is none. */
export function readKeptFailover(value: unknown): KeptFailover | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { epoch, primary, pinned } = value as Partial<Record<keyof KeptFailover, unknown>>;
  const good = Number.isSafeInteger(epoch) && typeof primary === "string" && primary !== "";
  return good ? { epoch: epoch as number, primary, pinned: pinned === true } : undefined;
}
