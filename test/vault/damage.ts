// What may happen to a vault's targets, by a seed, and what must be true afterwards.
//
// Redundancy is judged by what it is for, not by what a scrub says of itself: after a repair any m
// failure domains are taken away, one choice of them after the other, and every snapshot must be
// there bit by bit. So a scrub that mends nothing, and a stripe that was written too thin, cannot
// hide.

import { createPrng, type Random } from "../../src/core/base/prng.ts";
import type { Geometry } from "../../src/core/vault/shard.ts";
import {
  allFiles,
  diskPlaceOf,
  flip,
  master,
  newDisks,
  noise,
  settings as testSettings,
  shardFiles,
  TestSource,
  type TestTree,
  TestWorld,
  treeOf,
} from "../../src/control/backup/vault.fixture.ts";
import type { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import { BrokenPromise } from "../broken-promise.ts";
import type { Operations } from "./life.ts";
import { hiddenTroubles, saidTroubles, type Trouble, TroubledTarget } from "./troubled-target.ts";

const service = { service: "shop", subjectOf: () => undefined, master };
const opening = { master, create: false, withIndex: true };

const geometries: readonly Geometry[] = [
  { codec: "xor", dataShards: 2, parityShards: 1 },
  { codec: "rs-xor", dataShards: 2, parityShards: 2 },
  { codec: "rs-vand", dataShards: 1, parityShards: 2 },
  { codec: "rs-xor", dataShards: 3, parityShards: 2 },
];

interface Kept {
  readonly id: string;
  readonly tree: TestTree;
}

export interface DamageOptions {
  readonly seed: number;
  /** After each repair so many choices of domains are taken away, of all that there are. */
  readonly lossesMax: number;
}

/** One vault with its disks; each damage works on a copy of them. */
class Damage {
  readonly geometry: Geometry;
  readonly #operations: Operations;
  readonly #random: Random;
  readonly #seed: number;
  readonly #lossesMax: number;
  #disks: readonly SimulatedDisk[] = [];
  #kept: readonly Kept[] = [];
  #older: readonly SimulatedDisk[] = [];
  #world: TestWorld | undefined;

  constructor(operations: Operations, { seed, lossesMax }: DamageOptions) {
    this.#operations = operations;
    this.#lossesMax = lossesMax;
    this.#random = createPrng(seed).stream("damage");
    this.#seed = seed;
    this.geometry = geometries[seed % geometries.length] as Geometry;
  }

  get #shards(): number {
    return this.geometry.dataShards + this.geometry.parityShards;
  }

  /** Two snapshots; the disks as they were after the first are the older ones. */
  async begin(): Promise<void> {
    // One domain more than there are shards, and one of two disks.
    const world = this.#worldOn(await newDisks(this.#shards + 2));
    const source = new TestSource("data", {});
    const kept: Kept[] = [];
    for (let run = 0; run < 2; run++) {
      const files = [1, 2, 3].map(
        (at) => [`file-${at}`, noise(this.#seed + run * at, 400 * at)] as const,
      );
      source.tree = { ...Object.fromEntries(files), folder: { inner: noise(this.#seed, 700) } };
      const { snapshot } = await this.#operations.runBackup(world, this.#settings, source, service);
      kept.push({ id: snapshot.id, tree: source.tree });
      if (run === 0) this.#older = copyOf(world.disks);
    }
    this.#disks = world.disks;
    this.#kept = kept;
    this.#world = world;
  }

  get #settings() {
    return { ...testSettings, geometry: this.geometry };
  }

  /** The last disk shares the first one's failure domain. */
  #worldOn(disks: readonly SimulatedDisk[], trouble?: Trouble, troubled: readonly number[] = []) {
    return new TestWorld(disks, this.#random.below(2 ** 31), this.#world, (disk, about) => {
      const at = disks.indexOf(disk as SimulatedDisk);
      const domain = at === disks.length - 1 ? "room-a" : about.domain;
      const target = new TroubledTarget(
        this.#operations.createFolderTarget(disk, { ...about, domain }),
      );
      if (troubled.includes(at)) target.trouble = trouble;
      return target;
    });
  }

  #domains(): readonly (readonly number[])[] {
    const last = this.#disks.length - 1;
    return this.#disks.slice(0, -1).map((_, at) => (at === 0 ? [0, last] : [at]));
  }

  /** So many domains, by chance; the disks in them. */
  #some(count: number): readonly number[] {
    const left = [...this.#domains()];
    const chosen = Array.from({ length: count }, () =>
      left.splice(this.#random.below(left.length), 1),
    );
    return chosen.flat(2);
  }

  async #holds(world: TestWorld, kept: readonly Kept[] = this.#kept): Promise<void> {
    const vault = await this.#operations.openVault(world, this.#settings, opening);
    for (const { id, tree } of kept) {
      const snapshot = vault.snapshots.find((each) => each.id === id);
      if (snapshot === undefined) throw new Error(`snapshot ${id} is gone`);
      if (JSON.stringify(await treeOf(vault, snapshot)) !== JSON.stringify(tree)) {
        throw new Error(`snapshot ${id} differs`);
      }
    }
  }

  /** Any m domains may be lost from these disks. */
  async #isRedundant(
    disks: readonly SimulatedDisk[],
    kept: readonly Kept[] = this.#kept,
  ): Promise<void> {
    const losses = [...choices(this.#domains(), this.geometry.parityShards)];
    while (losses.length > this.#lossesMax) losses.splice(this.#random.below(losses.length), 1);
    for (const lost of losses) {
      const gone = lost.flat();
      const empty = await newDisks(disks.length);
      const left = copyOf(disks).map((disk, at) => (gone.includes(at) ? empty[at] : disk));
      try {
        await this.#holds(this.#worldOn(left as readonly SimulatedDisk[]), kept);
      } catch (cause) {
        throw new Error(`without disks ${gone.join(", ")}: ${String(cause)}`, { cause });
      }
    }
  }

  /** Restores, mends by a verify, says so, and then has its full redundancy. */
  async #heals(disks: readonly SimulatedDisk[], kept: readonly Kept[] = this.#kept): Promise<void> {
    await this.#holds(this.#worldOn(copyOf(disks)), kept);
    const world = this.#worldOn(disks);
    const vault = await this.#operations.openVault(world, this.#settings, opening);
    const { lost, missingCount } = await this.#operations.verify(vault);
    if (lost.length > 0) throw new Error(`lost: ${lost.join("; ")}`);
    if (missingCount > 0) throw new Error(`${missingCount} files are missing`);
    if (!world.recorded.some(({ kind }) => kind === "vault.mended")) {
      throw new Error("nobody has said what was mended");
    }
    await this.#isRedundant(disks, kept);
  }

  async lostTargets(): Promise<void> {
    const empty = await newDisks(this.#disks.length);
    const gone = this.#some(this.geometry.parityShards);
    const left = copyOf(this.#disks).map((disk, at) => (gone.includes(at) ? empty[at] : disk));
    const disks = left as readonly SimulatedDisk[];
    await this.#isLeftAlone(disks, gone);
    const world = this.#worldOn(disks);
    const { header } = await this.#operations.openVault(world, this.#settings, opening);
    for (const at of gone) {
      await this.#operations.adoptTarget(world, header.vault, world.targets[at]?.name ?? "");
    }
    await this.#heals(disks);
  }

  /** A mount that is missing is an empty folder: a backup is thin, or refused, and leaves it. */
  async #isLeftAlone(from: readonly SimulatedDisk[], empty: readonly number[]): Promise<void> {
    const disks = copyOf(from);
    const world = this.#worldOn(disks);
    const source = new TestSource("data", { new: noise(this.#seed, 2_000) });
    await this.#operations
      .runBackup(world, this.#settings, source, service)
      .catch((error: { readonly code?: string }) => {
        if (error.code !== "NINES_VAULT_TARGETS") throw error;
      });
    const written = empty.filter((at) => allFiles(disks[at] as SimulatedDisk).length > 0);
    if (written.length > 0) throw new Error(`empty disks ${written.join(", ")} were written to`);
  }

  /** So many shards of every object, each on whatever disk it lies, each in another way. */
  async rottenShards(): Promise<void> {
    const disks = copyOf(this.#disks);
    for (const shards of shardsOfObjects(disks).values()) {
      const left = [...shards];
      for (let count = 0; count < this.geometry.parityShards; count++) {
        const [shard] = left.splice(this.#random.below(left.length), 1);
        if (shard !== undefined) this.#rot(shard.disk, shard.file);
      }
    }
    await this.#heals(disks);
  }

  #rot(disk: SimulatedDisk, file: string): void {
    const { folder, leaf } = diskPlaceOf(file);
    const content = disk.content(folder, leaf);
    if (this.#random.below(3) === 0) content.truncate(this.#random.below(content.sizeBytes));
    else flip(disk, file, this.#random.below(content.sizeBytes));
  }

  async olderTargets(): Promise<void> {
    const old = this.#some(this.geometry.parityShards);
    const older = copyOf(this.#older);
    const disks = copyOf(this.#disks).map((disk, at) => (old.includes(at) ? older[at] : disk));
    await this.#heals(disks as readonly SimulatedDisk[]);
  }

  /** All together only this machine's mark can tell; another one finds an older vault, whole. */
  async allOlder(): Promise<void> {
    const world = this.#worldOn(copyOf(this.#older));
    await this.#operations.openVault(world, this.#settings, opening).then(
      () => {
        throw new Error("all targets are older than before, and nobody noticed");
      },
      (error: { readonly code?: string }) => {
        if (error.code !== "NINES_VAULT_ROLLED_BACK") throw error;
      },
    );
    world.mark.kept = undefined;
    await this.#holds(world, this.#kept.slice(0, 1));
  }

  async swappedTargets(): Promise<void> {
    const disks = [...copyOf(this.#disks)];
    for (let at = disks.length - 1; at > 0; at--) {
      const other = this.#random.below(at + 1);
      [disks[at], disks[other]] = [disks[other] as SimulatedDisk, disks[at] as SimulatedDisk];
    }
    await this.#holds(this.#worldOn(disks));
  }

  /** A backup beside targets that say what ails them: thinner, said, whole once they are well. */
  async saidTrouble(trouble: Trouble): Promise<void> {
    const { parityShards } = this.geometry;
    // With fewer than it takes to read and one more, a run with several parity shards refuses.
    const troubled = this.#some(Math.max(1, parityShards - 1));
    const disks = copyOf(this.#disks);
    const world = this.#worldOn(disks, trouble, troubled);
    const source = new TestSource("data", { new: noise(this.#seed, 2_000) });
    const run = await this.#operations.runBackup(world, this.#settings, source, service);
    const kept = [...this.#kept, { id: run.snapshot.id, tree: source.tree }];
    await this.#holds(this.#worldOn(copyOf(disks), trouble, troubled), kept);
    const said = world.recorded.filter(({ kind }) => kind.startsWith("target."));
    const names = troubled.map((at) => world.targets[at]?.name ?? "");
    // With a spare domain nothing may be missing, and a target may not have been asked.
    if (run.degradedObjects > 0 && said.length === 0) throw new Error("a thin backup, and no word");
    if (said.some(({ sentence }) => !names.some((name) => sentence.includes(name)))) {
      throw new Error(`a target that is well was blamed: ${said[0]?.sentence}`);
    }
    await this.#verify(disks);
    await this.#isRedundant(disks, kept);
  }

  /** A backup beside targets that lie: as many of them as there is parity for. */
  async hiddenTrouble(trouble: Trouble): Promise<void> {
    const troubled = this.#some(this.geometry.parityShards);
    const disks = copyOf(this.#disks);
    const world = this.#worldOn(disks, trouble, troubled);
    const source = new TestSource("data", { new: noise(this.#seed, 2_000) });
    const { snapshot } = await this.#operations.runBackup(world, this.#settings, source, service);
    const kept = [...this.#kept, { id: snapshot.id, tree: source.tree }];
    await this.#holds(this.#worldOn(copyOf(disks), trouble, troubled), kept);
    await this.#verify(disks);
    await this.#isRedundant(disks, kept);
  }

  async #verify(disks: readonly SimulatedDisk[]): Promise<void> {
    const world = this.#worldOn(disks);
    const vault = await this.#operations.openVault(world, this.#settings, opening);
    const { lost } = await this.#operations.verify(vault);
    if (lost.length > 0) throw new Error(`lost: ${lost.join("; ")}`);
  }

  /** One shard too many of one pack: what needs it is named, all else is there. */
  async lostPack(): Promise<void> {
    const disks = copyOf(this.#disks);
    const whole = await this.#operations.openVault(this.#worldOn(disks), this.#settings, opening);
    const [, last] = this.#kept;
    const before = new Set([...whole.packs.values()].map(({ id }) => id));
    const old = await this.#operations.openVault(
      this.#worldWithoutMark(copyOf(this.#older)),
      this.#settings,
      opening,
    );
    const added = [...before].filter((id) => !old.packs.has(id));
    const pack = added[this.#random.below(added.length)] ?? "";
    const shards = [...shardsOfObjects(disks)].find(([name]) => name === `pack/${pack}`)?.[1] ?? [];
    for (const shard of shards.slice(0, this.geometry.parityShards + 1)) {
      flip(shard.disk, shard.file, 140);
    }
    const world = this.#worldOn(disks);
    const vault = await this.#operations.openVault(world, this.#settings, opening);
    const { lost, missing } = await this.#operations.verify(vault);
    if (lost.length !== 1 || !lost[0]?.startsWith(`pack ${pack}: `)) {
      throw new Error(`pack ${pack} is lost, and named is: ${lost.join("; ")}`);
    }
    if (missing.length === 0 || missing.some(({ snapshot }) => snapshot.id !== last?.id)) {
      throw new Error(`what needs pack ${pack} is not what is named`);
    }
    await this.#holds(this.#worldOn(disks), this.#kept.slice(0, 1));
    // What is still at hand comes again, and heals the snapshot that lacked it.
    const source = new TestSource("data", last?.tree ?? {});
    await this.#operations.runBackup(this.#worldOn(disks), this.#settings, source, service);
    await this.#holds(this.#worldOn(disks));
  }

  #worldWithoutMark(disks: readonly SimulatedDisk[]): TestWorld {
    const world = this.#worldOn(disks);
    world.mark.kept = undefined;
    return world;
  }
}

/** All that may happen, to a vault of this seed. Throws BrokenPromise. */
export async function damageEverything(
  operations: Operations,
  options: DamageOptions,
): Promise<void> {
  const { seed } = options;
  const damage = new Damage(operations, options);
  const cases: Readonly<Record<string, () => Promise<void>>> = {
    "targets are lost": () => damage.lostTargets(),
    "shards of every object are rotten": () => damage.rottenShards(),
    "targets are older than the others": () => damage.olderTargets(),
    "all targets are older": () => damage.allOlder(),
    "targets are swapped": () => damage.swappedTargets(),
    "a pack is lost": () => damage.lostPack(),
    ...Object.fromEntries(saidTroubles.map((each) => [each, () => damage.saidTrouble(each)])),
    ...Object.fromEntries(hiddenTroubles.map((each) => [each, () => damage.hiddenTrouble(each)])),
  };
  await labelled(`seed ${seed}`, () => damage.begin());
  for (const [name, run] of Object.entries(cases)) await labelled(`seed ${seed}, ${name}`, run);
}

async function labelled(what: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (cause) {
    const message = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    throw new BrokenPromise(`${what}: ${message}`, { cause });
  }
}

function copyOf(disks: readonly SimulatedDisk[]): readonly SimulatedDisk[] {
  return disks.map((disk) => disk.afterKill());
}

interface ShardFile {
  readonly disk: SimulatedDisk;
  readonly file: string;
}

/** By "pack/<id>". */
function shardsOfObjects(
  disks: readonly SimulatedDisk[],
): ReadonlyMap<string, readonly ShardFile[]> {
  const found = new Map<string, ShardFile[]>();
  for (const disk of disks) {
    for (const file of shardFiles(disk)) {
      const [object = ""] = file.split(".");
      found.set(object, [...(found.get(object) ?? []), { disk, file }]);
    }
  }
  return found;
}

/** All ways to choose so many of these. */
function choices<Item>(items: readonly Item[], count: number): readonly (readonly Item[])[] {
  if (count === 0) return [[]];
  return items.flatMap((item, at) =>
    choices(items.slice(at + 1), count - 1).map((rest) => [item, ...rest]),
  );
}
