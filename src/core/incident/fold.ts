// Observations in, incidents out: the pure account of what happened to one service.
//
// One step takes what is known of the service and one observation, and gives what is known then and
// the incident if it has changed. Everything is told with the time at which it was so, not at which
// it was heard; what arrives is in the order of hearing. The same observations give the same
// incidents, whoever asks again.
//
// Invariants: started <= detected <= transferred <= recovered, so detect + transfer + recover is
// the whole; what was lost is counted in exactly one incident or in none; an incident is over only
// when nobody is out.
//
// Rejected: an incident for each instance (one broken switch is then thirty incidents), and one for
// the machine (then everything is always one incident).

import { assert } from "../base/assert.ts";
import { sayDuration } from "../base/duration.ts";
import {
  type Certainty,
  certainty,
  type Incident,
  instancesMax,
  type Losses,
  type Moment,
  type MomentKind,
  nothingLost,
  notesMax,
  sentenceLengthMax,
  timelineMax,
} from "./incident.ts";
import { type Happening, incidentTable, type State } from "./incident-table.ts";

/** A sign without loss or verdict is forgotten after this long. */
export const suspicionMs = 10_000;
/** Without a verdict, an incident is over when nothing was lost for so long. */
export const lossQuietMs = 5_000;
/** Reports come every 250 ms, with what was lost in the second before: more than this is a gap. */
const reportGapMs = 2_500;
/** Full strength has to last for so long; the same instance out again is the same incident. */
export const settleMs = 10_000;

export type Observation =
  /** `atMs` is when it began to fail: before it was heard. */
  | { readonly kind: "sign"; readonly atMs: number; readonly sentence: string }
  | {
      readonly kind: "fault";
      readonly atMs: number;
      /** When it began to fail, where that is known. */
      readonly sinceMs?: number | undefined;
      readonly instance: string;
      readonly sentence: string;
      readonly certainty: Certainty;
    }
  /** An instance has its place again, or is not wanted any more. */
  | {
      readonly kind: "mended";
      readonly atMs: number;
      readonly instance: string;
      readonly sentence: string;
    }
  /** Traffic goes elsewhere, for all that are out. */
  | { readonly kind: "elsewhere"; readonly atMs: number; readonly sentence: string }
  /** What clients had between `fromMs` and `atMs`; `notable` says whether that alone is trouble. */
  | {
      readonly kind: "counted";
      readonly atMs: number;
      readonly fromMs: number;
      readonly losses: Losses;
      readonly notable: boolean;
    }
  | { readonly kind: "action"; readonly atMs: number; readonly sentence: string }
  | { readonly kind: "note"; readonly atMs: number; readonly sentence: string }
  /** Time passes; told at least every second while an account is open. */
  | { readonly kind: "passed"; readonly atMs: number };

/** What is known of a service: a first sign, or the incident it became. */
export interface Account {
  readonly state: State;
  readonly service: string;
  /** While suspected: the first sign and what was met, and when the last one was. */
  readonly suspicion: Suspicion | undefined;
  readonly incident: Incident | undefined;
  /** The one that this very step has closed, because another begins. */
  readonly previous: Incident | undefined;
}

interface Suspicion {
  readonly first: Moment;
  readonly firstWallMs: number;
  readonly lastMs: number;
  readonly losses: Losses;
}

export interface Context {
  readonly wallMs: number;
  /** The next incident's id; taken only when one opens. */
  readonly id: string;
}

export function quietAccount(service: string): Account {
  return {
    state: "quiet",
    service,
    suspicion: undefined,
    incident: undefined,
    previous: undefined,
  };
}

/** Goes on with an incident that an earlier control has opened. */
export function resumedAccount(incident: Incident): Account {
  const { state, service } = incident;
  assert(state !== "closed", "what is closed is not gone on with");
  return { state, service, suspicion: undefined, incident, previous: undefined };
}

/** The account after one observation. `incident` of a quiet account is the one just closed. */
export function observed(account: Account, seen: Observation, context: Context): Account {
  // What is over is told once, by the account that closed it.
  const isTold = account.state === "quiet" && account.incident !== undefined;
  const fresh = isTold || account.previous !== undefined ? told(account) : account;
  switch (seen.kind) {
    case "sign":
      return signed(fresh, seen, context);
    case "fault":
      return fault(fresh, seen, context);
    case "mended":
      return mended(fresh, seen);
    case "elsewhere":
      return fresh.state === "detected"
        ? step(put(fresh, "transfer", seen), "elsewhere", seen)
        : fresh;
    case "counted":
      return counted(fresh, seen, context);
    case "action":
      return isAfterRecovery(fresh, seen) ? fresh : put(fresh, "action", seen);
    case "note":
      return note(put(fresh, "note", seen), seen.sentence);
    case "passed":
      return isStill(fresh, seen.atMs) ? step(fresh, "still", seen) : fresh;
  }
}

