// Events reach the disk, memory, followers and the terminal, each once and in order; a full disk
// costs lines of the file and nothing else.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { mountSmallDisk, noSmallDisk } from "../../test/small-disk.fixture.ts";
import {
  createEventLog,
  type EventLog,
  formatEvent,
  readRecentEvents,
  type RecordedEvent,
} from "./event-log.ts";

const clock = { wallMs: () => Date.UTC(2030, 0, 2, 3, 4, 5, 678) };

function scratchFile(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-events-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "events.jsonl");
}

function openLog(context: TestContext, file: string, rotateBytes?: number): EventLog {
  const log = createEventLog({ file, clock, ...(rotateBytes !== undefined && { rotateBytes }) });
  context.after(() => log[Symbol.dispose]());
  return log;
}

function entry(sentence: string) {
  return { kind: "instance.started", level: "info", sentence, instance: "web-1" } as const;
}

test("an event is on disk, in memory, with each follower and printed, all the same", (t) => {
  const file = scratchFile(t);
  const [printed, followed]: [RecordedEvent[], RecordedEvent[]] = [[], []];
  using log = createEventLog({ file, clock, print: (event) => void printed.push(event) });
  const following = log.subscribe((event) => void followed.push(event));
  log.record(entry("web-1 started"));
  following[Symbol.dispose]();
  log.record(entry("web-1 is ready"));

  const [first, second] = log.recent();
  assert.deepEqual(first, {
    ...entry("web-1 started"),
    number: 1,
    time: "2030-01-02T03:04:05.678Z",
  });
  assert.deepEqual(printed, [first, second]);
  assert.deepEqual(followed, [first]);
  assert.deepEqual(readRecentEvents(file), [first, second]);
  assert.deepEqual(
    readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
    [first, second],
  );
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("a later log goes on where the earlier one was, whatever was torn between them", (t) => {
  const file = scratchFile(t);
  openLog(t, file).record(entry("one"));
  appendFileSync(file, '{"number":2,"time":"x"}\nnonsense\n{"number":3,"ti');
  const log = openLog(t, file);
  assert.deepEqual(
    log.recent().map(({ sentence }) => sentence),
    ["one"],
  );
  log.record(entry("two"));
  log.record(entry("three"));
  const read = readRecentEvents(file).map(({ number, sentence }) => [number, sentence]);
  assert.deepEqual(read, [
    [1, "one"],
    [2, "two"],
    [3, "three"],
  ]);
});

test("memory and disk are bounded, and the newest stay", (t) => {
  const file = scratchFile(t);
  const log = openLog(t, file, 20_000);
  for (let count = 1; count <= 1_500; count++) log.record(entry(`event ${count}`));
  assert.equal(log.recent().length, 1_000);
  assert.equal(log.recent().at(-1)?.sentence, "event 1500");
  const folder = join(file, "..");
  assert.deepEqual(readdirSync(folder).sort(), [
    "events.jsonl",
    "events.jsonl.1",
    "events.jsonl.2",
  ]);
  for (const name of readdirSync(folder)) assert.ok(statSync(join(folder, name)).size < 21_000);
  assert.equal(readRecentEvents(file).at(-1)?.number, 1_500);
  log.record(entry("x".repeat(100_000)));
  assert.equal(log.recent().at(-1)?.sentence.length, 2_000);
});

test("the last event before a kill is on disk", (t) => {
  const file = scratchFile(t);
  const module = JSON.stringify(join(import.meta.dirname, "event-log.js"));
  const script = `
    const { createEventLog } = await import(${module});
    const log = createEventLog({ file: ${JSON.stringify(file)}, clock: { wallMs: () => 0 } });
    log.record({ kind: "a.b", level: "error", sentence: "the last word" });
    process.kill(process.pid, "SIGKILL");`;
  spawnSync(process.execPath, ["--input-type=module", "-e", script]);
  assert.equal(readRecentEvents(file).at(-1)?.sentence, "the last word");
});

test("a disk that is full is said once, costs nothing but lines, and recovers", (t) => {
  const disk = mountSmallDisk(64 * 1024);
  if (disk === undefined) return t.skip(noSmallDisk);
  try {
    const file = join(disk.folder, "events.jsonl");
    using log = createEventLog({ file, clock });
    log.record(entry("before"));
    assert.throws(() => writeFileSync(join(disk.folder, "filler"), Buffer.alloc(99_999)), /ENOSPC/);
    for (let count = 0; count < 200; count++) log.record(entry(`meanwhile ${count}`));
    rmSync(join(disk.folder, "filler"));
    log.record(entry("after"));

    const kinds = log.recent().map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === "events.write-failed").length, 1);
    assert.equal(kinds.at(-1), "events.write-resumed");
    assert.match(log.recent().at(-1)?.sentence ?? "", /it misses \d+ events/);
    assert.equal(log.recent().length, 204);
    const onDisk = readRecentEvents(file).map(({ sentence }) => sentence);
    assert.equal(onDisk[0], "before");
    assert.equal(onDisk.at(-2), "after");
  } finally {
    disk.unmount();
  }
});

test("a log that cannot even be opened costs the file alone", (t) => {
  const log = openLog(t, join(scratchFile(t), "no", "folder"));
  log.record(entry("still told"));
  assert.deepEqual(
    log.recent().map(({ kind }) => kind),
    ["instance.started", "events.write-failed"],
  );
});

test("a line for people has the time of their clock, a mark, and the sentence", () => {
  const event = {
    ...entry("web-1 started"),
    number: 1,
    time: new Date(2030, 0, 2, 3, 4, 5).toISOString(),
  };
  assert.equal(formatEvent(event), "03:04:05    web-1 started");
  assert.equal(formatEvent({ ...event, level: "error" }), "03:04:05 !! web-1 started");
});
