// The life of a vault: backups of a tree that changes, prunes, disks that come and go, new master
// keys, subjects that are erased, by a seed; and what is promised at each moment.
//
// Promised is: every snapshot whose run has ended, byte by byte, until it was condemned and its
// grace is over; under the master key, and while it changes under one of the two. Of a subject all
// of that until its erasure begins, and nothing once it has ended, wherever the vault is opened.

import { createPrng, type Random } from "../../src/core/base/prng.ts";
import type { HighWater } from "../../src/core/vault/high-water.ts";
import type * as operations from "../../src/control/backup/operations.ts";
import {
  MemoryMark,
  newDisks,
  noise,
  settings as testSettings,
  TestSource,
  type TestTree,
  TestWorld,
  treeOf,
} from "../../src/control/backup/vault.fixture.ts";
import type { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";

export type Operations = typeof operations;

export interface Promised {
  readonly id: string;
  readonly tree: TestTree;
}

/** What was known, and how to open the vault, at one moment. */
export interface Known {
  readonly promised: readonly Promised[];
  /** One of these opens the vault. */
  readonly masters: readonly Uint8Array[];
  readonly mark: HighWater | undefined;
  readonly nowMs: number;
  readonly retiring: readonly string[];
  readonly erased: readonly string[];
  /** Of which it is open whether it is there. */
  readonly erasing: string | undefined;
}

const keepRules = { last: 3, hourly: 0, daily: 0, weekly: 0 };
const service = {
  service: "shop",
  subjectOf: (path: readonly string[]) =>
    path.length === 2 && path[0] === "people" ? path[1] : undefined,
};
const filesMax = 7;
const diskCount = 4;

export class Life {
  readonly world: TestWorld;
  readonly #operations: Operations;
  readonly #random: Random;
  readonly #source = new TestSource("data", {});
  #masters: readonly Uint8Array[] = [masterOf(1)];
  #retiring: readonly string[] = [];
  #snapshots: (Promised & { readonly condemnedMs?: number })[] = [];
  #rotations = 1;
  /** Subjects that a snapshot has, by the names of their folders. */
  #people: readonly string[] = [];
  #erased: readonly string[] = [];
  #erasing: string | undefined;

  private constructor(world: TestWorld, operations: Operations, random: Random) {
    this.world = world;
    this.#operations = operations;
    this.#random = random;
  }

  static async begin(operations: Operations, seed: number): Promise<Life> {
    const disks = await newDisks(diskCount);
    const world = new TestWorld(disks, seed, undefined, operations.createFolderTarget);
    return new Life(world, operations, createPrng(seed).stream("life"));
  }

  known(): Known {
    const { nowMs } = this.world.clock;
    const isPromised = ({ condemnedMs }: { readonly condemnedMs?: number }) =>
      condemnedMs === undefined || nowMs < condemnedMs + testSettings.graceMs;
    return {
      promised: this.#snapshots.filter(isPromised),
      masters: this.#masters,
      mark: this.world.mark.kept,
      nowMs,
      retiring: this.#retiring,
      erased: this.#erased,
      erasing: this.#erasing,
    };
  }

  /** One operation; what it did. */
  async step(): Promise<string> {
    this.world.clock.nowMs += 60_000;
    const choice = this.#snapshots.length === 0 ? 0 : this.#random.below(23);
    if (choice < 10) return this.#backup();
    if (choice < 15) return this.#prune();
    if (choice < 18) return this.#rebalance();
    return choice < 20 ? this.#rotate() : this.#erase();
  }

  async #backup(): Promise<string> {
    const master = this.#master();
    this.#source.tree = changed(this.#source.tree, this.#random, this.#erased);
    const options = { ...service, master };
    const { snapshot } = await this.#operations.runBackup(
      this.world,
      settingsFor(this.#retiring),
      this.#source,
      options,
    );
    this.#snapshots.push({ id: snapshot.id, tree: this.#source.tree });
    this.#people = Object.keys(this.#source.tree["people"] ?? {});
    return `backup ${snapshot.id}`;
  }

  async #prune(): Promise<string> {
    this.world.clock.nowMs += (testSettings.graceMs / 2) * this.#random.below(3);
    const master = this.#master();
    const options = { master, keep: keepRules, forget: [] };
    const settings = settingsFor(this.#retiring);
    const { sentence } = await this.#operations.prune(this.world, settings, options);
    const opening = { master, create: false, withIndex: false };
    const vault = await this.#operations.openVault(this.world, settings, opening);
    const condemned = new Map(
      vault.condemnations.flatMap(({ snapshots, atMs }) => snapshots.map((id) => [id, atMs])),
    );
    const there = new Set(vault.snapshots.map(({ id }) => id));
    this.#snapshots = this.#snapshots
      .filter(({ id, condemnedMs }) => there.has(id) || condemnedMs === undefined)
      .map((known) => {
        const condemnedMs = condemned.get(known.id) ?? known.condemnedMs;
        return condemnedMs === undefined ? known : { ...known, condemnedMs };
      });
    return sentence;
  }

  async #rebalance(): Promise<string> {
    this.#retiring = this.#retiring.length > 0 ? [] : [`disk-${"abcd"[this.#random.below(4)]}`];
    const settings = settingsFor(this.#retiring);
    return (await this.#operations.rebalance(this.world, settings, this.#master())).sentence;
  }

  async #rotate(): Promise<string> {
    const from = this.#master();
    const to = masterOf(++this.#rotations);
    this.#masters = [from, to];
    const settings = settingsFor(this.#retiring);
    const { sentence } = await this.#operations.rotateKey(this.world, settings, { from, to });
    this.#masters = [to];
    return sentence;
  }

  async #erase(): Promise<string> {
    const subject = this.#people[0];
    if (subject === undefined) return this.#backup();
    this.#erasing = subject;
    const options = { master: this.#master(), service: service.service, subject };
    const settings = settingsFor(this.#retiring);
    const { pending } = await this.#operations.erase(this.world, settings, options);
    if (pending.length > 0) throw new Error(`a key may be left on ${pending.join(", ")}`);
    this.#erasing = undefined;
    this.#erased = [...this.#erased, subject];
    this.#people = this.#people.slice(1);
    return `erase ${subject}`;
  }

  #master(): Uint8Array {
    return this.#masters[0] as Uint8Array;
  }
}

/** Opens the vault on these disks, holds it to what is promised, and runs one more backup. */
export async function judge(
  operations: Operations,
  disks: readonly SimulatedDisk[],
  known: Known,
  seed: number,
  goesOn: boolean,
): Promise<void> {
  const mark = new MemoryMark();
  // Another machine has not been told which subjects were erased, and must not need it.
  mark.kept = seed % 2 === 0 ? known.mark : undefined;
  const from = { clock: { nowMs: known.nowMs }, mark };
  const world = new TestWorld(disks, seed, from, operations.createFolderTarget);
  const master = await masterThatOpens(operations, world, known);
  if (!goesOn) return;
  const source = new TestSource("data", { after: noise(seed, 900), again: noise(3, 700) });
  const settings = settingsFor(known.retiring);
  // What is left of the run that the crash ended holds its lease until then.
  world.clock.nowMs += 700_000;
  const run = await operations.runBackup(world, settings, source, { ...service, master });
  const promised = [...known.promised, { id: run.snapshot.id, tree: source.tree }];
  await holds(operations, world, master, { ...known, promised });
}

async function masterThatOpens(
  operations: Operations,
  world: TestWorld,
  known: Known,
): Promise<Uint8Array> {
  const failures: string[] = [];
  for (const master of known.masters) {
    try {
      await holds(operations, world, master, known);
      return master;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  // Before the first snapshot a vault need not be there.
  if (known.promised.length === 0) return known.masters[0] as Uint8Array;
  throw new Error(failures.join(" | "));
}

async function holds(
  operations: Operations,
  world: TestWorld,
  master: Uint8Array,
  known: Known,
): Promise<void> {
  const opening = { master, create: false, withIndex: true };
  const vault = await operations.openVault(world, settingsFor(known.retiring), opening);
  for (const { id, tree } of known.promised) {
    const snapshot = vault.snapshots.find((each) => each.id === id);
    if (snapshot === undefined) throw new Error(`snapshot ${id} is gone`);
    const restored = JSON.stringify(await treeOf(vault, snapshot));
    const { erased, erasing } = known;
    const allowed = [erased, ...(erasing === undefined ? [] : [[...erased, erasing]])];
    if (!allowed.some((gone) => JSON.stringify(without(tree, gone)) === restored)) {
      throw new Error(`snapshot ${id} differs`);
    }
  }
  const condemned = new Set(vault.condemnations.flatMap(({ snapshots }) => snapshots));
  for (const snapshot of vault.snapshots) {
    // Whether its run has ended or not: a snapshot that is there is whole.
    if (!condemned.has(snapshot.id)) await treeOf(vault, snapshot);
  }
  for (const id of vault.packs.keys()) {
    const isThere = vault.catalog.find("pack", id) !== undefined;
    const isReadable = vault.catalog.isReadable("pack", id);
    if (!isThere || isReadable || vault.isCondemned(id)) continue;
    throw new Error(`an index lists pack ${id}, of which too little is there`);
  }
}

function settingsFor(retiring: readonly string[]): typeof testSettings {
  return { ...testSettings, retiring };
}

function masterOf(number: number): Uint8Array {
  return new Uint8Array(32).fill(number);
}

/** What is left of a tree when subjects are erased. */
function without(tree: TestTree, erased: readonly string[]): TestTree {
  const people = tree["people"];
  if (typeof people !== "object") return tree;
  const left = Object.entries(people).filter(([name]) => !erased.includes(name));
  return { ...tree, people: Object.fromEntries(left) };
}

/** A few files come, go and change. */
function changed(tree: TestTree, random: Random, erased: readonly string[]): TestTree {
  const next: Record<string, string | TestTree> = { ...tree };
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const name = `file-${random.below(filesMax)}`;
    if (random.below(5) === 0) delete next[name];
    else next[name] = noise(random.below(1_000), 100 + random.below(1_500));
  }
  next["folder"] = { inner: noise(random.below(20), 300) };
  // Who was erased is gone for good: others come.
  const people = [0, 1].map((at) => `person-${String(erased.length + at).padStart(3, "0")}`);
  next["people"] = Object.fromEntries(
    people.map((name) => [name, { mail: noise(random.below(20), 200) }]),
  );
  return Object.fromEntries(Object.entries(next).sort(([a], [b]) => (a < b ? -1 : 1)));
}
