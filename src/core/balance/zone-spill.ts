// How much of the traffic stays in the zone that it has entered, and what of the rest each other
// zone gets: a way through another zone is longer, and often paid for.
//
// Envoy's zone-aware routing (docs, load_balancing/zone_aware.rst). A gateway stands in each zone;
// ours gets a known part of all that clients send. Where our zone has no less than that part of the
// usable instances, all of it stays. Where it has less, what it can carry stays, and the rest goes
// to zones with more instances than traffic of their own, by what they have to spare:
//
//   stays = min(1, here / entering)     spare(z) = max(0, part of the instances - of the traffic)
//
// Then every instance of every zone has the same load, if all gateways do so. It needs many
// instances: with less than `minimum` usable ones, one zone, nobody here, or in panic, zones are not
// looked at.

export interface ZoneShares {
  on: boolean;
  /** Of the requests: those that stay. */
  near: number;
  /** By zone: of what an instance elsewhere would get by the rule, what it gets; 1 for the most. */
  readonly taken: Float64Array;
}

/** More of them count as one. */
export const ZONES_MAX = 16;

/**
 * Fills `shares` from the usable instances by zone, of which the first is ours. `entering` is our
 * part of the traffic; 0: each zone has the same.
 */
export function spillOverZones(
  well: Int32Array,
  zones: number,
  entering: number,
  minimum: number,
  shares: ZoneShares,
): void {
  let all = 0;
  for (let zone = 0; zone < zones; zone++) all += well[zone] as number;
  const own = well[0] as number;
  shares.on = zones > 1 && all >= minimum && own > 0 && own < all;
  shares.near = 1;
  shares.taken.fill(1);
  const ours = entering > 0 ? entering : 1 / zones;
  if (!shares.on || own >= ours * all) return;
  shares.near = own / all / ours;
  const others = (1 - ours) / (zones - 1);
  let most = 0;
  for (let zone = 1; zone < zones; zone++) {
    const has = well[zone] as number;
    // For each instance there: so the rule itself may choose among all of them.
    const spare = has === 0 ? 0 : Math.max(0, has / all - others) / has;
    shares.taken[zone] = spare;
    most = Math.max(most, spare);
  }
  for (let zone = 1; zone < zones; zone++) {
    shares.taken[zone] = most > 0 ? (shares.taken[zone] as number) / most : 1;
  }
}
