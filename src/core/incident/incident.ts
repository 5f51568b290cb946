// An incident: one trouble of one service, from the first sign of it to full strength again.
//
// Three times, one after another, that add up to the whole:
//
//   first sign ── detect ──> out by a verdict ── transfer ──> traffic goes elsewhere
//              ── recover ──> full strength: every instance that was out takes its place again
//
// Of several faults that overlap, the first one's detection and transfer are told, and the last
// one's recovery; each has its own lines in the timeline. All times are monotonic milliseconds of
// one machine's boot; the wall clock was read once, at the first sign, and is for people.
// docs/internals/incidents.md says how each is measured and what its error is.

/** Bounds of one incident; past them the beginning and the latest are kept. */
export const timelineMax = 120;
export const notesMax = 8;
export const instancesMax = 64;
export const sentenceLengthMax = 400;

export const incidentStates = [
  /** Requests are lost, slow or answered 5xx, and no verdict names an instance. */
  "open",
  /** A verdict or an ejection has taken an instance out. */
  "detected",
  /** Traffic goes elsewhere. */
  "transferred",
  /** Full strength; it is closed when that lasts. */
  "recovered",
  "closed",
] as const;
export type IncidentState = (typeof incidentStates)[number];

/** What a line of the timeline tells. */
export const momentKinds = [
  /** Something failed: a request, a check. */
  "sign",
  /** An instance is out. */
  "fault",
  /** Requests are lost, slow or answered 5xx. */
  "loss",
  /** Traffic goes elsewhere. */
  "transfer",
  /** An instance has its place again. */
  "mended",
  /** Full strength. */
  "recovery",
  /** Something that Nines or an operator did meanwhile: an event of the log. */
  "action",
  /** What bears on the account itself: control was away, the machine starved. */
  "note",
] as const;
export type MomentKind = (typeof momentKinds)[number];

export interface Moment {
  readonly atMs: number;
  readonly kind: MomentKind;
  readonly sentence: string;
}

/** What clients had of it. */
export interface Losses {
  /** Requests that failed by Nines' answer (502, 503, 504) or broke off. */
  readonly lost: number;
  /** Answers 5xx of the service itself. */
  readonly serverErrors: number;
  /** Answers over the slow limit of their time. */
  readonly slow: number;
  /** Upper bound of the slowest answer, at most 12.5% too high; 0: none was counted. */
  readonly worstMs: number;
  /** All requests that ended meanwhile, or began meanwhile and ended soon after. */
  readonly requests: number;
}

export const nothingLost: Losses = { lost: 0, serverErrors: 0, slow: 0, worstMs: 0, requests: 0 };

/** How certain a cause is; a more certain one of the same first fault takes the place. */
export const certainty = { loss: 0, ejection: 1, checks: 2, end: 3 } as const;
export type Certainty = (typeof certainty)[keyof typeof certainty];

export interface Incident {
  /** "3-1": the first that the control of term 3 saw. */
  readonly id: string;
  readonly service: string;
  readonly state: IncidentState;
  readonly cause: string;
  readonly causeCertainty: Certainty;
  /** The instance whose fault began it; undefined while none is known. */
  readonly firstInstance: string | undefined;
  /** All that were out in its course. */
  readonly instances: readonly string[];
  /** Those that are out now, each with its latest reason. */
  readonly out: Readonly<Record<string, string>>;
  readonly startedMs: number;
  readonly startedWallMs: number;
  readonly detectedMs: number | undefined;
  readonly transferredMs: number | undefined;
  readonly recoveredMs: number | undefined;
  readonly closedMs: number | undefined;
  /** The latest moment at which anything was lost, or seen of it. */
  readonly lastSignMs: number;
  readonly losses: Losses;
  readonly timeline: readonly Moment[];
  /** Moments that the bounds left out. */
  readonly omitted: number;
  readonly notes: readonly string[];
}

/** t1, t2, t3 and their sum; undefined as long as they are not known. */
export interface Times {
  readonly detectMs: number | undefined;
  readonly transferMs: number | undefined;
  readonly recoverMs: number | undefined;
  readonly totalMs: number | undefined;
}

export function timesOf(incident: Incident): Times {
  const { startedMs, detectedMs, transferredMs, recoveredMs } = incident;
  return {
    detectMs: span(startedMs, detectedMs),
    transferMs: span(detectedMs, transferredMs),
    recoverMs: span(transferredMs, recoveredMs),
    totalMs: span(startedMs, recoveredMs),
  };
}

function span(fromMs: number | undefined, toMs: number | undefined): number | undefined {
  return fromMs === undefined || toMs === undefined ? undefined : toMs - fromMs;
}

/** The wall time of one of its moments. */
export function wallMsOf({ startedMs, startedWallMs }: Incident, atMs: number): number {
  return startedWallMs + (atMs - startedMs);
}
