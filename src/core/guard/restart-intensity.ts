// When restarting stops being a cure: too many ends within too short a time are a crash loop.
//
// Erlang/OTP's supervisor "intensity" (MaxR restarts in MaxT seconds), with one change: OTP then
// gives up and ends itself, we hold the instance back at the longest backoff and say so, since what
// it waits for (a database, a disk) may come back without anybody's help. The ends are kept as a
// value, the latest `count` of them, so that a supervisor can write them down and adopt them.

import { assert } from "../base/assert.ts";

export interface RestartIntensity {
  /** This many ends ... */
  readonly count: number;
  /** ... within this time are a crash loop. */
  readonly withinMs: number;
}

/** The ends to remember after one more at `nowMs`: the latest `count`, oldest first. */
export function withEnd(
  endsMs: readonly number[],
  nowMs: number,
  intensity: RestartIntensity,
): readonly number[] {
  assert(intensity.count >= 1, "a crash loop has ends");
  assert(nowMs >= (endsMs.at(-1) ?? nowMs), "ends are remembered in order");
  return [...endsMs, nowMs].slice(-intensity.count);
}

/** Whether the remembered ends, seen from `nowMs`, are a crash loop. */
export function isCrashLoop(
  endsMs: readonly number[],
  nowMs: number,
  intensity: RestartIntensity,
): boolean {
  const oldest = endsMs.at(-intensity.count);
  return oldest !== undefined && nowMs - oldest <= intensity.withinMs;
}
