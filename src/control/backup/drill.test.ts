// A drill believes nobody: whatever a restore leaves that is not as it was backed up is found.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EntryFacts } from "../../core/vault/entry.ts";
import { NinesError } from "../../core/base/errors.ts";
import { bytesOf, byteStringOf } from "../../core/vault/wire.ts";
import type { PlaceWriter, TreePath } from "../../ports/tree-place.ts";
import type { SourceEntry, TreeSource } from "../../ports/tree-source.ts";
import { drill, type DrillOutcome, roomOf } from "./drill.ts";
import { erase } from "./erase.ts";
import { lookAtSources, redundancyOf } from "./look.ts";
import { restore } from "./restore.ts";
import { type BackupOptions, runBackup } from "./run-backup.ts";
import {
  contentOf,
  diskPlaceOf,
  filesOf,
  flip,
  master,
  memoryFile,
  newDisks,
  noise,
  settings,
  testFacts,
  TestPlace,
  TestSource,
  TestWorld,
} from "./vault.fixture.ts";
import { openVault } from "./vault.ts";

interface Node {
  kind: "file" | "folder" | "link";
  text: string;
  facts: EntryFacts;
}

/** A scratch place in memory; what is restored can be spoilt before it is read back. */
class Scratch extends TestPlace implements TreeSource {
  readonly name = "scratch";
  readonly nodes = new Map<string, Node>();
  readonly #spoil: (nodes: Map<string, Node>) => void;
  #isSpoilt = false;

  constructor(spoil: (nodes: Map<string, Node>) => void = () => undefined) {
    super();
    this.#spoil = spoil;
  }

  async makeFolder(path: TreePath): Promise<void> {
    this.nodes.set(path.join("/"), { kind: "folder", text: "", facts: testFacts });
  }

  async finishFolder(path: TreePath, facts: EntryFacts): Promise<void> {
    this.nodes.set(path.join("/"), { kind: "folder", text: "", facts });
  }

  async openFile(path: TreePath, sizeBytes: number): Promise<PlaceWriter> {
    return memoryFile(sizeBytes, (bytes, facts) => {
      this.nodes.set(path.join("/"), { kind: "file", text: byteStringOf(bytes), facts });
    });
  }

  async linkSame(path: TreePath, first: TreePath): Promise<void> {
    const same = this.nodes.get(first.join("/"));
    if (same !== undefined) this.nodes.set(path.join("/"), same);
  }

  async makeLink(path: TreePath, pointsTo: string, facts: EntryFacts): Promise<void> {
    this.nodes.set(path.join("/"), { kind: "link", text: pointsTo, facts });
  }

  async list(path: TreePath) {
    if (!this.#isSpoilt) this.#spoil(this.nodes);
    this.#isSpoilt = true;
    const above = path.length === 0 ? "" : `${path.join("/")}/`;
    const inside = [...this.nodes].filter(
      ([name]) => name.startsWith(above) && !name.slice(above.length).includes("/"),
    );
    const entries = inside.map(([path, node]) => entryOf(path.slice(above.length), node));
    return { entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)), left: [] };
  }

  async read(path: TreePath) {
    const bytes = bytesOf(this.nodes.get(path.join("/"))?.text ?? assert.fail("no such file"));
    return contentOf(bytes, 333);
  }

  async confirm(): Promise<void> {}

  notKept() {
    return [];
  }

  notMet() {
    return [];
  }
}

function entryOf(name: string, { kind, text, facts }: Node): SourceEntry {
  const sizeBytes = kind === "file" ? text.length : 0;
  const pointsTo = kind === "link" ? text : "";
  return { name, kind, facts, sizeBytes, pointsTo, fingerprint: "", sameFile: "" };
}

const options: BackupOptions = {
  master,
  service: "shop",
  subjectOf: (path) => (path.length === 2 && path[0] === "people" ? path[1] : undefined),
};
const tree = {
  "a.txt": "hello",
  folder: { large: noise(1, 5_000), more: noise(2, 900) },
  people: { ann: { mail: "private" }, bob: { mail: "of bob" } },
};

async function backedUp(): Promise<TestWorld> {
  const world = new TestWorld(await newDisks(3), 1);
  await runBackup(world, settings, new TestSource("data", tree), options);
  return world;
}

async function open(world: TestWorld) {
  return openVault(world, settings, { master, create: false, withIndex: true });
}

async function drilled(world: TestWorld, scratch = new Scratch()): Promise<DrillOutcome> {
  const vault = await open(world);
  const snapshot = vault.snapshots.at(-1) ?? assert.fail("no snapshot");
  return drill(vault, snapshot, { place: scratch, source: scratch });
}

function change(nodes: Map<string, Node>, path: string, to: Partial<Node>): void {
  nodes.set(path, { ...(nodes.get(path) ?? assert.fail(path)), ...to });
}

