// What lies where: every shard of every object on every target that can be reached, by listing.
//
// Nothing else remembers places, so that targets may be swapped, moved, lost and brought back. A
// target that cannot be listed is left out and named; what is only there counts as missing until it
// is back; so does what is on one that answers no more, until the next listing.

import { present } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Events } from "../../ports/events.ts";
import {
  type ObjectId,
  type ObjectKind,
  objectKinds,
  parseShardName,
  shardName,
} from "../../core/vault/names.ts";
import type { PlacementRules } from "../../core/vault/placement.ts";
import { listPageMax, type Target } from "../../ports/target.ts";
import {
  allPlaces,
  alone,
  type CatalogObject,
  isAlike,
  objectOf,
  type ShardPlace,
} from "./catalog-object.ts";

/** Shards of one object that one target is listened to about: all of the largest, twice. */
const saidMax = 510;

type Sharing = Pick<PlacementRules, "shareDomains">;

export class Catalog {
  readonly #objects = new Map<ObjectKind, Map<ObjectId, CatalogObject>>();
  readonly #distrusted = new WeakSet<ShardPlace>();
  /** Targets that could not be listed, or did not answer since, each with why. */
  readonly unreachable = new Map<Target, string>();
  readonly #targetCount: number;
  readonly #shareDomains: boolean;

  constructor(targetCount: number, { shareDomains }: Sharing) {
    this.#targetCount = targetCount;
    this.#shareDomains = shareDomains;
    for (const kind of objectKinds) this.#objects.set(kind, new Map());
  }

  /** Names of targets that are away. */
  get away(): readonly string[] {
    return [...this.unreachable.keys()].map(({ name }) => name);
  }

  /** What a sentence about something that is not here ends with: it may lie on what is away. */
  get whileAway(): string {
    const { away } = this;
    return away.length === 0 ? "" : ` while ${away.join(", ")} cannot be reached`;
  }

  /** Of what is not there: lost, or `isAway` with the targets that are. */
  lack(what: string, isAway: boolean): NinesError {
    return isAway
      ? new NinesError("NINES_VAULT_TARGETS", `${what}${this.whileAway}.`)
      : new NinesError("NINES_VAULT_LOST", `${what}.`);
  }

  /** Whether an object that cannot be read now may be, once the targets are back that are away. */
  isAway(object: Pick<CatalogObject, "dataShards" | "parityShards" | "places">): boolean {
    const { dataShards, parityShards } = object;
    const missing = dataShards - this.shardsHere(object);
    return missing > 0 && missing <= this.mayBeAway(dataShards + parityShards);
  }