function told(account: Account): Account {
  const incident = account.state === "quiet" ? undefined : account.incident;
  return { ...account, incident, previous: undefined };
}

type Seen = { readonly atMs: number; readonly sentence?: string };

/** What began to fail earlier than the incident's other signs was its beginning. */
function signed(account: Account, seen: Seen, context: Context): Account {
  if (account.incident === undefined) return step(suspect(account, seen, context), "sign", seen);
  return put(begunAt(account, account.incident, seen.atMs), "sign", seen);
}

function begunAt(account: Account, incident: Incident, atMs: number): Account {
  const earlierMs = incident.startedMs - atMs;
  if (account.state === "recovered" || earlierMs <= 0) return account;
  const startedWallMs = incident.startedWallMs - earlierMs;
  return { ...account, incident: { ...incident, startedMs: atMs, startedWallMs } };
}

/** No notice tells of a 5xx: it may have come before the ejection that it led to. */
function beganBefore(account: Account, { losses, fromMs }: Counted): Account {
  const { incident } = account;
  if (incident === undefined || losses.serverErrors === 0) return account;
  return incident.startedMs - fromMs > reportGapMs ? account : begunAt(account, incident, fromMs);
}

/** The first sign of something is kept, whatever it becomes. */
function suspect(account: Account, seen: Seen, context: Context): Account {
  const known = account.suspicion;
  const first: Moment = { atMs: seen.atMs, kind: "sign", sentence: clip(seen.sentence ?? "") };
  const earlier = known === undefined || seen.atMs < known.first.atMs;
  return {
    ...account,
    suspicion: {
      first: earlier ? first : known.first,
      firstWallMs: known?.firstWallMs ?? context.wallMs,
      lastMs: Math.max(seen.atMs, known?.lastMs ?? seen.atMs),
      losses: known?.losses ?? nothingLost,
    },
  };
}

type Fault = Extract<Observation, { readonly kind: "fault" }>;

function fault(account: Account, seen: Fault, context: Context): Account {
  const { instance, sentence } = seen;
  const { state, incident: known } = account;
  if (state === "recovered" && known?.instances.includes(instance) === false) {
    const previous = step(account, "still", seen).incident;
    return { ...fault(quietAccount(account.service), seen, context), previous };
  }
  const before = known?.out[instance];
  const opened = open(account, { ...seen, atMs: seen.sinceMs ?? seen.atMs }, context);
  const incident = {
    ...opened,
    out: { ...opened.out, [instance]: clip(sentence) },
    instances: withInstance(opened.instances, instance),
    firstInstance: opened.firstInstance ?? instance,
    ...betterCause(opened, seen),
    detectedMs: opened.detectedMs ?? Math.max(seen.atMs, opened.startedMs),
    recoveredMs: undefined,
    lastSignMs: Math.max(opened.lastSignMs, seen.atMs),
  };
  const counted = { ...account, suspicion: undefined, incident };
  // A second word on one that is out already adds a line, and no new detection.
  if (before !== undefined) return put(counted, "fault", seen);
  return step(put(counted, "fault", seen, true), "fault", seen);
}

function mended(account: Account, seen: Seen & { readonly instance: string }): Account {
  const { incident } = account;
  if (incident === undefined || incident.out[seen.instance] === undefined) return account;
  const { [seen.instance]: _, ...out } = incident.out;
  const after = put({ ...account, incident: { ...incident, out } }, "mended", seen);
  return Object.keys(out).length === 0 ? step(after, "whole", seen) : after;
}

type Counted = Extract<Observation, { readonly kind: "counted" }>;

function counted(account: Account, seen: Counted, context: Context): Account {
  const { losses, notable, fromMs, atMs } = seen;
  const begins = { atMs: fromMs, sentence: sayLosses(losses) };
  if (!notable && isAfterwards(account.incident, seen)) return account;
  if (!notable && account.incident === undefined) {
    if (account.suspicion === undefined) return account;
    const { suspicion } = account;
    return {
      ...account,
      suspicion: { ...suspicion, losses: addLosses(suspicion.losses, losses) },
    };
  }
  const opened = open(account, begins, context);
  const incident: Incident = {
    ...opened,
    losses: addLosses(opened.losses, losses),
    lastSignMs: notable ? Math.max(opened.lastSignMs, atMs) : opened.lastSignMs,
  };
  const after = mindGap(beganBefore({ ...account, suspicion: undefined, incident }, seen), seen);
  if (!notable) return after;
  const isFirst = opened.losses.lost + opened.losses.serverErrors + opened.losses.slow === 0;
  const line = { atMs, sentence: begins.sentence };
  return step(isFirst ? put(after, "loss", line) : after, "loss", line);
}

