// What is found out by itself: rot by a scrub, what cannot be restored by a drill, the age of what
// could be by who looks.

import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createVaulted, only, rot, untilEvent, vaultStatus } from "./vaulted.fixture.ts";

describe("a vault that is kept", () => {
  it("scrubs, mends a rotten shard, and says which", async (t) => {
    const nines = await createVaulted(t);
    nines.backup(only({}));
    assert.equal((await nines.run("backup", "run")).code, 0);
    rot(join(nines.folder, "a", "pack"));
    nines.backup(only({ scrub: "1d" }));
    await nines.up();
    const events = await untilEvent(nines, /vault\.scrubbed/);
    assert.match(
      events,
      /is mended: 1 made anew from the others, since shard \d on a: it is rotten/,
    );
    const verified = await nines.run("backup", "verify");
    assert.match(verified.stdout, /every shard is there and right/);
  });

  it("finds in a drill what cannot be restored, though every listing looks well", async (t) => {
    const nines = await createVaulted(t);
    nines.backup(only({}));
    assert.equal((await nines.run("backup", "run")).code, 0);
    assert.equal((await nines.run("backup", "drill")).code, 0);
    // Folders can be read still: only the pack with the file is rotten beyond its parity.
    for (const target of ["a", "b"]) rot(join(nines.folder, target, "pack"), 5_000);
    assert.equal((await vaultStatus(nines, 0)).sources[0]?.stale, false);
    nines.backup(only({ drill: "1d" }));
    await nines.up();
    await untilEvent(nines, /"backup\.drill-failed"/);
    await untilEvent(
      nines,
      /"backup\.stale","level":"error","sentence":"A drill could not restore/,
    );
    const report = await vaultStatus(nines, 1);
    assert.match(report.sources[0]?.why ?? "", /^A drill could not restore snapshot/);
    const left = readdirSync(join(nines.folder, ".nines", "backup"));
    assert.deepEqual(
      left.filter((name) => name.startsWith("nines-drill")),
      [],
    );
  });

  it("says when nothing new enough could be restored, and when that is over", async (t) => {
    const nines = await createVaulted(t);
    const data = join(nines.folder, "data");
    nines.backup(`${only({ run: "2s" })}  staleAfter: 6s\n`);
    await nines.up();
    await untilEvent(nines, /Snapshot [0-9a-f]{8} of shop/);
    // The source vanishes: nothing has gone wrong with the vault, and yet backups have ended.
    rmSync(data, { recursive: true });
    await untilEvent(nines, /"backup\.duty-failed".*shop is not there: nothing was backed up/);
    await untilEvent(nines, /"backup\.stale"/);
    const listed = await nines.run("backup", "list");
    assert.equal(listed.code, 1);
    assert.match(listed.stderr, /STALE: The newest snapshot of shop that can be restored is/);
    assert.match((await nines.run("status")).stdout, /backup {2}STALE: /);
  });
});
