// Logs stay bounded, next to nothing of them is lost, and no disk error reaches anybody but the
// events.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
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
import type { Clock } from "../ports/clock.ts";
import type { EventEntry } from "../ports/events.ts";
import { createLogRotation, type LogRotation } from "./log-rotation.ts";

const neverAfter: Pick<Clock, "after"> = { after: () => ({ [Symbol.dispose]: () => undefined }) };

interface Bench {
  readonly folder: string;
  readonly file: string;
  readonly events: EventEntry[];
  readonly rotation: LogRotation;
  readonly read: (age?: number) => string | undefined;
}

function openBench(context: TestContext, folder?: string): Bench {
  const made = folder ?? mkdtempSync(join(tmpdir(), "nines-rotation-"));
  const file = join(made, "web-1.log");
  const events: EventEntry[] = [];
  const record = (event: EventEntry): void => void events.push(event);
  const rotation = createLogRotation({ clock: neverAfter, events: { record } });
  context.after(() => {
    rotation[Symbol.dispose]();
    if (folder === undefined) rmSync(made, { recursive: true });
  });
  const read = (age = 0): string | undefined => {
    const path = age === 0 ? file : `${file}.${age}`;
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  return { folder: made, file, events, rotation, read };
}

test("a file over its bound is copied and cut; as many copies are kept as asked for", async (t) => {
  const { file, rotation, read, folder, events } = openBench(t);
  rotation.watch([{ file, rotateBytes: 10, keep: 2 }]);
  for (const text of ["the first", "the second!", "the third!!", "the fourth!"]) {
    appendFileSync(file, text);
    await rotation.rotateNow();
  }
  // "the first" was within the bound, and went along with the next.
  assert.deepEqual([read(), read(1), read(2)], ["", "the fourth!", "the third!!"]);
  assert.equal(statSync(`${file}.1`).mode & 0o137, 0);

  rotation.watch([{ file, rotateBytes: 10, keep: 1 }]);
  appendFileSync(file, "the fifth !");
  await rotation.rotateNow();
  assert.deepEqual(readdirSync(folder).sort(), ["web-1.log", "web-1.log.1"]);
  assert.equal(read(1), "the fifth !");

  rotation.watch([{ file, rotateBytes: 10, keep: 0 }]);
  appendFileSync(file, "gone in a moment");
  await rotation.rotateNow();
  assert.equal(read(), "");
  assert.equal(read(1), "the fifth !");
  assert.deepEqual(events, []);
});

test("under a busy writer lines keep their order and hardly one is lost", async (t) => {
  const { file, rotation, folder } = openBench(t);
  const [most, rotateBytes, keep] = [30_000, 100_000, 500];
  writeFileSync(file, "");
  rotation.watch([{ file, rotateBytes, keep }]);
  const program = join(import.meta.dirname, "log-writer.fixture.js");
  const writer = spawn(process.execPath, [program, file, `${most}`]);
  t.after(() => writer.kill("SIGKILL"));
  const ended = new Promise((resolve) => writer.once("close", resolve));
  while (writer.exitCode === null) {
    await rotation.rotateNow();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;

  const age = (name: string): number => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);
  const files = readdirSync(folder).sort((one, other) => age(other) - age(one));
  const rotations = files.length - 1;
  assert.ok(rotations >= 5, `${rotations} rotations`);
  const text = files.map((name) => readFileSync(join(folder, name), "utf8")).join("");
  let last = 0;
  let seen = 0;
  for (const line of text.split("\n").slice(0, -1)) {
    const number = Number.parseInt(line, 10);
    assert.ok(number > last, `line ${number} comes after ${last}`);
    assert.equal(line, `${number} ${"x".repeat(number % 90)}`);
    last = number;
    seen++;
  }
  assert.equal(last, most);
  const lost = most - seen;
  t.diagnostic(`${lost} of ${most} lines were lost in ${rotations} rotations`);
  // What fits between two system calls, when we are put aside just there; a copy that is cut
  // without a last look loses most of what it should keep.
  assert.ok(lost < most / 10, `${lost} lines lost in ${rotations} rotations`);
});

test("a rotation that was killed in the middle loses nothing", async (t) => {
  const { file, rotation, read } = openBench(t);
  writeFileSync(`${file}~rotating`, "copied before the kill\n");
  writeFileSync(file, "written after the cut\n");
  rotation.watch([{ file, rotateBytes: 10, keep: 3 }]);
  await rotation.rotateNow();
  assert.deepEqual(
    [read(), read(1), read(2)],
    ["", "written after the cut\n", "copied before the kill\n"],
  );
});

test("a large file is copied whole", async (t) => {
  const { file, rotation, read } = openBench(t);
  rotation.watch([{ file, rotateBytes: 1_000, keep: 1 }]);
  for (const lines of [60_000, 400_000]) {
    const text = Array.from({ length: lines }, (_, index) => `line ${index}\n`).join("");
    writeFileSync(file, text);
    await rotation.rotateNow();
    assert.ok(read(1) === text);
    assert.equal(read(), "");
  }
});

test("what cannot be rotated grows on, which is said once, until it works again", async (t) => {
  const disk = mountSmallDisk(128 * 1024);
  if (disk === undefined) return t.skip(noSmallDisk);
  try {
    const { file, rotation, events, read } = openBench(t, disk.folder);
    rotation.watch([
      { file: `${file}.missing`, rotateBytes: 0, keep: 1 },
      { file, rotateBytes: 30_000, keep: 1 },
    ]);
    const filler = join(disk.folder, "filler");
    const fill = (): void => writeFileSync(filler, Buffer.alloc(200_000));
    for (const times of [1, 2]) {
      writeFileSync(file, `${times}`.repeat(50_000));
      rmSync(`${file}.1`, { force: true });
      assert.throws(fill, /ENOSPC/);
      await rotation.rotateNow();
      await rotation.rotateNow();
      assert.equal(read()?.length, 50_000);
      assert.equal(events.length, times);
      rmSync(filler);
      await rotation.rotateNow();
      assert.deepEqual([read(), read(1)?.[0]], ["", `${times}`]);
    }
    assert.match(events[0]?.sentence ?? "", /web-1\.log grows on: no copy of it \(.*ENOSPC/);
  } finally {
    disk.unmount();
  }
});

test("on a full disk old copies go first, then what cannot be copied is cut and said", async (t) => {
  const disk = mountSmallDisk(256 * 1024);
  if (disk === undefined) return t.skip(noSmallDisk);
  try {
    const { file, rotation, events, read } = openBench(t, disk.folder);
    rotation.watch([{ file, rotateBytes: 30_000, keep: 3 }]);
    writeFileSync(`${file}.1`, "1".repeat(40_000));
    writeFileSync(`${file}.2`, "2".repeat(40_000));
    writeFileSync(file, "0".repeat(120_000));
    await rotation.rotateNow();
    assert.deepEqual([read()?.length, read(1)?.length, read(1)?.[0]], [0, 120_000, "0"]);
    assert.equal(events.length, 0);

    // Now the log alone fills more than half of the disk.
    rmSync(`${file}.1`);
    rmSync(`${file}.2`, { force: true });
    writeFileSync(file, "0".repeat(180_000));
    await rotation.rotateNow();
    assert.equal(read(), "");
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["logs.cut"],
    );
    assert.match(events[0]?.sentence ?? "", /losing 180000 bytes/);
    assert.deepEqual(readdirSync(disk.folder), ["web-1.log"]);
  } finally {
    disk.unmount();
  }
});