/** Whether even the slowest of these requests began at full strength: none is this incident's. */
function isAfterwards(incident: Incident | undefined, { losses, fromMs }: Counted): boolean {
  const recoveredMs = incident?.recoveredMs;
  return recoveredMs !== undefined && fromMs - losses.worstMs >= recoveredMs;
}

/** What a worker counted while nobody heard it may have been before this incident. */
function mindGap(account: Account, { losses, fromMs, atMs }: Counted): Account {
  const beforeMs = (account.incident?.startedMs ?? fromMs) - fromMs;
  if (beforeMs <= reportGapMs || losses.lost + losses.serverErrors + losses.slow === 0) {
    return account;
  }
  const silentFor = `a worker was out of touch for ${sayDuration(atMs - fromMs)}`;
  const early = `may have been up to ${sayDuration(beforeMs)} before the first sign`;
  return note(account, `${sayLosses(losses)} ${early}: ${silentFor}`);
}

/** The incident under way; or a new one, which begins with the first sign of it. */
function open(account: Account, seen: Seen, context: Context): Incident {
  if (account.incident !== undefined) return account.incident;
  const known = account.suspicion;
  const isEarlier = known !== undefined && known.first.atMs < seen.atMs;
  const startedMs = isEarlier ? known.first.atMs : seen.atMs;
  const sentence = clip(seen.sentence ?? "");
  return {
    id: context.id,
    service: account.service,
    state: "open",
    cause: sentence,
    causeCertainty: certainty.loss,
    firstInstance: undefined,
    instances: [],
    out: {},
    startedMs,
    startedWallMs: isEarlier ? known.firstWallMs : context.wallMs,
    detectedMs: undefined,
    transferredMs: undefined,
    recoveredMs: undefined,
    closedMs: undefined,
    lastSignMs: seen.atMs,
    losses: known?.losses ?? nothingLost,
    timeline: isEarlier ? [known.first] : [],
    omitted: 0,
    notes: [],
  };
}

/** Which state follows, and what time that fixes. */
function step(account: Account, happening: Happening, seen: Seen): Account {
  const { next } = incidentTable[account.state][happening] ?? { next: account.state };
  const { incident } = account;
  if (next === account.state) return account;
  if (next === "suspected") return { ...account, state: next };
  if (next === "quiet") {
    const closed: Incident | undefined = incident && {
      ...incident,
      state: "closed",
      closedMs: seen.atMs,
    };
    return { ...account, state: next, suspicion: undefined, incident: closed };
  }
  assert(incident !== undefined, "whoever is past suspicion has an incident");
  const moved = { ...account, state: next, incident: { ...incident, state: next } };
  if (next === "transferred") return transferred(moved, moved.incident, seen.atMs);
  if (next === "recovered") return recovered(moved, moved.incident, happening, seen.atMs);
  return { ...moved, incident: { ...moved.incident, recoveredMs: undefined } };
}

function transferred(account: Account, incident: Incident, atMs: number): Account {
  const transferredMs = incident.transferredMs ?? Math.max(atMs, incident.detectedMs ?? atMs);
  return { ...account, incident: { ...incident, transferredMs } };
}

/**
 * Nobody could take over before it was back: then traffic went elsewhere when it was back. What
 * was never found out ended with its last loss.
 */
function recovered(
  account: Account,
  incident: Incident,
  happening: Happening,
  atMs: number,
): Account {
  const { detectedMs, startedMs } = incident;
  const endMs = happening === "still" ? incident.lastSignMs : atMs;
  const foundOut = detectedMs !== undefined;
  const transferredMs = foundOut
    ? (incident.transferredMs ?? Math.max(endMs, detectedMs))
    : undefined;
  const recoveredMs = Math.max(endMs, transferredMs ?? startedMs);
  const lasted = sayDuration(recoveredMs - startedMs);
  const sentence =
    happening === "still"
      ? `nothing is lost any more, after ${lasted}`
      : `full strength after ${lasted}`;
  const whole = { ...incident, transferredMs, recoveredMs };
  return put({ ...account, incident: whole }, "recovery", { atMs: recoveredMs, sentence });
}

function isStill(account: Account, nowMs: number): boolean {
  return nowMs >= stillAtMs(account);
}

