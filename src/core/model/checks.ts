// What a model may be given. A number out of range is the caller's mistake and not a broken
// invariant: it comes from a file or from measurements, so it is a NinesError that says which
// number and why, before any arithmetic can turn it into a plausible availability.
//
// Rates of zero are refused on purpose. "It has never failed" is not "it never fails": a zero
// would give 100 %, which is never true. `fitExponential` turns no failures into a bound to use
// instead.

import { NinesError } from "../base/errors.ts";

function refuse(what: string, value: unknown, range: string): never {
  throw new NinesError("NINES_MODEL_INPUT", `${what} is ${String(value)}, and must be ${range}`);
}

export function requireProbability(value: number, what: string): number {
  return value >= 0 && value <= 1 ? value : refuse(what, value, "a probability, from 0 to 1");
}

/** Strictly between 0 and 1: confidence levels, coverage of an interval. */
export function requireInside(value: number, what: string): number {
  return value > 0 && value < 1 ? value : refuse(what, value, "above 0 and below 1");
}

export function requirePositive(value: number, what: string): number {
  return value > 0 && value < Infinity ? value : refuse(what, value, "above 0 and finite");
}

/** A failure, repair or arrival rate; says why zero is refused. */
export function requireRate(value: number, what: string): number {
  if (value === 0) {
    refuse(what, 0, "above 0: what has never happened is bounded from above, not impossible");
  }
  return requirePositive(value, what);
}

export function requireNotNegative(value: number, what: string): number {
  return value >= 0 && value < Infinity ? value : refuse(what, value, "0 or above, and finite");
}

export function requireCount(value: number, what: string, min: number, max = 2 ** 31 - 1): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  return refuse(what, value, `a whole number from ${min} to ${max}`);
}

/** A bound on what a model may cost; `remedy` finishes the sentence. */
export function requireSize(value: number, max: number, what: string): void {
  if (value <= max) return;
  const sentence = `${what} would be ${value.toLocaleString("en")}, and at most ${max.toLocaleString("en")} are allowed`;
  throw new NinesError("NINES_MODEL_TOO_LARGE", sentence);
}
