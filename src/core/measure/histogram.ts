// Latency histograms that add up across workers: fixed log-linear buckets, so merging is addition.
//
// Each power of two from 1/8 ms to 131 s is cut into 8 equal parts, and what lies below 1/8 ms too:
// a quantile is told at most 12.5 % too high (16 us below 1/8 ms), 168 counters, one Math.clz32 to
// find the bucket. After HdrHistogram (Gil Tene) with one significant digit. Rejected: quantile
// sketches (merging costs, no exact counts).

import { assert } from "../base/assert.ts";

const SUB_BUCKETS = 8;
const POWERS = 21;
/** Counters in one histogram. */
export const HISTOGRAM_BUCKETS = SUB_BUCKETS * POWERS;
const UNIT_MS = 0.125 / SUB_BUCKETS;
const RANGE_MS = UNIT_MS * SUB_BUCKETS * 2 ** (POWERS - 1);

/** Index of the bucket that counts `latencyMs` (>= 0); anything beyond the range counts in the last. */
export function bucketOf(latencyMs: number): number {
  if (latencyMs >= RANGE_MS) return HISTOGRAM_BUCKETS - 1;
  const units = (latencyMs / UNIT_MS) | 0;
  if (units < SUB_BUCKETS) return units;
  const power = 31 - Math.clz32(units) - 3;
  return (power + 1) * SUB_BUCKETS + ((units >>> power) - SUB_BUCKETS);
}

/** Without the zeros at its end, which say nothing: most of a histogram is empty. */
export function withoutZeros(counts: Float64Array): number[] {
  let length = counts.length;
  while (length > 0 && counts[length - 1] === 0) length--;
  return Array.from(counts.subarray(0, length));
}

/** Counters of a histogram with one bucket a power of two, which is where each eight end. */
export const COARSE_BUCKETS = POWERS;

export function coarseBucketOf(latencyMs: number): number {
  return Math.floor(bucketOf(latencyMs) / SUB_BUCKETS);
}

/** Upper bound of a coarse bucket in milliseconds, exclusive. */
export function coarseLimitMs(bucket: number): number {
  return bucketLimitMs(bucket * SUB_BUCKETS + SUB_BUCKETS - 1);
}

/** Upper bound of a bucket in milliseconds, exclusive. */
export function bucketLimitMs(bucket: number): number {
  assert(bucket >= 0 && bucket < HISTOGRAM_BUCKETS, "bucket exists");
  if (bucket < SUB_BUCKETS) return (bucket + 1) * UNIT_MS;
  const power = Math.floor(bucket / SUB_BUCKETS) - 1;
  const part = bucket % SUB_BUCKETS;
  return (SUB_BUCKETS + part + 1) * 2 ** power * UNIT_MS;
}

/** The smallest bucket limit at or below which `ratio` (0 to 1) of the counts lie; undefined when empty. */
export function quantileMs(counts: ArrayLike<number>, ratio: number): number | undefined {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket] ?? 0;
  if (total === 0) return undefined;
  const rank = Math.max(1, Math.ceil(total * ratio));
  let seen = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    seen += counts[bucket] ?? 0;
    if (seen >= rank) return bucketLimitMs(bucket);
  }
  return bucketLimitMs(HISTOGRAM_BUCKETS - 1);
}