/** When it is over if nothing else happens; Infinity: time alone does not end it. */
export function stillAtMs({ state, suspicion, incident }: Account): number {
  if (state === "suspected") return (suspicion?.lastMs ?? Infinity) + suspicionMs;
  if (incident === undefined || Object.keys(incident.out).length > 0) return Infinity;
  if (state === "open") return incident.lastSignMs + lossQuietMs;
  if (state !== "recovered") return Infinity;
  return Math.max(incident.recoveredMs ?? Infinity, incident.lastSignMs) + settleMs;
}

/** A line for the timeline; the beginning and the latest are kept when there are too many. */
function put(
  account: Account,
  kind: MomentKind,
  { atMs, sentence = "" }: Seen,
  isAnew = false,
): Account {
  const { incident } = account;
  if (incident === undefined) return account;
  const moment: Moment = { atMs, kind, sentence: clip(sentence) };
  const known = saidBefore(incident.timeline, moment, isAnew);
  if (known !== undefined) {
    // The event or the sign came first, and what it meant after it: one line, of the more telling
    // kind.
    if (weightOf(kind) <= weightOf(known.kind)) return account;
    const timeline = incident.timeline.map((one) => (one === known ? { ...known, kind } : one));
    return { ...account, incident: { ...incident, timeline } };
  }
  const half = timelineMax / 2;
  const isFull = incident.timeline.length >= timelineMax;
  const kept = isFull
    ? [...incident.timeline.slice(0, half), ...incident.timeline.slice(half + 1)]
    : incident.timeline;
  const omitted = incident.omitted + (isFull ? 1 : 0);
  // What is heard of late stands where it happened.
  let place = kept.length;
  while (place > 0 && (kept[place - 1]?.atMs ?? 0) > atMs) place--;
  const timeline = [...kept.slice(0, place), moment, ...kept.slice(place)];
  return { ...account, incident: { ...incident, timeline, omitted } };
}

/**
 * The line that says the same. What fails again and again is told once until full strength; what is
 * lost anew is told anew, if not by the line of a moment ago.
 */
function saidBefore(
  timeline: readonly Moment[],
  { kind, sentence }: Moment,
  isAnew: boolean,
): Moment | undefined {
  const isRepeatable = kind === "sign" || kind === "action" || (kind === "fault" && !isAnew);
  const from = isRepeatable
    ? timeline.findLastIndex((one) => one.kind === "recovery") + 1
    : Math.max(0, timeline.length - 3);
  const known = timeline.slice(from).findLast((one) => one.sentence === sentence);
  return isAnew && known?.kind === "fault" ? undefined : known;
}

function weightOf(kind: MomentKind): number {
  return kind === "action" ? 0 : kind === "sign" ? 1 : 2;
}

/** What is done at full strength is not done about it. */
function isAfterRecovery({ state, incident }: Account, { atMs }: Seen): boolean {
  return state === "recovered" && atMs > (incident?.recoveredMs ?? atMs);
}

function note(account: Account, sentence: string): Account {
  const { incident } = account;
  if (incident === undefined || incident.notes.length >= notesMax) return account;
  const clipped = clip(sentence);
  if (incident.notes.includes(clipped)) return account;
  return { ...account, incident: { ...incident, notes: [...incident.notes, clipped] } };
}

function withInstance(known: readonly string[], instance: string): readonly string[] {
  if (known.includes(instance) || known.length >= instancesMax) return known;
  return [...known, instance];
}

/** Of the first instance that is out, the most certain reason is the cause. */
function betterCause(incident: Incident, seen: Fault): Partial<Incident> {
  const isFirst = (incident.firstInstance ?? seen.instance) === seen.instance;
  const isAny = incident.detectedMs === undefined;
  if (!isAny && !(isFirst && seen.certainty > incident.causeCertainty)) return {};
  return { cause: clip(seen.sentence), causeCertainty: seen.certainty };
}

export function addLosses(a: Losses, b: Losses): Losses {
  return {
    lost: a.lost + b.lost,
    serverErrors: a.serverErrors + b.serverErrors,
    slow: a.slow + b.slow,
    worstMs: Math.max(a.worstMs, b.worstMs),
    requests: a.requests + b.requests,
  };
}

/** "3 requests lost, 12 answered 5xx, 4 slow" of those that are not zero. */
export function sayLosses({ lost, serverErrors, slow }: Losses): string {
  const parts = [
    lost > 0 ? `${lost} ${lost === 1 ? "request" : "requests"} lost` : "",
    serverErrors > 0 ? `${serverErrors} answered 5xx by the service` : "",
    slow > 0 ? `${slow} slow` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "no request lost or slow" : parts.join(", ");
}

function clip(sentence: string): string {
  if (sentence.length <= sentenceLengthMax) return sentence;
  return `${sentence.slice(0, sentenceLengthMax - 1)}…`;
}
