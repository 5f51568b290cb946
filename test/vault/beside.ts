// Prunes beside a backup at work. The source stops at each file, and there others prune, and time
// goes by: whatever they destroy, what the backup ends with can be restored.

import { createPrng } from "../../src/core/base/prng.ts";
import {
  master,
  newDisks,
  noise,
  settings,
  TestSource,
  type TestTree,
  TestWorld,
  treeOf,
} from "../../src/control/backup/vault.fixture.ts";
import type { SourceReader } from "../../src/ports/tree-source.ts";
import { BrokenPromise } from "../broken-promise.ts";
import type { Operations } from "./life.ts";

const keepLast = { last: 1, hourly: 0, daily: 0, weekly: 0 };
/** Shorter than the run, longer than a lease. */
const shortGrace = { ...settings, graceMs: 400_000 };
const service = { service: "shop", subjectOf: () => undefined, master };
const files = 12;

class StoppingSource extends TestSource {
  between: () => Promise<void> = async () => {};

  override async read(path: readonly string[]): Promise<SourceReader | undefined> {
    await this.between();
    return super.read(path);
  }
}

/** Throws BrokenPromise. */
export async function pruneBeside(operations: Operations, seed: number): Promise<void> {
  try {
    await runBeside(operations, seed);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BrokenPromise(`seed ${seed}: ${message}`, { cause });
  }
}

async function runBeside(operations: Operations, seed: number): Promise<void> {
  const random = createPrng(seed).stream("beside");
  const world = new TestWorld(await newDisks(3), seed, undefined, operations.createFolderTarget);
  const source = new StoppingSource("data", {});
  const names = Array.from({ length: files }, (_, at) => `file-${String(at).padStart(2, "0")}`);
  const tree: TestTree = Object.fromEntries(names.map((name, at) => [name, noise(seed + at, 900)]));
  source.tree = tree;
  await operations.runBackup(world, shortGrace, source, service);
  source.tree = {};
  await operations.runBackup(world, shortGrace, source, service);
  source.tree = tree;
  source.between = async () => {
    world.clock.nowMs += 60_000 + random.below(60_000);
    if (random.below(2) === 0) return;
    await operations.prune(world, shortGrace, { master, keep: keepLast, forget: [] });
  };
  const { snapshot } = await operations.runBackup(world, shortGrace, source, service);
  world.clock.nowMs += shortGrace.graceMs;
  await operations.prune(world, shortGrace, { master, keep: keepLast, forget: [] });
  const opening = { master, create: false, withIndex: true };
  const vault = await operations.openVault(world, shortGrace, opening);
  const kept = vault.snapshots.find(({ id }) => id === snapshot.id);
  if (kept === undefined) throw new Error("the snapshot is gone");
  const isSame = JSON.stringify(await treeOf(vault, kept)) === JSON.stringify(tree);
  if (!isSame) throw new Error("the snapshot differs");
}
