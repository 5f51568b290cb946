// One key for all workers, whoever makes it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { loadStickyKey } from "./sticky-key.ts";

async function inFolder(run: (path: string, folder: string) => void | Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), "nines-sticky-"));
  try {
    await run(join(folder, "sticky-key"), folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("processes that need it at once agree on it, and leave nothing else behind", () =>
  inFolder(async (path, folder) => {
    const program = `import { loadStickyKey } from ${JSON.stringify(
      new URL("./sticky-key.js", import.meta.url).href,
    )}; process.stdout.write(loadStickyKey(${JSON.stringify(path)}).toString("hex"));`;
    const started = [1, 2, 3].map(() =>
      promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]),
    );
    const keys = new Set((await Promise.all(started)).map(({ stdout }) => stdout));
    assert.deepEqual([...keys], [loadStickyKey(path).toString("hex")]);
    assert.match([...keys].join(""), /^[0-9a-f]{64}$/);
    assert.deepEqual(readdirSync(folder), ["sticky-key"]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }));

test("another folder has another key, and half a key is refused", () =>
  inFolder(async (path) => {
    const key = loadStickyKey(path);
    await inFolder((other) => assert.notDeepEqual(loadStickyKey(other), key));
    writeFileSync(path, key.subarray(1));
    assert.throws(() => loadStickyKey(path), /has 31 bytes, and a key has 32: remove it/);
  }));
