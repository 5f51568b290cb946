// A folder that hangs, as a mount does whose server is away: the shipped build, and a real wait.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { place, program } from "./place.fixture.ts";

describe("nines backup", () => {
  it("ends although a folder of its hangs, with what came of it and no thread kept waiting", (t) => {
    const { folder, nines } = place(t);
    // Each subject has a pack of its own, and more are read at once than there are threads.
    for (const name of "abcdefgh") {
      mkdirSync(join(folder, "data", "peöple", name), { recursive: true });
      writeFileSync(join(folder, "data", "peöple", name, "mail"), name);
    }
    nines(["run"]);
    // To open a pipe that nobody writes to takes as long as a mount whose server is away.
    for (const name of readdirSync(join(folder, "a"), { recursive: true, encoding: "utf8" })) {
      if (!/^pack\/.\/./.test(name)) continue;
      rmSync(join(folder, "a", name));
      execFileSync("mkfifo", [join(folder, "a", name)]);
    }
    // It is listed as the file it stands for, and two minutes pass in six seconds.
    const preloaded = `import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
const { readdir } = fs;
fs.readdir = async (...words) => {
  const entries = await readdir(...words);
  for (const entry of entries) if (entry.isFIFO?.()) entry.isFile = () => true;
  return entries;
};
syncBuiltinESMExports();
const [after, clock] = [setTimeout, process.hrtime];
globalThis.setTimeout = (run, ms, ...more) => after(run, ms / 20, ...more);
process.hrtime = () => {
  const ns = 20n * clock.bigint();
  return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
};
process.hrtime.bigint = clock.bigint;`;
    const preload = `data:text/javascript,${encodeURIComponent(preloaded)}`;
    const words = ["--import", preload, program, "backup", "verify"];
    const options = { cwd: folder, encoding: "utf8", timeout: 60_000 } as const;
    const { stdout, stderr, signal } = spawnSync(process.execPath, words, options);
    const said = `${stdout}${stderr}`;
    assert.match(said, /Target a did not read .* within 120 s/);
    assert.doesNotMatch(said, /Target [bc] /);
    assert.match(stdout, /short of shards until targets are back\./);
    assert.match(stderr, /its exit code was 1\.\n$/);
    assert.equal(signal, "SIGKILL");
  });
});
