// What `nines up` does for a vault by itself: the shipped build, real processes, real folders.

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createVaulted, only, untilEvent } from "./vaulted.fixture.ts";

describe("the duties of a vault", () => {
  it("backs up on its schedule, and says so in the status", async (t) => {
    const nines = await createVaulted(t);
    nines.backup(only({ run: "1s" }));
    await nines.up();
    await untilEvent(nines, /Snapshot [0-9a-f]{8} of shop(.|\n)*Snapshot [0-9a-f]{8} of shop/);
    const { backup } = await nines.status();
    assert.match(
      backup?.sources[0]?.why ?? "",
      /^The newest snapshot of shop that can be restored/,
    );
    assert.equal(backup?.sources[0]?.stale, false);
    assert.equal(backup?.redundancy?.spare, 1);
    assert.equal((await nines.run("down")).code, 0);
    assert.deepEqual(
      readdirSync(join(nines.folder, ".nines", "backup")).filter((name) =>
        name.startsWith("report"),
      ),
      [],
    );
  });

  it("is adopted by the next control when one is killed, and ends with `down`", async (t) => {
    const nines = await createVaulted(t);
    nines.backup(only({ scrub: "1d", scrubRate: "64KiB" }));
    writeFileSync(join(nines.folder, "data", "large"), randomBytes(3_000_000));
    assert.equal((await nines.run("backup", "run")).code, 0);
    const { child } = await nines.up();
    const before = await nines.untilStatus("a scrub", ({ backup }) => backup?.running === "scrub");
    child.kill("SIGKILL");
    await nines.up();
    const after = await nines.untilStatus("a scrub", ({ backup }) => backup?.running === "scrub");
    assert.equal(after.backup?.since, before.backup?.since);
    assert.equal((await nines.run("down")).code, 0);
  });
});
