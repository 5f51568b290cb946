// Scrub and verify: every shard of every object is read, and what is not right is made anew.
//
// Redundancy that nobody looks at decays: a shard that has rotted today is one less to lose
// tomorrow. So a scrub goes round and round at a rate that nobody notices, mends what it finds by
// writing new shards, and says so. A verify is one round at full speed that also opens every chunk,
// for right sums say that a shard is as it was written, and not who wrote it; then it looks whether
// every chunk of every snapshot is in a pack that can be read.

import { sayBytes } from "../../core/base/bytes.ts";
import { sayCount } from "../../core/base/count.ts";
import { objectKinds, type ObjectId, type ObjectKind } from "../../core/vault/names.ts";
import type { Clock } from "../../ports/clock.ts";
import { ObjectSealer } from "../../core/vault/keys.ts";
import { readCatalog } from "./catalog.ts";
import { Crew, Limit } from "./crew.ts";
import type { Look } from "./examination.ts";
import { Named } from "./named.ts";
import { callRoll } from "./roll.ts";
import { type Missing, markNeeded } from "./tree-walk.ts";
import type { Vault } from "./vault.ts";

export interface ScrubOutcome {
  readonly objects: number;
  readonly bytes: number;
  /** Shards made anew. */
  readonly mended: number;
  /** Objects that are still short of shards, for want of targets. */
  readonly degraded: number;
  /** Those that cannot be read until targets answer again. */
  readonly away: number;
  /** Objects that are needed and cannot be read, each with why. */
  readonly lost: readonly string[];
  /** Where to go on; undefined when all was read. */
  readonly cursor?: string;
  readonly sentence: string;
}

export interface ScrubOptions {
  /** Absent: as fast as it goes. */
  readonly bytesPerSecond?: number;
  readonly progress?: (done: number, all: number, bytes: number) => void;
  /** Where an earlier scrub was cut short: what comes after it is read. */
  readonly after?: string;
  /** Asked after each object and while it waits; true cuts it short. */
  readonly stop?: () => boolean;
}

export interface VerifyOutcome extends ScrubOutcome {
  /** Files and folders of snapshots that cannot be restored whole; the first thousand. */
  readonly missing: readonly Missing[];
  readonly missingCount: number;
  readonly verdict: string;
}

/** Of objects under way at a time, which are in memory with their parity: a pack, or small ones. */
const examinedBytesMax = 16 * 1_048_576;
/** An object counts as so much at least. */
const objectBytesLeast = examinedBytesMax / 8;

/**
 * Opens what was found damaged before, for what was made up has right sums, and what does not fit
 * its parity: which of the two was made up must be known before either is written anew.
 */
export function scrub(vault: Vault, options: ScrubOptions = {}): Promise<ScrubOutcome> {
  const forged = forgedIn(vault);
  return examineAll(vault, options, async (kind, id, bytes, isStrange) =>
    vault.isDamaged(id) || (await isStrange()) ? forged(kind, id, bytes, isStrange) : "unknown",
  );
}

async function examineAll(vault: Vault, options: ScrubOptions, look: Look): Promise<ScrubOutcome> {
  const objects = objectsAfter(vault, options.after ?? "");
  const pace = new Pace(vault.world.clock, options.bytesPerSecond ?? Number.POSITIVE_INFINITY);
  const before = vault.store.bytesRead;
  let [done, bytes, mended, degraded, away] = [0, 0, 0, 0, 0];
  const unread: ObjectKey[] = [];
  /** Packs, readable or not. */
  const read = new Set<ObjectId>();
  const reasons = new Map<ObjectKey, string>();
  /** Condemned ones that cannot be read: no loss by themselves, but nothing is in them either. */
  const abandoned: ObjectId[] = [];
  const examine = async (object: ObjectKey): Promise<void> => {
    const found = await vault.store.examine(...object, look);
    done++;
    const more = vault.store.bytesRead - before - bytes;
    bytes += more;
    mended += found.mended;
    const [kind, id] = object;
    if (found.away) away++;
    // What was known of it before still holds.
    else if (kind === "pack") read.add(id);
    if (found.lost && kind === "pack" && vault.isCondemned(id)) abandoned.push(id);
    if (found.lost && isNeeded(vault, ...object)) {
      unread.push(object);
      reasons.set(object, found.wrong.join("; "));
    } else if (!found.away && found.wrong.length > found.mended) degraded++;
    options.progress?.(done, objects.length, bytes);
    await pace.spend(more, options.stop);
  };
  // Who has a rate takes one after the other, and leaves the rest of the machine to others.
  const crew = new Crew(new Limit(options.bytesPerSecond === undefined ? examinedBytesMax : 1));
  let isCutShort = false;
  for (const object of objects) {
    if (isCutShort) break;
    const [, id] = object;
    const weight = Math.max(objectBytesLeast, vault.packs.get(id)?.packBytes ?? 0);
    await crew.run(weight, async () => {
      isCutShort ||= options.stop?.() === true;
      if (!isCutShort) await examine(object);
    });
  }
  // All that were begun have ended then, so that it goes on after the last of them.
  await crew.done();
  const gone = await stillThere(vault, unread);
  const lostPacks = [...abandoned, ...gone.flatMap(([kind, id]) => (kind === "pack" ? [id] : []))];
  for (const id of lostPacks) vault.index.lose(id);
  await vault.noteDamage(read, lostPacks);
  const lost = gone.map((object) => `${object.join(" ")}: ${reasons.get(object)}`);
  const last = done < objects.length ? (objects[done - 1]?.join(" ") ?? options.after) : undefined;
  const missing = last === undefined ? missingPacks(vault) : [];
  if (vault.store.mayHideObjects) away += missing.length;
  else lost.push(...missing.map((id) => `pack ${id}: no target has any of it`));
  const counts = { objects: done, bytes, mended, degraded, away };
  const sentence = say(counts, lost.length);
  const level = lost.length > 0 ? "error" : mended + degraded + away > 0 ? "warning" : "info";
  vault.world.events.record({ kind: "vault.scrubbed", level, sentence });
  const cursor = last === undefined ? {} : { cursor: last };
  return { ...counts, lost, sentence, ...cursor };
}

