// Which instances of a service a worker uses, when it is not to use all of them: thousands of
// instances need not have a connection from each worker.
//
// Deterministic aperture (Twitter's Finagle): the instances lie on a ring, each as wide as its
// weight, in the table's order; the workers stand on it at equal distances, and each uses the arc
// from where it stands. Arcs are as many workers' distances wide as `size` asks for, so every point
// of the ring lies under equally many arcs: together the workers give every instance what its
// weight says, though an arc's ends cut an instance in parts.
//
//   worker r of W uses [r, r + k) / W of the ring       k = ceil(size W / instances)
//
// Where some of them fail, what they carried goes to all others, as it would without a subset.
// Rejected: subsets by shuffled rounds (Google's SRE book), which need hundreds of clients before
// every instance has one; random subsets, which leave some with several times the others' load.

import type { ZoneShares } from "./zone-spill.ts";

/** Where a worker stands: it is the one of that rank, from 0, of so many that live. */
export interface WorkerPlace {
  readonly rank: number;
  readonly workers: number;
}

export const alone: WorkerPlace = { rank: 0, workers: 1 };

/** By number among those that do not drain; alone when it drains itself. */
export function placeAmong(
  workers: readonly { readonly worker: number; readonly draining: boolean }[],
  own: number,
): WorkerPlace {
  const lasting = workers.filter(({ draining }) => !draining);
  if (lasting.every(({ worker }) => worker !== own)) return alone;
  const rank = lasting.filter(({ worker }) => worker < own).length;
  return { rank, workers: lasting.length };
}

/**
 * By instance, what part of it lies under the worker's arc: 0 to 1. `weights` are whole numbers
 * above 0, so the parts are exact. All are 1 where the arc is the whole ring.
 */
export function subsetParts(
  weights: readonly number[],
  size: number,
  { rank, workers }: WorkerPlace,
): Float64Array {
  const parts = new Float64Array(weights.length).fill(1);
  const layers = Math.ceil((size * workers) / weights.length);
  if (layers >= workers) return parts;
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  // In units of a weight's `workers`-th part: the ring is `all * workers` long.
  const from = rank * all;
  const end = from + layers * all;
  const ring = all * workers;
  let at = 0;
  for (const [index, weight] of weights.entries()) {
    const next = at + weight * workers;
    const covered = overlap(at, next, from, end) + overlap(at + ring, next + ring, from, end);
    parts[index] = covered / (weight * workers);
    at = next;
  }
  return parts;
}

function overlap(begin: number, end: number, otherBegin: number, otherEnd: number): number {
  return Math.max(0, Math.min(end, otherEnd) - Math.max(begin, otherBegin));
}

/**
 * Fills `shares` where the usable of the subset are `well[0]` and the others `well[1]`: of the
 * requests the part stays that the usable of its `members` can carry.
 */
export function spillOverSubset(well: Int32Array, members: number, shares: ZoneShares): void {
  const own = well[0] as number;
  shares.on = own > 0 && (well[1] as number) > 0;
  shares.near = Math.min(1, own / members);
  shares.taken.fill(1);
}
