// What a detector of silence is: it hears signs of life, and says when silence becomes a verdict.
//
// Intuition: whoever only answers "how suspicious now?" has to be asked all the time. A detector
// that names the moment in advance needs one timer, and its worst case is a formula (bounds.ts).
// Missed heartbeats (missed-heartbeats.ts) and phi accrual (phi-accrual.ts) differ in nothing but
// this moment.
//
// `Watched` is the verdict that follows: silent past the deadline is down at once; `rise` signs in
// a row, each before its deadline, are up again; the first sign of a life is up whatever `rise`
// says.

import { sayDuration } from "../base/duration.ts";

export interface ArrivalDetector {
  /** A sign of life. Times do not go back. */
  heard(nowMs: number): void;
  /** For how long after the last sign silence means nothing. */
  patienceMs(): number;
  /** In which words: "3 heartbeats of 1 s missed". */
  explain(): string;
  /** `byMs` were passed over, in which signs came at the pace of the latest two. */
  passedOver(byMs: number): void;
}

export interface Watched {
  readonly verdict: "unknown" | "up" | "down";
  /** When the last sign came, or listening began. */
  readonly heardMs: number;
  /** Signs since patience ran out last. */
  readonly signs: number;
  /** It has given a sign in this life. */
  readonly heardOnce: boolean;
  /** When it fell silent; undefined while it is not down. */
  readonly silentSinceMs: number | undefined;
}

export interface ArrivalVerdict {
  readonly watched: Watched;
  /** Why the verdict changed, without the instance's name; undefined when it did not. */
  readonly changed: string | undefined;
}

export function listening(nowMs: number): Watched {
  return {
    verdict: "unknown",
    heardMs: nowMs,
    signs: 0,
    heardOnce: false,
    silentSinceMs: undefined,
  };
}

/** A sign came. */
export function heard(watched: Watched, nowMs: number, rise: number): ArrivalVerdict {
  const signs = watched.signs + 1;
  const up = !watched.heardOnce || signs >= rise;
  const next = { ...watched, heardMs: nowMs, signs, heardOnce: true };
  if (watched.verdict === "up" || !up) return { watched: next, changed: undefined };
  return {
    watched: { ...next, verdict: "up", silentSinceMs: undefined },
    changed: watched.heardOnce ? sayUpAgain(watched, signs, nowMs) : "up: its first heartbeat came",
  };
}

/** Its patience has run out. */
export function silent(watched: Watched, nowMs: number, why: string): ArrivalVerdict {
  const still = { ...watched, signs: 0 };
  if (watched.verdict === "down") return { watched: still, changed: undefined };
  const forMs = nowMs - watched.heardMs;
  return {
    watched: { ...still, verdict: "down", silentSinceMs: watched.heardMs },
    changed: `down: no heartbeat for ${sayDuration(forMs)}, ${why}`,
  };
}

function sayUpAgain(watched: Watched, signs: number, nowMs: number): string {
  const forMs = nowMs - (watched.silentSinceMs ?? watched.heardMs);
  const came = signs === 1 ? "a heartbeat came" : `${signs} heartbeats in a row came`;
  return `up again after ${sayDuration(forMs)}: ${came}`;
}
