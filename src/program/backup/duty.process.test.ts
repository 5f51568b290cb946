// A drill of several sources, one of which cannot be tried.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runBackup } from "../../control/backup/operations.ts";
import {
  master,
  newDisks,
  settings,
  TestSource,
  TestWorld,
} from "../../control/backup/vault.fixture.ts";
import { type Duty, drillAll } from "./duty.ts";

/** A file of a hole alone, for which no disk has room. */
class VastSource extends TestSource {
  override async read() {
    let isGiven = false;
    const next = async () => {
      if (isGiven) return { kind: "end" } as const;
      isGiven = true;
      return { kind: "hole", length: 2 ** 50 } as const;
    };
    return { next, close: async () => {} };
  }
}

describe("a drill", () => {
  it("that cannot be tried for one source tells what came of the others", async (t) => {
    const drillFolder = mkdtempSync(join(tmpdir(), "nines-drill-"));
    t.after(() => rmSync(drillFolder, { recursive: true }));
    const world = new TestWorld(await newDisks(3), 1);
    const options = { master, service: "shop", subjectOf: () => undefined };
    const [vast, small] = [new VastSource("vast", { a: "" }), new TestSource("small", { b: "b" })];
    await runBackup(world, settings, vast, options);
    const { snapshot } = await runBackup(world, settings, small, options);
    const key = { master };
    const config = { sources: [{ name: "vast" }, { name: "small" }] };
    // Of the place no more is used.
    const place = { world, settings, key, config } as unknown as Duty["place"];
    let isAsked = false;
    const duty = { place, cursor: undefined, drillFolder, isAsked: () => isAsked };
    const outcome = await drillAll(duty);
    assert.deepEqual(outcome.drilled, { failed: [], passed: [snapshot.id] });
    assert.equal(outcome.outcome, "failed");
    assert.match(outcome.sentence, /^vast: A drill of snapshot [0-9a-f]{8} of vast needs \d+ TiB/);
    // Somebody's own folder, and what a drill has left whose process is no more.
    for (const name of ["drill-99999999", "nines-drill-99999999"])
      mkdirSync(join(drillFolder, name));
    isAsked = true;
    assert.equal((await drillAll(duty)).outcome, "unfinished");
    assert.deepEqual(readdirSync(drillFolder), ["drill-99999999"]);
  });
});
