// Durations as people read them in a sentence: "200 ms", "1.5 s", "12 s", "3 min", "2 h 5 min",
// "4 d 2 h". Two units at most: a sentence says why, a table says how much.

import { assert } from "./assert.ts";

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Rounds to what the unit shows; 0 and above. */
export function sayDuration(durationMs: number): string {
  assert(durationMs >= 0, "a duration is not negative");
  if (Math.round(durationMs) < secondMs) return `${Math.round(durationMs)} ms`;
  if (durationMs < 9.95 * secondMs) return `${Math.round(durationMs / 100) / 10} s`;
  if (durationMs < minuteMs - secondMs / 2) return `${Math.round(durationMs / secondMs)} s`;
  if (durationMs < hourMs - minuteMs / 2) return `${Math.round(durationMs / minuteMs)} min`;
  if (durationMs < dayMs) return pair(durationMs, hourMs, "h", minuteMs, "min");
  return pair(durationMs, dayMs, "d", hourMs, "h");
}

function pair(
  durationMs: number,
  largeMs: number,
  large: string,
  smallMs: number,
  small: string,
): string {
  const total = Math.round(durationMs / smallMs);
  const perLarge = largeMs / smallMs;
  const rest = total % perLarge;
  const whole = `${Math.floor(total / perLarge)} ${large}`;
  return rest === 0 ? whole : `${whole} ${rest} ${small}`;
}
