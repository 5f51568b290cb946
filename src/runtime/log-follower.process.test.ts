// Following logs: nothing twice, nothing missed, whatever happens to the files meanwhile.

import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { realWorld } from "../../test/conformance/world.ts";
import type { EventEntry } from "../ports/events.ts";
import { followLogs, type FollowOptions, lineBytesMax } from "./log-follower.ts";
import { createLogRotation } from "./log-rotation.ts";

function scratchFile(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-follow-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "web-1.log");
}

async function linesOf(
  files: readonly string[],
  options: Partial<FollowOptions>,
): Promise<readonly string[]> {
  const { signal } = new AbortController();
  const lines: string[] = [];
  const all = { lines: 10, follow: false, signal, ...options };
  for await (const { line } of followLogs(() => files, all)) lines.push(line);
  return lines;
}

/** Follows until the test is over; what it has seen so far. */
function followed(context: TestContext, files: () => readonly string[]): string[] {
  const stop = new AbortController();
  const seen: string[] = [];
  const run = async (): Promise<void> => {
    const options = { lines: 100, follow: true, signal: stop.signal };
    for await (const { line } of followLogs(files, options)) seen.push(line);
  };
  const running = run();
  context.after(async () => {
    stop.abort();
    await running;
  });
  return seen;
}

test("the last lines of each file come, in the order of the files", async (t) => {
  const file = scratchFile(t);
  writeFileSync(file, "1\n2\n3\n4\n");
  writeFileSync(`${file}x`, "a\r\nb\nno end");
  assert.deepEqual(await linesOf([file, `${file}x`], { lines: 2 }), ["3", "4", "b", "no end"]);
  assert.deepEqual(await linesOf([file], { lines: 9 }), ["1", "2", "3", "4"]);
  assert.deepEqual(await linesOf([file], { lines: 0 }), []);
  assert.deepEqual(await linesOf([`${file}.missing`], {}), []);
});

test("the last lines are found however long they are", async (t) => {
  const file = scratchFile(t);
  const lines = Array.from({ length: 400 }, (_, index) => `${index} ${"x".repeat(index * 3)}`);
  writeFileSync(file, `${lines.join("\n")}\n`);
  for (const count of [1, 7, 399, 400]) {
    assert.deepEqual(await linesOf([file], { lines: count }), lines.slice(-count));
  }
});

test("a line over the bound is cut, and the next one is whole", async (t) => {
  const file = scratchFile(t);
  writeFileSync(file, `${"é".repeat(200_000)}\nnext\n`);
  const [long = "", next] = await linesOf([file], {});
  assert.ok(long.startsWith("éééé"));
  assert.match(long, /line cut after 16384 bytes/);
  assert.ok(Buffer.byteLength(long) < lineBytesMax + 100);
  assert.equal(next, "next");
});

test("new lines come when they are whole, of files that appear later too", async (t) => {
  const file = scratchFile(t);
  const files = [file];
  writeFileSync(file, "old\n");
  const seen = followed(t, () => files);
  await realWorld.until(() => seen.length === 1, "the old line is seen");
  appendFileSync(file, "half ");
  files.push(`${file}x`);
  writeFileSync(`${file}x`, "from the other\n");
  await realWorld.until(() => seen.length === 2, "the other file is seen");
  appendFileSync(file, "and half\n");
  await realWorld.until(() => seen.length === 3, "the whole line is seen");
  assert.deepEqual(seen, ["old", "from the other", "half and half"]);
});

test("across rotations each line comes once, in order", async (t) => {
  const file = scratchFile(t);
  const events = { record: (event: EventEntry) => assert.fail(event.sentence) };
  const clock = { after: () => ({ [Symbol.dispose]: () => undefined }) };
  const rotation = createLogRotation({ clock, events });
  t.after(() => rotation[Symbol.dispose]());
  rotation.watch([{ file, rotateBytes: 0, keep: 3 }]);
  writeFileSync(file, "1\n");
  const seen = followed(t, () => [file]);
  const expected = ["1"];
  for (let round = 0; round < 4; round++) {
    await realWorld.until(() => seen.length === expected.length, "all is seen");
    // Written before the rotation and not seen yet, then more after it than before.
    appendFileSync(file, `${round} before\n`);
    await rotation.rotateNow();
    appendFileSync(file, `${round} after ${"x".repeat(round * 100)}\n`);
    expected.push(`${round} before`, `${round} after ${"x".repeat(round * 100)}`);
  }
  await realWorld.until(() => seen.length === expected.length, "all is seen");
  assert.deepEqual(seen, expected);
});

test("a file that somebody cuts is read from its start again", async (t) => {
  const file = scratchFile(t);
  writeFileSync(file, "one long line\n");
  const seen = followed(t, () => [file]);
  await realWorld.until(() => seen.length === 1, "the first line is seen");
  truncateSync(file);
  appendFileSync(file, "new\n");
  await realWorld.until(() => seen.length === 2, "the new line is seen");
  assert.deepEqual(seen, ["one long line", "new"]);
});
