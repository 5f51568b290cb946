// How much of the traffic each priority level gets while not all of it is well: spill-over.
//
// Envoy's rule (docs, load_balancing/priority.rst and panic_threshold.rst). Levels are built larger
// than they need be, by the over-provisioning factor of 1.4: a level of which 72% are well still
// carries everything, of 71% it sheds 1% to the next level, and so on down. Only when all levels
// together cannot carry 100% is anybody in panic: then a level with no more than the threshold well
// (Envoy: less than it; here panic begins at the same share with and without over-provisioning)
// gives its part to all of its instances, well or not. All in whole percent, as Envoy counts.
//
//   health(p) = min(100, 140 x well / all)     total = min(100, sum of health)
//   load(p)   = min(what is left of 100, health(p) x 100 / total)
//
// Two rows of Envoy's second page (50/60 -> 50/50 and 25/100 -> 25/75) contradict this rule and the
// first page's own tables; here they are 70/30 and 35/65.

export interface LevelLoads {
  /** Whole percent of the traffic, by level; 100 in all unless nobody is well. */
  readonly load: Float64Array;
  /** 1: its part goes to all of its instances, well or not. */
  readonly panic: Uint8Array;
}

/**
 * Fills `loads` for as many levels as `all` has entries. `overProvision` is 1.4 in Envoy; levels
 * with `panicRatio` well or less may panic, and with 0 none ever does.
 */
export function spreadOverLevels(
  well: Int32Array,
  all: Int32Array,
  overProvision: number,
  panicRatio: number,
  loads: LevelLoads,
): void {
  const { load, panic } = loads;
  let sum = 0;
  for (let level = 0; level < all.length; level++) {
    load[level] = healthOf(well[level] as number, all[level] as number, overProvision);
    sum += load[level] as number;
  }
  const total = Math.min(100, sum);
  for (let level = 0; level < all.length; level++) {
    const isLow =
      (all[level] as number) > 0 && (well[level] as number) <= panicRatio * (all[level] as number);
    panic[level] = panicRatio > 0 && total < 100 && isLow ? 1 : 0;
  }
  if (total === 0) return;
  let left = 100;
  let first = -1;
  for (let level = 0; level < all.length; level++) {
    const health = load[level] as number;
    const part = Math.min(left, Math.round((health * 100) / total));
    load[level] = part;
    left -= part;
    if (first < 0 && part > 0) first = level;
  }
  // What rounding has left over.
  load[first] = (load[first] as number) + left;
}

function healthOf(well: number, all: number, overProvision: number): number {
  if (all === 0) return 0;
  // A factor such as 1.4 is no binary number: 1.4 x 65 must not be 90.99.
  return Math.min(100, Math.floor((overProvision * 100 * well) / all + 1e-9));
}
