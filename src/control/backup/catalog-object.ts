// What targets say of one object, and what of it is believed.
//
// All shards of an object have one geometry, for no id is given twice, and each target has one of
// them, or as few more as there are too few targets. Whoever can write to a target can list
// anything there, with headers and sums that are right. But the word of one target is that of one:
// an object is of the geometry that most targets have, and where two say that they have the same
// shard, the one that claims less of the object is believed first. What is not believed stays
// known: it is taken away when somebody has opened what the others make.
//
// Rejected: the geometry of the settings (older objects have others), and that of the first shard
// found (one file made up took an object away).

import { choices } from "../../core/vault/readings.ts";
import type { ObjectId, ObjectKind, ShardName } from "../../core/vault/names.ts";
import type { Target } from "../../ports/target.ts";

export interface ShardPlace extends ShardName {
  readonly target: Target;
}

export interface CatalogObject {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  readonly dataShards: number;
  readonly parityShards: number;
  readonly places: readonly ShardPlace[];
  /** What says that it is of this object and is not believed. */
  readonly strays: readonly ShardPlace[];
  /** Whether there is more than each shard once. */
  readonly isContested: boolean;
}

/** Believed or not. */
export function allPlaces({ places, strays }: CatalogObject): readonly ShardPlace[] {
  return [...places, ...strays];
}

/** One for all of which that is so, which are nearly all. */
const none: readonly ShardPlace[] = [];

export function alone(place: ShardPlace): CatalogObject {
  const { kind, id, dataShards, parityShards } = place;
  return { kind, id, dataShards, parityShards, places: [place], strays: none, isContested: false };
}

/**
 * What these places make: they are of the geometry that most targets have, of equals the first.
 * Where a shard is said to be in several places, whoever has most of the object is asked last.
 */
export function objectOf(
  all: readonly ShardPlace[],
  isTrusted: (place: ShardPlace) => boolean = () => true,
): CatalogObject | undefined {
  const groups = new Map<string, ShardPlace[]>();
  for (const each of all) {
    if (!isTrusted(each)) continue;
    const key = `${each.dataShards} ${each.parityShards}`;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(each);
  }
  let alike: readonly ShardPlace[] = [];
  for (const group of groups.values()) {
    if (countsOf(group).size > countsOf(alike).size) alike = group;
  }
  const first = alike[0] ?? all[0];
  if (first === undefined) return undefined;
  const held = countsOf(alike);
  const heldBy = ({ target }: ShardPlace) => held.get(target) ?? 0;
  const places = alike.toSorted((a, b) => heldBy(a) - heldBy(b));
  const believed = new Set(alike);
  const strays = all.filter((each) => !believed.has(each));
  const { kind, id, dataShards, parityShards } = first;
  const isContested = new Set(places.map(({ shard }) => shard)).size < all.length;
  return { kind, id, dataShards, parityShards, places, strays, isContested };
}

/** How many of these each target has. */
function countsOf(places: readonly ShardPlace[]): ReadonlyMap<Target, number> {
  const counts = new Map<Target, number>();
  for (const { target } of places) counts.set(target, (counts.get(target) ?? 0) + 1);
  return counts;
}

/** The same without the word of one target, then of two: of those with most to say first. */
export function* doubts(object: CatalogObject): Generator<CatalogObject> {
  const all = allPlaces(object);
  const counts = [...countsOf(all)].sort(([, a], [, b]) => b - a);
  const targets = counts.map(([target]) => target);
  for (let count = 1; count < targets.length; count++) {
    for (const distrusted of choices(targets, count)) {
      const doubted = objectOf(all, ({ target }) => !distrusted.includes(target));
      if (doubted !== undefined) yield doubted;
    }
  }
}

type ShardCounts = Pick<ShardName, "dataShards" | "parityShards">;

export function isAlike(a: ShardCounts, b: ShardCounts): boolean {
  return a.dataShards === b.dataShards && a.parityShards === b.parityShards;
}
