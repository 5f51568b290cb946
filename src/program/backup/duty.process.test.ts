// A drill of several sources, one of which cannot be tried.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openVault, runBackup } from "../../control/backup/operations.ts";
import {
  diskPlaceOf,
  filesOf,
  master,
  newDisks,
  settings,
  TestSource,
  TestWorld,
} from "../../control/backup/vault.fixture.ts";
import { type Duty, drillAll } from "./duty.ts";
import { drillIn } from "./work.ts";

/** Longer than any file system takes. */
const longName = "n".repeat(300);

describe("a drill", () => {
  it("that cannot be tried for one source tells what came of the others", async (t) => {
    const drillFolder = mkdtempSync(join(tmpdir(), "nines-drill-"));
    t.after(() => rmSync(drillFolder, { recursive: true }));
    const world = new TestWorld(await newDisks(3), 1);
    const options = { master, service: "shop", subjectOf: () => undefined };
    const long = new TestSource("long", { [longName]: "a" });
    const small = new TestSource("small", { b: "b" });
    await runBackup(world, settings, long, options);
    const { snapshot } = await runBackup(world, settings, small, options);
    const key = { master };
    const config = { sources: [{ name: "long" }, { name: "small" }] };
    // Of the place no more is used.
    const place = { world, settings, key, config } as unknown as Duty["place"];
    let isAsked = false;
    const duty = { place, cursor: undefined, drillFolder, isAsked: () => isAsked };
    const outcome = await drillAll(duty);
    assert.deepEqual(outcome.drilled, { failed: [], passed: [snapshot.id] });
    assert.equal(outcome.outcome, "failed");
    assert.match(outcome.sentence, /^long: n+ cannot be restored .*ENAMETOOLONG/);
    // Somebody's own folder, and what a drill has left whose process is no more.
    for (const name of ["drill-99999999", "nines-drill-99999999"])
      mkdirSync(join(drillFolder, name));
    isAsked = true;
    assert.equal((await drillAll(duty)).outcome, "unfinished");
    assert.deepEqual(readdirSync(drillFolder), ["drill-99999999"]);
  });

  it("is untried, and no alarm of the snapshot, while what it takes is away", async (t) => {
    const drillFolder = mkdtempSync(join(tmpdir(), "nines-drill-"));
    t.after(() => rmSync(drillFolder, { recursive: true }));
    const world = new TestWorld(await newDisks(3), 1);
    const options = { master, service: "shop", subjectOf: () => undefined };
    await runBackup(world, settings, new TestSource("small", { b: "b" }), options);
    const [empty = assert.fail()] = await newDisks(1);
    const [, second = assert.fail()] = world.disks;
    for (const file of filesOf(second, "pack")) {
      const { folder, leaf } = diskPlaceOf(file);
      await (await second.openFolder(folder, { create: false })).remove(leaf);
    }
    const without = new TestWorld(world.disks.with(0, empty), 2, world);
    const config = { sources: [{ name: "small" }] };
    const place = { world: without, settings, key: { master }, config } as unknown as Duty["place"];
    const duty = { place, cursor: undefined, drillFolder, isAsked: () => false };
    const { outcome, sentence, drilled } = await drillAll(duty);
    assert.deepEqual([outcome, drilled], ["failed", { failed: [], passed: [] }]);
    assert.match(
      sentence,
      /^Drill: snapshot \w+ of small cannot be tried until targets are back: 1 /,
    );
  });

  it("fills no disk: it asks for room before it begins", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const options = { master, service: "shop", subjectOf: () => undefined };
    const source = new TestSource("small", { b: "b" });
    const { snapshot } = await runBackup(world, settings, source, options);
    const vault = await openVault(world, settings, { master, create: false, withIndex: true });
    // A folder that is there, with no room at all.
    const drilling = drillIn("/proc", vault, snapshot, () => undefined);
    await assert.rejects(drilling, /A drill of snapshot [0-9a-f]{8} of small needs 1 B in \/proc/);
  });
});
