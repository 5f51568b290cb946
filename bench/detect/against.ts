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
  return figure({
    name: `${name}: median delay, by that of ${other}`,
    value: ours.medianDelayMs / theirs.medianDelayMs,
    unit: "x",
    bar: 1,
  });
}

export function alarmsAgainst(
  name: string,
  ours: Measures,
  other: string,
  theirs: Measures,
): Figure {
  return figure({
    name: `${name}: false alarms, by those of ${other}`,
    value: ours.falseAlarms / theirs.falseAlarms,
    unit: "x",
    bar: 1,
  });
}
