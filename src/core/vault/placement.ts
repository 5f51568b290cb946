// Which targets take an object's shards.
//
// Intuition: each target draws a number for each object, by hash, and the highest k + m win, at
// most one of a failure domain (rendezvous hashing, Thaler and Ravishankar, 1996). Everybody
// computes the same without a table, and when a target comes or goes, only the shards that it takes
// or took move. Shards that lie in one of the winning domains already stay where they are,
// whichever they are.
//
// Two shards in one domain are allowed only when asked for: then losing the domain loses both.

import { assert } from "../base/assert.ts";
import { fnv1a32 } from "../base/prng.ts";

export interface PlacementTarget {
  readonly name: string;
  readonly domain: string;
}

/** Where a shard lies: the target's name. */
export type ShardPlaces = ReadonlyMap<number, string>;

export interface PlacementRules {
  readonly shards: number;
  /** Whether a domain may take more than one shard of an object when there are too few domains. */
  readonly shareDomains: boolean;
}

/**
 * Targets for an object, the best first, each domain once. With `shareDomains` the others follow,
 * again and again, so that one disk can hold all shards of what is to survive rot only.
 */
export function rank<Place extends PlacementTarget>(
  objectId: string,
  targets: readonly Place[],
  { shards, shareDomains }: PlacementRules,
): readonly Place[] {
  const scored = targets
    .map((target) => ({ target, score: scoreOf(objectId, target.name) }))
    .sort((a, b) => b.score - a.score || (a.target.name < b.target.name ? -1 : 1))
    .map(({ target }) => target);
  const seen = new Set<string>();
  const first: Place[] = [];
  const rest: Place[] = [];
  for (const target of scored) {
    (seen.has(target.domain) ? rest : first).push(target);
    seen.add(target.domain);
  }
  if (!shareDomains || targets.length === 0) return first;
  const ranked = [...first, ...rest];
  while (ranked.length < shards) ranked.push(...scored);
  return ranked;
}

/**
 * Where each shard should lie, given where some do. Shards without a place get none when there are
 * too few domains.
 */
export function place<Place extends PlacementTarget>(
  objectId: string,
  targets: readonly Place[],
  rules: PlacementRules,
  present: ShardPlaces,
): ReadonlyMap<number, Place> {
  assert(rules.shards >= 1, "an object has shards");
  const winners = rank(objectId, targets, rules).slice(0, rules.shards);
  const placed = new Map<number, Place>();
  for (const [shard, name] of present) {
    const held = targets.find((target) => target.name === name);
    if (held === undefined) continue;
    // Moving a shard within a domain would gain nothing.
    const same = winners.indexOf(held);
    const winner = same >= 0 ? same : winners.findIndex(({ domain }) => domain === held.domain);
    if (winner < 0) continue;
    winners.splice(winner, 1);
    placed.set(shard, held);
  }
  for (let shard = 0; shard < rules.shards; shard++) {
    if (placed.has(shard)) continue;
    const next = winners.shift();
    if (next !== undefined) placed.set(shard, next);
  }
  return placed;
}

/** A number that a target draws for an object; even over [0, 2^32). */
function scoreOf(objectId: string, target: string): number {
  let mixed = fnv1a32(`${target}\0${objectId}`);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
