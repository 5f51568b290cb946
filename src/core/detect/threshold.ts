// Is this instance up? Counting checks, as HAProxy does: `fall` failures in a row make it down,
// `rise` passes in a row make it up again (doc/configuration.txt, "fall", "rise", "inter",
// "fastinter").
//
// Four additions:
// - Unchecked is `unknown`, and the first pass ends it whatever `rise` says: that is readiness
//   (Envoy does the same at startup). HAProxy's default, unchecked counts as up, sends requests to
//   what has not yet opened its port (haproxy#51).
// - A suspicion from live traffic asks for a check at once, and confirms it: the one check that
//   fails then is enough. Two witnesses, the data plane and the check, need no third; one alone,
//   that an attacker can make (a URL that always fails), changes nothing.
// - The steady interval is used only when nothing is changing, and `downInterval` for what is down;
//   in all other states the fast one.
// - Silence is evidence against the instance only if the observer is well (observer-health.ts). Who
//   asks decides that before it calls `judge`; while in doubt, silence confirms no suspicion.
//
// Its worst case is in bounds.ts.
//
// Pure: `judge(state, result, settings)` returns the state and, when the verdict changed, why.

import { assert } from "../base/assert.ts";
import { sayDuration } from "../base/duration.ts";

export interface ThresholdSettings {
  readonly intervalMs: number;
  readonly fastIntervalMs: number;
  readonly downIntervalMs: number;
  readonly fall: number;
  readonly rise: number;
  /** The observer is not well: a silent check and live traffic are then not two witnesses. */
  readonly doubt?: boolean;
}

export interface CheckResult {
  readonly passed: boolean;
  /** "answered 200", "connection refused", "no answer in 500 ms". */
  readonly detail: string;
  /** Nothing came in time, no refusal either. */
  readonly silent?: true;
}

export interface ThresholdState {
  readonly verdict: "unknown" | "up" | "down";
  /** It has passed a check in this life. */
  readonly passedOnce: boolean;
  /** Results in a row that speak against the verdict (against `up` while it is unknown). */
  readonly against: number;
  /** What live traffic saw, until a check has answered it. */
  readonly suspicion: string | undefined;
  /**
   * When the first of the failures was seen that speak, or spoke, for down; undefined while well.
   */
  readonly failingSinceMs: number | undefined;
}

export interface Judgement {
  readonly state: ThresholdState;
  /** Why the verdict changed, without the instance's name; undefined when it did not. */
  readonly changed: string | undefined;
}

export const unchecked: ThresholdState = {
  verdict: "unknown",
  passedOnce: false,
  against: 0,
  suspicion: undefined,
  failingSinceMs: undefined,
};

/** HAProxy's init-state. "up": one failure ends it; "down": one pass does. */
export type InitialState = "up" | "down" | "unchecked";

export function initially(state: InitialState): ThresholdState {
  return state === "unchecked" ? unchecked : { ...unchecked, verdict: state };
}

/** Live traffic failed. Wants a check now; a suspicion of what is down already says nothing new. */
export function suspect(state: ThresholdState, detail: string): ThresholdState {
  return state.verdict === "down" ? state : { ...state, suspicion: detail };
}

export function judge(
  state: ThresholdState,
  result: CheckResult,
  nowMs: number,
  settings: ThresholdSettings,
): Judgement {
  assert(settings.fall >= 1 && settings.rise >= 1, "a verdict takes at least one check");
  return result.passed
    ? pass(state, result, nowMs, settings)
    : fail(state, result, nowMs, settings);
}

function pass(
  state: ThresholdState,
  result: CheckResult,
  nowMs: number,
  settings: ThresholdSettings,
): Judgement {
  const down = state.verdict === "down";
  const against = down ? state.against + 1 : 0;
  const firstPass = !state.passedOnce && state.verdict !== "up";
  const up = firstPass || (down && against >= settings.rise);
  return {
    state: {
      verdict: up ? "up" : state.verdict,
      passedOnce: true,
      against: up ? 0 : against,
      suspicion: undefined,
      failingSinceMs: down && !up ? state.failingSinceMs : undefined,
    },
    changed: up ? sayUp(state, against, firstPass, result, nowMs) : undefined,
  };
}

function fail(
  state: ThresholdState,
  result: CheckResult,
  nowMs: number,
  settings: ThresholdSettings,
): Judgement {
  const against = state.verdict === "down" ? 0 : state.against + 1;
  const failing = {
    ...state,
    against,
    suspicion: undefined,
    failingSinceMs: state.failingSinceMs ?? nowMs,
  };
  if (state.verdict === "down") return { state: failing, changed: undefined };
  const heard = result.silent !== true || settings.doubt !== true;
  const confirmed = state.suspicion !== undefined && heard;
  const assumed = state.verdict === "up" && !state.passedOnce;
  if (against < settings.fall && !confirmed && !assumed)
    return { state: failing, changed: undefined };
  return {
    state: { ...failing, verdict: "down", against: 0 },
    changed: sayDown(state, against, result, confirmed),
  };
}

/** How long to wait for the next check, from the end of the last. */
export function nextCheckMs(state: ThresholdState, settings: ThresholdSettings): number {
  if (state.verdict === "unknown" || state.against > 0) return settings.fastIntervalMs;
  return state.verdict === "down" ? settings.downIntervalMs : settings.intervalMs;
}

function sayUp(
  state: ThresholdState,
  passes: number,
  first: boolean,
  result: CheckResult,
  nowMs: number,
): string {
  if (first) return `up: its first check passed, ${result.detail}`;
  const failed = state.failingSinceMs === undefined ? 0 : nowMs - state.failingSinceMs;
  return `up again after ${sayDuration(failed)}: ${sayChecks(passes, "passed")}, ${result.detail}`;
}

function sayDown(
  state: ThresholdState,
  failures: number,
  result: CheckResult,
  confirmed: boolean,
): string {
  const witness = confirmed ? `traffic met "${state.suspicion}", and ` : "";
  return `down: ${witness}${sayChecks(failures, "failed")}, ${result.detail}`;
}

function sayChecks(count: number, verb: "passed" | "failed"): string {
  return count === 1 ? `a check ${verb}` : `${count} checks in a row ${verb}`;
}