type ObjectKey = readonly [ObjectKind, ObjectId];

/** In an order that stays the same as objects come and go. */
function objectsAfter({ catalog }: Vault, cursor: string): readonly ObjectKey[] {
  const [afterKind, afterId = ""] = cursor.split(" ");
  const from = objectKinds.findIndex((kind) => kind === afterKind);
  return objectKinds.flatMap((kind, at) => {
    if (at < from) return [];
    const ids = [...catalog.ids(kind)].sort();
    const left = at === from ? ids.filter((id) => id > afterId) : ids;
    return left.map((id): ObjectKey => [kind, id]);
  });
}

/** A scrub takes hours: what a prune has destroyed since it began is not lost. */
async function stillThere(vault: Vault, objects: readonly ObjectKey[]): Promise<ObjectKey[]> {
  if (objects.length === 0) return [];
  const { absent } = await callRoll(vault.world.targets);
  const now = await readCatalog(vault.world, absent, vault.settings);
  // Nothing is destroyed while a target is away.
  if (now.unreachable.size > 0) return [...objects];
  return objects.filter((object) => now.find(...object) !== undefined);
}

function missingPacks(vault: Vault): readonly ObjectId[] {
  const here = new Set(vault.catalog.ids("pack"));
  return [...vault.packs.keys()].filter((id) => !here.has(id) && !vault.isCondemned(id));
}

/** Opens each chunk of each pack that there is a key for, and all other objects. */
function forgedIn(vault: Vault): Look {
  const { packs, keys, world } = vault;
  return async (kind, id, bytes) => {
    if (kind !== "pack") return vault.judge(kind, id, bytes.all());
    const domain = keys.find(packs.get(id)?.domainId ?? "");
    if (domain === undefined) return "unknown";
    const { key } = new ObjectSealer(world.crypto, domain, id);
    const forged = await world.crypto.bulk.findForged(key, bytes.lengths, bytes.shards);
    return forged === undefined ? "right" : { forged: `${forged} is not what was sealed there` };
  };
}

/** A scrub at full speed that opens all it reads, and then every chunk of every snapshot. */
export async function verify(vault: Vault, options: ScrubOptions = {}): Promise<VerifyOutcome> {
  const scrubbed = await examineAll(vault, options, forgedIn(vault));
  const missing = new Named<Missing>();
  let away = 0;
  await markNeeded(vault, vault.snapshots, (what) => {
    missing.add(what);
    if (what.isAway) away++;
  });
  const { first, count } = missing;
  const all = sayCount(vault.snapshots.length, "snapshot");
  const verdict = count === 0 ? `Every chunk of ${all} is there.` : sayMissing(count, away);
  return { ...scrubbed, missing: first, missingCount: count, verdict };
}

function sayMissing(all: number, away: number): string {
  const what = sayCount(all, "file or folder", "files or folders");
  const until = away === 0 ? "" : " until targets are back";
  const some = away === 0 || away === all ? until : `, ${away} of them${until}`;
  return `${what} cannot be restored whole${some}.`;
}

/** What a run that was cut off has left by half is no loss: nothing refers to it. */
function isNeeded(vault: Vault, kind: ObjectKind, id: ObjectId): boolean {
  if (kind === "pack") return vault.packs.has(id) && !vault.isCondemned(id);
  return kind !== "index";
}

type Counts = Pick<ScrubOutcome, "objects" | "bytes" | "mended" | "degraded" | "away">;

function say({ objects, bytes, mended, degraded, away }: Counts, lost: number): string {
  const read = `Read ${sayCount(objects, "object")}, ${sayBytes(bytes)}`;
  if (mended + degraded + away + lost === 0) return `${read}: every shard is there and right.`;
  const are = (count: number) => sayCount(count, "object is", "objects are");
  const found = [
    ...(mended === 0 ? [] : [`${sayCount(mended, "shard was", "shards were")} made anew`]),
    ...(degraded === 0 ? [] : [`${are(degraded)} short of shards until targets are back`]),
    ...(away === 0 ? [] : [`${are(away)} not to be read until targets are back`]),
    ...(lost === 0 ? [] : [`${are(lost)} lost`]),
  ];
  return `${read}: ${found.join(", ")}.`;
}

const waitMsMax = 1_000;

/** Waits so that over time no more than the rate is spent. */
class Pace {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  #freeAtMs: number;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#freeAtMs = clock.monotonicMs();
  }

  /** A large object at a low rate is a wait of minutes: `stop` is asked all along. */
  async spend(bytes: number, stop: () => boolean = () => false): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (bytes / this.#bytesPerSecond) * 1000;
    for (;;) {
      const waitMs = Math.min(waitMsMax, this.#freeAtMs - this.#clock.monotonicMs());
      if (waitMs < 1 || stop()) return;
      await new Promise<void>((resolve) => void this.#clock.after(waitMs, resolve));
    }
  }
}
