// Lines reach the file whole and once, or are counted as lost and said to be; nobody waits for
// them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { eventually } from "./engine.fixture.ts";
import { CHUNK_BYTES, CHUNKS_MAX, LineFile } from "./line-file.ts";

describe("a file of lines", { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "nines-lines-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  let opened = 0;
  let nowMs = 0;

  function open(bytesMax = 0) {
    const path = join(folder, `${++opened}`, "access.log");
    const said: string[] = [];
    const say = (sentence: string): void => void said.push(sentence);
    const file = new LineFile({ path, bytesMax, nowMs: () => nowMs, say });
    return { path, said, file };
  }
  const append = (file: LineFile, line: string): unknown => file.write(Buffer.from(line));
  const readSome = (descriptor: number): void => {
    try {
      readSync(descriptor, Buffer.allocUnsafe(CHUNK_BYTES));
    } catch {
      // Nobody has written yet.
    }
  };
  const linesOf = (path: string): readonly string[] =>
    readFileSync(path, "utf8").split("\n").slice(0, -1);
  const written = (file: LineFile, count: number): Promise<void> =>
    eventually(`${count} lines are written`, () => {
      file.flush();
      return file.written === count;
    });

  it("has every line once, in order, in a folder that was not there", async () => {
    const { path, file } = open();
    const lines = Array.from({ length: 5_000 }, (_, count) => `line ${count} ${"x".repeat(50)}`);
    for (const line of lines) append(file, `${line}\n`);
    await written(file, lines.length);
    assert.deepEqual(linesOf(path), lines);
    assert.equal(file.dropped, 0);
    await file.close();
  });

  it("is another one after a rename, and no line is lost over it", async () => {
    const { path, file } = open();
    append(file, "before\n");
    await written(file, 1);
    renameSync(path, `${path}.1`);
    append(file, "between\n");
    await written(file, 2);
    nowMs += 1_000;
    append(file, "after\n");
    await written(file, 3);
    assert.deepEqual([linesOf(`${path}.1`), linesOf(path)], [["before", "between"], ["after"]]);
    await file.close();
  });

  it("is shared by several writers, each line whole", async () => {
    const one = open();
    const other = new LineFile({ path: one.path, bytesMax: 0, nowMs: () => 0, say: () => {} });
    for (let count = 0; count < 2_000; count++) {
      append(one.file, `one ${count}\n`);
      append(other, `other ${count}\n`);
      if (count % 100 === 0) one.file.flush();
      if (count % 130 === 0) other.flush();
    }
    await Promise.all([written(one.file, 2_000), written(other, 2_000)]);
    const lines = linesOf(one.path);
    assert.equal(lines.length, 4_000);
    for (const line of lines) assert.match(line, /^(one|other) \d+$/);
    await Promise.all([one.file.close(), other.close()]);
  });

  it("that the disk has no room for costs lines, which are counted and said, not too often", async () => {
    const { path, said, file } = open();
    append(file, "fits\n");
    await written(file, 1);
    rmSync(path);
    symlinkSync("/dev/full", path);
    nowMs += 1_000;
    for (const count of [1, 2]) {
      append(file, "lost\n");
      file.flush();
      await eventually("it is counted", () => file.dropped === count);
    }
    assert.equal(said.length, 1);
    assert.match(
      said[0] ?? "",
      /^1 line of .*access.log could not be written and are lost: ENOSPC/,
    );
    nowMs += 10_000;
    append(file, "lost\n");
    file.flush();
    await eventually("it is said again", () => said.length === 2);
    assert.match(said[1] ?? "", /^2 lines of /);
    rmSync(path);
    nowMs += 1_000;
    append(file, "fits again\n");
    await written(file, 2);
    assert.deepEqual(linesOf(path), ["fits again"]);
    await file.close();
  });

  it("on a disk that hangs holds no more than its bound, and closes all the same", async () => {
    const { path, file } = open();
    append(file, "first\n");
    await written(file, 1);
    rmSync(path);
    // Opening a pipe that nobody reads does not return.
    assert.equal(spawnSync("mkfifo", [path]).status, 0);
    nowMs += 1_000;
    const line = `${"x".repeat(CHUNK_BYTES / 4 - 1)}\n`;
    for (let count = 0; count < 200; count++) append(file, line);
    const held = 200 - file.dropped;
    await file.close();
    // Lets the thread go that hangs, before anything can fail.
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    await eventually("nothing hangs any more", () => {
      readSome(reader);
      return file.written + file.dropped === 201;
    });
    closeSync(reader);
    assert.ok(held > 0 && held <= 4 * (CHUNKS_MAX + 1), `${held} lines are held`);
  });

  it("that nobody has renamed for long gets no more lines until somebody has", async () => {
    const { path, said, file } = open(100);
    append(file, "one\n");
    await written(file, 1);
    writeFileSync(path, "x".repeat(101));
    nowMs += 1_000;
    append(file, "two\n");
    file.flush();
    await eventually("it is counted", () => file.dropped === 1);
    assert.match(said[0] ?? "", /it has 101 bytes and was not rotated$/);
    renameSync(path, `${path}.1`);
    append(file, "three\n");
    await written(file, 2);
    assert.deepEqual(linesOf(path), ["three"]);
    await file.close();
  });

  it("drops a line that no chunk has room for, and takes the next one", async () => {
    const { path, file } = open();
    append(file, `${"x".repeat(CHUNK_BYTES)}\n`);
    append(file, "short\n");
    await written(file, 1);
    assert.deepEqual([linesOf(path), file.dropped], [["short"], 1]);
    await file.close();
  });

  it("that is closed has what was appended before", async () => {
    const { path, file } = open();
    append(file, "last\n");
    await file.close();
    assert.ok(existsSync(path));
    assert.deepEqual(linesOf(path), ["last"]);
  });
});
