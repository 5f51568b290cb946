// Amounts as they are typed on the command line: rates, latencies, durations, shares. Each refuses
// what it does not understand with an example of what it does.

import { InvalidArgumentError } from "commander";
import { parseDuration, parsePercent } from "../../config/units.ts";
import { PERCENT_MAX } from "../../core/steer/agent-line.ts";
import { WEIGHT_MAX } from "../../core/steer/weights.ts";
import type { Growth } from "../load/steps.ts";
import type { WeightText } from "./actions.ts";

export interface LatencyGoal {
  readonly limitMs: number;
  /** Of the answers, in (0, 1). */
  readonly ratio: number;
}

const ratePerSecondMax = 50_000;

export function requestRate(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0.1 && value <= ratePerSecondMax) return value;
  throw new InvalidArgumentError(
    `It is a number of requests a second, from 0.1 to ${ratePerSecondMax}.`,
  );
}

/** Of clients, which need not all be of this machine. */
export function requestLoad(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0.001 && value <= 10_000_000) return value;
  throw new InvalidArgumentError("It is a number of requests a second, from 0.001 to 10000000.");
}

/** "100" adds so many a second, "x1.5" multiplies. */
export function growth(text: string): Growth {
  const factor = /^x(\d+(\.\d+)?)$/.exec(text)?.[1];
  if (factor === undefined) return { kind: "add", perSecond: requestRate(text) };
  if (Number(factor) >= 1.05 && Number(factor) <= 10) {
    return { kind: "multiply", factor: Number(factor) };
  }
  throw new InvalidArgumentError("It is a rate such as 100, or a factor from x1.05 to x10.");
}

export function durationBetween(leastMs: number, mostMs: number): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= leastMs && ms <= mostMs) return ms;
    throw new InvalidArgumentError(
      `It is a duration such as 10s, from ${leastMs} ms to ${mostMs} ms.`,
    );
  };
}

/** "250ms at 99%"; without a share, 99 %. */
export function latencyGoal(text: string): LatencyGoal {
  const [, duration = "", share = "99%"] = /^(\S+?)(?: at (\S+))?$/.exec(text.trim()) ?? [];
  const limitMs = parseDuration(duration);
  const ratio = parsePercent(share);
  const isShare = ratio !== undefined && ratio > 0 && ratio < 1;
  if (limitMs !== undefined && limitMs > 0 && isShare) return { limitMs, ratio };
  throw new InvalidArgumentError('It is a latency and a share, such as "250ms at 99%".');
}

/** Above 0 % and below 100 %. */
export function shareBelowAll(text: string): number {
  const ratio = parsePercent(text.trim());
  if (ratio !== undefined && ratio > 0 && ratio < 1) return ratio;
  throw new InvalidArgumentError("It is a share above 0% and below 100%, such as 99.95%.");
}

export function countOfMost(most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`It is a whole number from 1 to ${most}.`);
  };
}

/** Simulated years: whole ones, or a part of one. */
export function yearsOf(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= yearsMost) return value;
  throw new InvalidArgumentError(`It is a number above 0 and at most ${yearsMost}.`);
}

const yearsMost = 1_000_000;
const seedMost = 2 ** 32 - 1;

/** None at all as well. */
export function yearsOrNone(text: string): number {
  return text === "0" ? 0 : yearsOf(text);
}

export function seedOf(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value <= seedMost) return value;
  throw new InvalidArgumentError(`It is a whole number up to ${seedMost}.`);
}

/** "538571045@2660.51": the seed of a lifetime, and hours since its beginning. */
export function replayPoint(text: string): { readonly seed: number; readonly atMs: number } {
  const [seed = "", hours = "", more] = text.split("@");
  const isTime = /^\d+(\.\d+)?$/.test(hours) && Number(hours) <= lifetimeHoursMost;
  if (more === undefined && /^\d+$/.test(seed) && Number(seed) <= seedMost && isTime) {
    return { seed: Number(seed), atMs: Number(hours) * 3_600_000 };
  }
  throw new InvalidArgumentError("It is a seed, an @ and hours, such as 538571045@2660.51.");
}

const lifetimeHoursMost = 1_000_000;

export function requestPath(text: string): string {
  if (/^\/[\x21-\x7e]*$/.test(text) && text.length <= 4_000) return text;
  throw new InvalidArgumentError("It is a path that starts with /, in ASCII without spaces.");
}

export function wholeNumber(text: string, most: number, least = 0): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`);
}

/** "10", "50%" of what the file says, or "auto": what it says. */
export function weightText(text: string): WeightText {
  if (text === "auto") return text;
  const percent = /^(\d{1,5})%$/.exec(text)?.[1];
  if (percent === undefined) return wholeNumber(text, WEIGHT_MAX, 1);
  if (Number(percent) >= 1 && Number(percent) <= PERCENT_MAX) return `${Number(percent)}%`;
  throw new InvalidArgumentError("To give it nothing new, there is `nines drain`.");
}
