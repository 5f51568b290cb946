// What the real disk calls durable is asked of the kernel, by the right calls in the right order.
// Whether a flush reaches the kernel shows nowhere else, short of pulling the plug.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openDirect } from "../../src/runtime/direct.ts";

const places = [".", "../../../test/conformance"].map((folder) =>
  join(import.meta.dirname, folder, "disk-calls.c"),
);
const source = places.find((place) => existsSync(place)) ?? "disk-calls.c is missing";
const scratch = mkdtempSync(join(tmpdir(), "nines-calls-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const library = join(scratch, "calls.so");
const words = ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"];
const skip =
  process.platform !== "linux" || spawnSync("gcc", words).status !== 0
    ? "the list of system calls: needs Linux and gcc"
    : false;

/** Not every file system has direct writes: then the cache is used as ever. */
async function hasDirectWrites(): Promise<boolean> {
  const file = join(scratch, "asked");
  writeFileSync(file, new Uint8Array(512));
  const direct = await openDirect(file);
  await direct?.close();
  return direct !== undefined;
}

const expected = `- make the folder
mkdir a/b
mkdir a
mkdir a/b
fsync a
fsync .
- create, write, flush
write a/b/log.tmp
fdatasync a/b/log.tmp
- move, flush the folder
rename a/b/log
fsync a/b
- write durably
write-durable a/b/log
- write whole sectors durably
write-direct a/b/log
- remove, flush the folder
unlink a/b/log
fsync a/b
`;

for (const slowAboveMs of ["Infinity", "0"]) {
  test(`the real disk asks the kernel (slow above ${slowAboveMs} ms)`, { skip }, async () => {
    const folder = join(scratch, `folder-${slowAboveMs}`);
    const list = join(scratch, `calls-${slowAboveMs}`);
    mkdirSync(folder);
    const script = join(import.meta.dirname, "disk-calls.fixture.js");
    const ran = spawnSync(process.execPath, [script, folder, list, slowAboveMs], {
      encoding: "utf8",
      env: {
        ...process.env,
        LD_PRELOAD: library,
        NINES_CALLS: list,
        NINES_CALLS_FOLDER: folder,
        UV_USE_IO_URING: "0",
      },
    });
    assert.equal(ran.status, 0, ran.stderr);
    const whole = (await hasDirectWrites()) ? expected : expected.replace("-direct", "-durable");
    assert.equal(readFileSync(list, "utf8"), whole);
  });
}