describe("a restore drill", () => {
  it("passes when all is as it was backed up, and says how much that is", async () => {
    const { wrongCount, sentence } = await drilled(await backedUp());
    assert.equal(wrongCount, 0);
    assert.match(sentence, /restored and compared, 5 files of 5\.8 KiB: all is as it was/);
  });

  const text = tree.folder.large;
  const spoils: readonly (readonly [string, (nodes: Map<string, Node>) => void, RegExp])[] = [
    [
      "a turned bit",
      (nodes) =>
        change(nodes, "folder/large", { text: `${text.slice(0, 4_000)}x${text.slice(4_001)}` }),
      /"folder\/large": differs in the \d+ bytes from/,
    ],
    [
      "a missing end",
      (nodes) => change(nodes, "folder/large", { text: text.slice(1) }),
      /has 4999 bytes, and had 5000/,
    ],
    ["a missing file", (nodes) => nodes.delete("a.txt"), /"a.txt": is not there/],
    [
      "a file too many",
      (nodes) => nodes.set("new", { kind: "file", text: "", facts: testFacts }),
      /"new": was not backed up/,
    ],
    ["a missing folder", (nodes) => nodes.delete("people/bob"), /"people\/bob": is not there/],
    [
      "another kind",
      (nodes) => change(nodes, "a.txt", { kind: "link" }),
      /is a link, and was a file/,
    ],
    [
      "another mode",
      (nodes) => change(nodes, "a.txt", { facts: { ...testFacts, mode: 0o600 } }),
      /has mode 600, and had 644/,
    ],
    [
      "another time",
      (nodes) => change(nodes, "folder", { facts: { ...testFacts, modifiedNs: 0n } }),
      /"folder": has another time/,
    ],
  ];
  for (const [what, spoil, wanted] of spoils) {
    it(`finds ${what}`, async () => {
      const { wrong, wrongCount } = await drilled(await backedUp(), new Scratch(spoil));
      assert.equal(wrongCount, 1, wrong.join("; "));
      assert.match(wrong[0] ?? "", wanted);
    });
  }

  it("names more than a hundred of them, as a restore does", async () => {
    const files = Array.from({ length: 120 }, (_, at) => [`file-${at}`, `${at}`]);
    const world = new TestWorld(await newDisks(3), 1);
    const source = new TestSource("data", Object.fromEntries(files));
    await runBackup(world, settings, source, options);
    const { wrong, wrongCount } = await drilled(world, new Scratch((nodes) => nodes.clear()));
    assert.deepEqual([wrong.length, wrongCount], [120, 120]);
  });

  it("names what the vault has lost", async () => {
    const world = await backedUp();
    for (const disk of world.disks.slice(0, 2)) {
      for (const file of filesOf(disk, "pack")) flip(disk, file, 130);
    }
    const { wrongCount, sentence } = await drilled(world);
    assert.ok(wrongCount > 0);
    assert.match(sentence, /cannot be restored as it was: \d+ entr(y|ies) of it wrong, first/);
    assert.ok(world.recorded.some(({ kind }) => kind === "backup.drill-failed"));
  });

  it("tells what could not be tried while a target is away from what is wrong", async () => {
    const world = await backedUp();
    const [, second, third] = world.disks;
    const data = [...(await open(world)).packs.values()].filter(({ holds }) => holds === "data");
    const isOf = (file: string, id: string) => diskPlaceOf(file).leaf.startsWith(id);
    const removeFrom = async (disk = world.disks[0] ?? assert.fail()) => {
      for (const file of filesOf(disk, "pack").filter((one) =>
        data.some(({ id }) => isOf(one, id)),
      )) {
        const { folder, leaf } = diskPlaceOf(file);
        await (await disk.openFolder(folder, { create: false })).remove(leaf);
      }
    };
    await removeFrom(second);
    const [empty = assert.fail()] = await newDisks(1);
    const without = new TestWorld(world.disks.with(0, empty), 2, world);
    const { wrong, wrongCount, away, awayCount, sentence } = await drilled(without);
    assert.deepEqual([wrong, wrongCount, away.length, awayCount], [[], 0, 5, 5]);
    assert.match(away[0] ?? "", /^"a\.txt": .* while disk-a cannot be reached$/);
    assert.match(
      sentence,
      /cannot be tried until targets are back: 5 entries of it cannot be read/,
    );
    const drills = without.recorded.filter(({ kind }) => kind.startsWith("backup.drill"));
    assert.deepEqual(
      drills.map(({ kind, level }) => [kind, level]),
      [["backup.drill-untried", "warning"]],
    );
    // A file that the restore has dropped is nobody's but the restore's, whoever is away.
    const spoil = (nodes: Map<string, Node>) => nodes.delete("folder");
    const spoilt = await drilled(without, new Scratch(spoil));
    assert.deepEqual([spoilt.wrong, spoilt.awayCount], [['"folder": is not there'], 3]);
    // What is lost whatever comes back.
    await removeFrom(third);
    const lost = await drilled(without);
    assert.deepEqual([lost.wrongCount, lost.awayCount], [5, 0]);
  });

  it("is ended by what its progress throws, which is nothing of the snapshot's", async () => {
    const vault = await open(await backedUp());
    const [snapshot = assert.fail()] = vault.snapshots;
    let isComparing = false;
    const scratch = new Scratch(() => {
      isComparing = true;
    });
    const drilling = drill(vault, snapshot, { place: scratch, source: scratch }, () => {
      if (isComparing) throw new NinesError("NINES_BACKUP_STOPPED", "It was asked to end.");
    });
    await assert.rejects(drilling, { code: "NINES_BACKUP_STOPPED" });
  });

  it("misses no subject that was erased", async () => {
    const world = await backedUp();
    await erase(world, settings, { master, service: "shop", subject: "ann" });
    const { wrongCount, files, wrong } = await drilled(world);
    assert.equal(wrongCount, 0, wrong.join("; "));
    assert.equal(files, 4);
  });

  it("takes a subject whose key is lost for no erased one, and nor does a restore", async () => {
    const world = await backedUp();
    const vault = await open(world);
    const [subject] = vault.keys.domains.filter(({ kind }) => kind === "subject");
    const find = vault.keys.find.bind(vault.keys);
    vault.keys.find = (id) => (id === subject?.id ? undefined : find(id));
    const [snapshot = assert.fail()] = vault.snapshots;
    const scratch = new Scratch();
    const { wrong } = await drill(vault, snapshot, { place: scratch, source: scratch });
    assert.match(wrong.join("; "), /The key of a subject's folder here cannot be read/);
    const outcome = await restore(vault, snapshot, new Scratch(), { path: [] });
    assert.deepEqual([outcome.lostCount, outcome.erasedCount], [1, 0]);
    await erase(world, settings, { master, service: "shop", subject: "ann" });
    const after = await restore(await open(world), snapshot, new Scratch(), { path: [] });
    assert.deepEqual([after.lostCount, after.erasedCount], [0, 1]);
  });
});

describe("the room that a drill needs", () => {
  it("is that of what the files hold: no holes, and one file of two names once", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const data = noise(4, 5_000);
    const source = new TestSource("data", { plain: noise(5, 3_000), holes: data });
    const holeBytes = 1e12;
    const [list, read] = [source.list.bind(source), source.read.bind(source)];
    source.read = async (path) => {
      const reader = await read(path);
      if (reader === undefined || path[0] === "plain") return reader;
      let isBegun = false;
      const next = async (into: Uint8Array) => {
        if (isBegun) return reader.next(into);
        isBegun = true;
        return { kind: "hole", length: holeBytes } as const;
      };
      return { ...reader, next };
    };
    source.list = async (path) => {
      const listing = await list(path);
      const [first, ...others] = listing?.entries ?? [];
      if (first === undefined) return listing;
      const one = { ...first, sameFile: "1" };
      return { entries: [one, { ...one, name: `${first.name}-again` }, ...others], left: [] };
    };
    const { snapshot } = await runBackup(world, settings, source, options);
    assert.equal(snapshot.counts.contentBytes, 2 * holeBytes + 2 * 5_000 + 3_000);
    const vault = await openVault(world, settings, { master, create: false, withIndex: true });
    assert.equal(await roomOf(vault, snapshot), 8_000);
  });
});