  /** How many of an object's shards may lie on targets that were not listed. */
  mayBeAway(shards: number): number {
    // One target may have all of what was put before there were others.
    if (this.#shareDomains) return this.unreachable.size > 0 ? shards : 0;
    return this.unreachable.size * Math.ceil(shards / Math.max(1, this.#targetCount));
  }

  ids(kind: ObjectKind): readonly ObjectId[] {
    return [...this.#of(kind).keys()];
  }

  find(kind: ObjectKind, id: ObjectId): CatalogObject | undefined {
    return this.#of(kind).get(id);
  }

  /** Whether as many different shards are there as it takes to read it. */
  isReadable(kind: ObjectKind, id: ObjectId): boolean {
    const object = this.find(kind, id);
    if (object === undefined) return false;
    return this.shardsHere(object) >= object.dataShards;
  }

  /** How many different shards lie on targets that are not away. */
  shardsHere(object: Pick<CatalogObject, "places">): number {
    return new Set(this.placesHere(object).map(({ shard }) => shard)).size;
  }

  placesHere({ places }: Pick<CatalogObject, "places">): readonly ShardPlace[] {
    return this.here(places);
  }

  /** Those on targets that are not away. */
  here(places: readonly ShardPlace[]): readonly ShardPlace[] {
    return places.filter(({ target }) => !this.unreachable.has(target));
  }

  add(place: ShardPlace): void {
    this.#of(place.kind).set(place.id, this.#with(place));
  }

  #with(place: ShardPlace): CatalogObject {
    const before = this.find(place.kind, place.id);
    if (before === undefined) return alone(place);
    const { places, isContested } = before;
    const isNew = places.every(({ shard }) => shard !== place.shard);
    if (isNew && !isContested && isAlike(before, place)) {
      return { ...before, places: [...places, place] };
    }
    const all = allPlaces(before);
    const said = all.filter(({ target }) => target === place.target).length;
    if (said >= saidMax) return before;
    return present(this.#believed([...all, place]), "it has places");
  }

  remove(place: ShardPlace): void {
    const { kind, id, target } = place;
    const object = this.find(kind, id);
    if (object === undefined) return;
    const name = shardName(place);
    const isLeft = (each: ShardPlace) => each.target !== target || shardName(each) !== name;
    const left = this.#believed(allPlaces(object).filter(isLeft));
    if (left === undefined) this.forget(kind, id);
    else this.#of(kind).set(id, left);
  }

  /** It is there, and is not what it should be. */
  distrust(place: ShardPlace): void {
    const object = this.find(place.kind, place.id);
    if (object === undefined) return;
    this.#distrusted.add(place);
    this.#of(place.kind).set(place.id, this.#believed(allPlaces(object)) ?? object);
  }

  #believed(all: readonly ShardPlace[]): CatalogObject | undefined {
    return objectOf(all, (place) => !this.#distrusted.has(place));
  }

  /** It counts no more, whatever is left of it. */
  forget(kind: ObjectKind, id: ObjectId): void {
    this.#of(kind).delete(id);
  }

  #of(kind: ObjectKind): Map<ObjectId, CatalogObject> {
    return this.#objects.get(kind) as Map<ObjectId, CatalogObject>;
  }
}

export interface CatalogReading {
  readonly targets: readonly Target[];
  readonly events: Events;
}

/** Lists all targets at once; what is on `absent` ones counts as if they could not be asked. */
export async function readCatalog(
  { targets, events }: CatalogReading,
  absent: ReadonlyMap<Target, string>,
  sharing: Sharing,
): Promise<Catalog> {
  const catalog = new Catalog(targets.length, sharing);
  const leave = (target: Target, why: string) => leaveOut(catalog, events, target, why);
  await Promise.all(
    targets.map(async (target) => {
      const why = absent.get(target);
      if (why !== undefined) return leave(target, why);
      try {
        for (const place of await shardsOn(target)) catalog.add(place);
      } catch (error) {
        leave(target, messageOf(error));
      }
    }),
  );
  return catalog;
}

/** The target is away until it is listed again. */
export function leaveOut(catalog: Catalog, events: Events, target: Target, why: string): void {
  if (catalog.unreachable.has(target)) return;
  catalog.unreachable.set(target, why);
  const sentence = `Target ${target.name} is away: ${why}.`;
  events.record({ kind: "target.unreachable", level: "warning", sentence });
}

async function shardsOn(target: Target): Promise<readonly ShardPlace[]> {
  const found: ShardPlace[] = [];
  for (const kind of objectKinds) {
    for await (const name of listAll(target, kind)) {
      const parsed = parseShardName(name);
      if (parsed !== undefined) found.push({ ...parsed, target });
    }
  }
  return found;
}

/** The names of all objects of a kind, page by page. */
export async function* listAll(target: Target, kind: string): AsyncGenerator<string> {
  let after = "";
  for (;;) {
    const page = await target.list(kind, after);
    yield* page;
    if (page.length < listPageMax) return;
    after = page.at(-1) ?? after;
  }
}

/** Whether what it tells of may be well again with the targets that are away. */
export function isOfAway(error: unknown): boolean {
  return error instanceof NinesError && error.code === "NINES_VAULT_TARGETS";
}

/** What an error says, as a part of a longer sentence. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\.$/, "");
}
