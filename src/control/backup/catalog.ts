// What lies where: every shard of every object on every target that can be reached, by listing.
//
// Nothing else remembers places, so that targets may be swapped, moved, lost and brought back. A
// target that cannot be listed is left out and named; what is only there counts as missing until it
// is back; so does what is on one that answers no more, until the next listing.

import { NinesError } from "../../core/base/errors.ts";
import type { Events } from "../../ports/events.ts";
import {
  type ObjectId,
  type ObjectKind,
  objectKinds,
  parseShardName,
  shardName,
  type ShardName,
} from "../../core/vault/names.ts";
import { listPageMax, type Target } from "../../ports/target.ts";

export interface ShardPlace extends ShardName {
  readonly target: Target;
}

export interface CatalogObject {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  /** Of the oldest shard found; all shards of an object have the same. */
  readonly dataShards: number;
  readonly parityShards: number;
  readonly places: readonly ShardPlace[];
}

export class Catalog {
  readonly #objects = new Map<ObjectKind, Map<ObjectId, CatalogObject>>();
  /** Targets that could not be listed, or did not answer since, each with why. */
  readonly unreachable = new Map<Target, string>();
  readonly #targetCount: number;

  constructor(targetCount: number) {
    this.#targetCount = targetCount;
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

  /** Whether an object that cannot be read now may be, once the targets are back that are away. */
  isAway(object: Omit<CatalogObject, "kind" | "id">): boolean {
    const { dataShards, parityShards } = object;
    const shardsOfOne = Math.ceil((dataShards + parityShards) / Math.max(1, this.#targetCount));
    const missing = dataShards - this.shardsHere(object);
    return missing > 0 && missing <= this.unreachable.size * shardsOfOne;
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
    return places.filter(({ target }) => !this.unreachable.has(target));
  }

  add(place: ShardPlace): void {
    const objects = this.#of(place.kind);
    const { kind, id, dataShards, parityShards } = objects.get(place.id) ?? place;
    const before = objects.get(id)?.places ?? [];
    objects.set(id, { kind, id, dataShards, parityShards, places: [...before, place] });
  }

  remove(place: ShardPlace): void {
    const objects = this.#of(place.kind);
    const object = objects.get(place.id);
    if (object === undefined) return;
    const name = shardName(place);
    const places = object.places.filter(
      (each) => each.target !== place.target || shardName(each) !== name,
    );
    if (places.length === 0) objects.delete(place.id);
    else objects.set(place.id, { ...object, places });
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
): Promise<Catalog> {
  const catalog = new Catalog(targets.length);
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
