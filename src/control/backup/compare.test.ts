// Two snapshots differ in what a restore would bring back: names, bytes, modes, owners, times.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EntryFacts } from "../../core/vault/entry.ts";
import { compare } from "./compare.ts";
import { runBackup } from "./run-backup.ts";
import {
  master,
  newDisks,
  settings,
  testFacts,
  TestSource,
  type TestTree,
  TestWorld,
} from "./vault.fixture.ts";
import { openVault } from "./vault.ts";

/** A source whose entries have these facts, by their names. */
class FactSource extends TestSource {
  facts: Readonly<Record<string, Partial<EntryFacts>>> = {};

  override async list(path: readonly string[]) {
    const listing = await super.list(path);
    const entries = (listing?.entries ?? []).map((entry) => {
      return { ...entry, facts: { ...testFacts, ...this.facts[entry.name] } };
    });
    return listing && { ...listing, entries };
  }
}

const opening = { master, create: false, withIndex: true };
const options = { master, service: "shop", subjectOf: () => undefined };
const before: TestTree = { a: "1", b: "2", c: "3", d: "4", folder: { e: "5" }, other: { f: "" } };

async function differences(
  tree: TestTree,
  facts: Readonly<Record<string, Partial<EntryFacts>>>,
): Promise<readonly string[]> {
  const world = new TestWorld(await newDisks(3), 1);
  const source = new FactSource("data", before);
  await runBackup(world, settings, source, options);
  Object.assign(source, { tree, facts });
  await runBackup(world, settings, source, options);
  const vault = await openVault(world, settings, opening);
  const [old = assert.fail(), now = assert.fail()] = vault.snapshots;
  const found: string[] = [];
  for await (const { kind, path, what } of compare(vault, old, now)) {
    found.push([kind, path, what].join(" ").trim());
  }
  return found;
}

describe("what differs between two snapshots", () => {
  it("is nothing where nothing has changed", async () => {
    assert.deepEqual(await differences(before, {}), []);
  });

  it("is told with whether the content has changed, or only what is said of it", async () => {
    const value = Uint8Array.of(1);
    const found = await differences(before, {
      a: { mode: 0o600 },
      b: { userId: 0, modifiedNs: 5n },
      c: { attributes: [{ name: "user.note", value }] },
      e: { groupId: 0 },
      other: { mode: 0o700, modifiedNs: 6n },
    });
    assert.deepEqual(found, [
      "changed a only mode",
      "changed b only owner, time",
      "changed c only attributes",
      "changed folder/e only owner",
      "changed other only mode, time",
    ]);
  });

  it("is what came, went or has other bytes, and not the time of the folder it is in", async () => {
    const { d: _, ...rest } = before;
    const later = { modifiedNs: 7n };
    const tree = { ...rest, a: "one", b: {}, folder: { e: "5", new: "" } };
    assert.deepEqual(await differences(tree, { a: later, folder: later }), [
      "changed a content",
      "changed b it is a folder, and was a file",
      "removed d",
      "added folder/new",
    ]);
  });

  it("is not known of a folder that is lost, and is told of those after it", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const source = new TestSource("data", { b: { x: "1" }, z: { y: "1" } });
    const packs: string[][] = [];
    for (const tree of [source.tree, { b: { x: "2" } }, { z: { y: "2" } }]) {
      source.tree = { ...source.tree, ...tree };
      await runBackup(world, settings, source, options);
      const { packs: now } = await openVault(world, settings, opening);
      packs.push([...now.values()].flatMap(({ id, holds }) => (holds === "tree" ? [id] : [])));
    }
    const vault = await openVault(world, settings, opening);
    const [first = [], second = []] = packs;
    for (const id of second) if (!first.includes(id)) vault.index.lose(id);
    const [old = assert.fail(), , now = assert.fail()] = vault.snapshots;
    const found: string[] = [];
    for await (const { kind, path } of compare(vault, old, now)) found.push(`${kind} ${path}`);
    assert.deepEqual(found, ["unknown b", "changed z/y"]);
  });
});
