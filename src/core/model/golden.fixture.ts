// How golden tests compare: to the digits that were published, absolute or relative.

import assert from "node:assert/strict";

export function near(actual: number, expected: number | undefined, tolerance: number): void {
  assert.ok(
    expected !== undefined && Math.abs(actual - expected) <= tolerance,
    `${actual} is not ${expected} +- ${tolerance}`,
  );
}

export function nearRelative(actual: number, expected: number | undefined, ratio: number): void {
  near(actual, expected, Math.abs(expected ?? 0) * ratio);
}
