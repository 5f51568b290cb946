// Shares as people read them in a sentence: "0.2%", "12%", "100%".

import { assert } from "./assert.ts";

/** Two digits are enough for a sentence; what is not nothing does not read as nothing. */
export function sayPercent(ratio: number): string {
  assert(ratio >= 0, "a share is not negative");
  const percent = ratio * 100;
  if (percent >= 99.5) return `${Math.round(percent)}%`;
  return `${Number(percent.toPrecision(2))}%`;
}