describe("a look at a vault", () => {
  it("finds the newest snapshot that is whole, and what newer ones lack", async () => {
    const world = await backedUp();
    const first = (await open(world)).snapshots[0];
    const before = new Set(world.disks.flatMap((disk) => filesOf(disk, "pack")));
    const source = new TestSource("data", { ...tree, later: noise(9, 3_000) });
    await runBackup(world, settings, source, options);
    const [whole] = await lookAtSources(await open(world), ["data"]);
    assert.equal(whole?.broken, 0);
    for (const disk of world.disks.slice(0, 2)) {
      for (const file of filesOf(disk, "pack")) {
        const { folder, leaf } = diskPlaceOf(file);
        if (!before.has(file))
          await (await disk.openFolder(folder, { create: false })).remove(leaf);
      }
    }
    const [found, none] = await lookAtSources(await open(world), ["data", "other"]);
    assert.equal(found?.restorable?.snapshot, first?.id);
    assert.equal(found?.broken, 1);
    assert.match(found?.reason ?? "", /^[0-9a-f]{8} lacks /);
    assert.deepEqual(none, { source: "other", broken: 0, reason: "" });
  });

  it("counts how much may still be lost", async () => {
    const world = await backedUp();
    const all = redundancyOf(await open(world));
    assert.deepEqual(
      { ...all, objects: 0, whole: 0 },
      { objects: 0, whole: 0, unreadable: 0, spareMin: 1, away: [], erasures: [] },
    );
    assert.equal(all.whole, all.objects);
    const disk = world.disks[0] ?? assert.fail();
    const [pack = ""] = filesOf(disk, "pack");
    const { folder, leaf } = diskPlaceOf(pack);
    await (await disk.openFolder(folder, { create: false })).remove(leaf);
    const less = redundancyOf(await open(world));
    assert.equal(less.whole, less.objects - 1);
    assert.equal(less.spareMin, 0);
  });
});
