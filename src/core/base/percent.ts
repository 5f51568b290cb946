// Shares as people read them in a sentence: "0.2%", "12%", "100%".

import { assert } from "./assert.ts";

/** Two digits are enough for a sentence; what is not nothing, or not all, does not read as that. */
export function sayPercent(ratio: number): string {
  assert(ratio >= 0, "a share is not negative");
  const percent = ratio * 100;
  if (percent >= 99.5 && percent < 100) {
    const missing = Number((100 - percent).toPrecision(1));
    return `${Number((100 - missing).toFixed(12))}%`;
  }
  if (percent >= 100) return `${Math.round(percent)}%`;
  return `${Number(percent.toPrecision(2))}%`;
}
