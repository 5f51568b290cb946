// One detector by another, as a ratio that is to be 1 at most.

import { type Figure, figure } from "../shared/figures.ts";

export interface Measures {
  readonly medianDelayMs: number;
  readonly falseAlarms: number;
}

export function delayAgainst(
  name: string,
  ours: Measures,
  other: string,
  theirs: Measures,
): Figure {
  const ratio = ours.medianDelayMs / theirs.medianDelayMs;
  return atMostOne(`${name}: median delay, by that of ${other}`, ratio);
}

export function alarmsAgainst(
  name: string,
  ours: Measures,
  other: string,
  theirs: Measures,
): Figure {
  const ratio = ours.falseAlarms / theirs.falseAlarms;
  return atMostOne(`${name}: false alarms, by those of ${other}`, ratio);
}

function atMostOne(name: string, ratio: number): Figure {
  return figure({ name, value: ratio, unit: "x", bar: 1 });
}
