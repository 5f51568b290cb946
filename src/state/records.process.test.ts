// Records survive what happens to the process and to the disk under them.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { AssertionError } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import { createRecords } from "./records.ts";
import { mountSmallDisk, noSmallDisk } from "../../test/small-disk.fixture.ts";

function scratchFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-records-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function fails(code: string): (error: unknown) => boolean {
  return (error) => error instanceof NinesError && error.code === code;
}

/**
 * Lets the writer do its work for a while, and reads meanwhile as fast as it can: whatever is read
 * must be whole. The last count that it told as done.
 */
function writeUntilKilled(folder: string, first: number, writes: number): Promise<number> {
  const program = join(import.meta.dirname, "writer.fixture.js");
  const child = spawn(process.execPath, [program, folder, `${first}`]);
  let told = "";
  child.stdout.on("data", (bytes: Buffer) => {
    told += bytes.toString();
    if (told.split("\n").length > writes) child.kill("SIGKILL");
  });
  const reader = createRecords(folder);
  return new Promise((resolve, reject) => {
    let closed = false;
    child.once("close", () => {
      closed = true;
    });
    const look = (): void => {
      try {
        reader.read("counter");
      } catch (error) {
        child.kill("SIGKILL");
        reject(error);
        return;
      }
      if (closed) resolve(Number(told.split("\n").at(-2)));
      else setImmediate(look);
    };
    look();
  });
}

test("killed at any point, the writer leaves the last value it finished, or the next", async (t) => {
  const folder = scratchFolder(t);
  let count = 0;
  for (let round = 0; round < 8; round++) {
    const done = await writeUntilKilled(folder, count, 20 + round * 25);
    const value = createRecords(folder).read("counter") as { count: number; padding: string };
    assert.ok(value.count === done || value.count === done + 1, `${value.count} after ${done}`);
    assert.equal(value.padding.length, value.count % 5_000);
    count = value.count;
  }
  // A copy that a killed writer left is nobody's key, and goes with the next write.
  writeFileSync(join(folder, "counter.json~1"), "half a va");
  const records = createRecords(folder);
  assert.deepEqual(records.list(""), ["counter"]);
  records.write("other", 1);
  assert.deepEqual(readdirSync(folder).sort(), ["counter.json", "other.json"]);
});

test("a torn, changed or foreign file is refused by its name, and can be replaced", (t) => {
  const folder = scratchFolder(t);
  const file = join(folder, "web+1.json");
  const records = createRecords(folder);
  records.write("web/1", { pid: 4711 });
  const whole = readFileSync(file, "utf8");
  const wrongs = [
    "",
    "{}",
    '{"pid":4711}\n',
    whole.slice(0, -1),
    whole.replace("4711", "4712"),
    `${whole}\n`,
    whole.replace("nines-record 1", "nines-record 2"),
  ];
  for (const wrong of wrongs) {
    writeFileSync(file, wrong);
    assert.throws(() => records.read("web/1"), fails("NINES_STATE_CORRUPT"));
    assert.throws(() => records.read("web/1"), /web\+1\.json/);
  }
  writeFileSync(file, whole);
  truncateSync(file, whole.length - 10);
  assert.throws(() => records.read("web/1"), fails("NINES_STATE_CORRUPT"));
  rmSync(file);
  mkdirSync(file);
  assert.throws(() => records.read("web/1"), fails("NINES_STATE_CORRUPT"));
  rmSync(file, { recursive: true });
  records.write("web/1", { pid: 5 });
  assert.deepEqual(records.read("web/1"), { pid: 5 });
});

test("on a full disk a write is refused, the old value stands, and removing still works", (t) => {
  const disk = mountSmallDisk(64 * 1024);
  if (disk === undefined) return t.skip(noSmallDisk);
  try {
    const records = createRecords(disk.folder);
    records.write("web/1", { state: "old" });
    records.write("web/2", { state: "other" });
    assert.throws(
      () => writeFileSync(join(disk.folder, "filler"), Buffer.alloc(256 * 1024)),
      /ENOSPC/,
    );
    assert.throws(() => records.write("web/1", "x".repeat(9_000)), fails("NINES_STATE_WRITE"));
    assert.deepEqual(records.read("web/1"), { state: "old" });
    records.remove("web/2");
    assert.deepEqual(records.list(""), ["web/1"]);
    rmSync(join(disk.folder, "filler"));
    records.write("web/1", { state: "new" });
    assert.deepEqual(createRecords(disk.folder).read("web/1"), { state: "new" });
  } finally {
    disk.unmount();
  }
});

test("a key that could leave the folder, and a value that is none, are bugs", (t) => {
  const records = createRecords(scratchFolder(t));
  for (const key of ["", "/", "a//b", "../a/b c", "a b", "a\0b", "a~1", "a+b", "x".repeat(201)]) {
    assert.throws(() => records.write(key, 1), AssertionError);
    assert.throws(() => records.read(key), AssertionError);
  }
  assert.throws(() => records.write("key", undefined), AssertionError);
  assert.throws(() => records.write("key", "x".repeat(1024 * 1024)), AssertionError);
  records.write("..", "harmless");
  assert.equal(records.read(".."), "harmless");
});
