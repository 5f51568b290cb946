// The disk's promises on real file systems: written at once and by the thread, on one that is full
// and on one that has become read-only.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createDisk } from "../../src/runtime/disk.ts";
import { takeNext } from "../../src/runtime/disk-lock.ts";
import { createPace } from "../../src/runtime/disk-writer.ts";
import { mountSmallDisk, noSmallDisk } from "../small-disk.fixture.ts";
import { diskConformance, troubledDiskConformance } from "./disk.ts";

const scratch = mkdtempSync(join(tmpdir(), "nines-disk-"));
let folders = 0;
after(() => rmSync(scratch, { recursive: true, force: true }));

const ways: Readonly<Record<string, number>> = {
  "a disk that is written at once": Number.POSITIVE_INFINITY,
  "a disk that is written by a thread": 0,
};

for (const [name, slowAboveMs] of Object.entries(ways)) {
  diskConformance(name, (check) =>
    check({ disk: createDisk({ slowAboveMs }), path: join(scratch, `folder-${++folders}`) }),
  );

  troubledDiskConformance(
    name,
    async (check) => {
      const small = mountSmallDisk(640 * 1024);
      assert.ok(small !== undefined);
      const ballast = join(small.folder, "ballast");
      writeFileSync(ballast, new Uint8Array(320 * 1024));
      try {
        await check({
          disk: createDisk({ slowAboveMs }),
          path: join(small.folder, "journal"),
          makeRoom: () => rmSync(ballast),
          makeReadOnly() {
            const remounted = spawnSync("mount", ["-o", "remount,ro", small.folder]);
            assert.equal(remounted.status, 0, String(remounted.stderr));
          },
        });
      } finally {
        small.unmount();
      }
    },
    { skip: canMount() ? false : noSmallDisk },
  );
}

function canMount(): boolean {
  const small = mountSmallDisk(64 * 1024);
  small?.unmount();
  return small !== undefined;
}

const holders: ChildProcess[] = [];
after(() => {
  for (const holder of holders) holder.kill("SIGKILL");
});

/** A process that holds the folder's lock. */
async function holder(path: string): Promise<ChildProcess> {
  const script = join(import.meta.dirname, "lock-holder.fixture.js");
  const child = spawn(process.execPath, [script, path], { stdio: ["ignore", "pipe", "inherit"] });
  holders.push(child);
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(String(said), "holds it\n");
  return child;
}

test("a folder is free at once when the process that holds it is killed", async () => {
  const path = join(scratch, "held");
  const folder = await createDisk().openFolder(path, { create: true });
  const child = await holder(path);
  assert.equal(await folder.lock(), undefined);
  child.kill("SIGSTOP");
  assert.equal(await folder.lock(), undefined, "a stopped holder holds it still");
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = await folder.lock();
  assert.ok(lock !== undefined);
  await lock.release();
  await folder.close();
});

test("a taker that was held up does not hold what others took and left meanwhile", async () => {
  const path = join(scratch, "held-up");
  const folder = await createDisk().openFolder(path, { create: true });
  for (let round = 0; round < 8; round++) await (await folder.lock())?.release();
  const temporary = "writer~1-0123456789ab";
  closeSync(openSync(join(path, temporary), "w"));
  assert.equal(await takeNext(path, temporary, 1), false);
  assert.ok(readdirSync(path).includes("writer-8") && !readdirSync(path).includes("writer-1"));
  await folder.close();
});

test("a file that is closed has what the thread was still writing", async () => {
  const path = join(scratch, "closed");
  const folder = await createDisk({ slowAboveMs: 0 }).openFolder(path, { create: true });
  await (await folder.create("log")).close();
  const file = await folder.open("log", "durable");
  const written = file.write(new Uint8Array(100_000).fill(1), 0);
  await file.close();
  assert.equal(readFileSync(join(path, "log")).length, 100_000);
  await written;
  await folder.close();
});

test("a lock's path may be longer than a socket's", { skip: onlyLinux() }, async () => {
  const path = join(scratch, "long-".repeat(40));
  const folder = await createDisk().openFolder(path, { create: true });
  const other = await createDisk().openFolder(path, { create: false });
  const lock = await folder.lock();
  assert.ok(lock !== undefined);
  assert.equal(await other.lock(), undefined);
  await lock.release();
  await folder.close();
  await other.close();
});

function onlyLinux(): string | false {
  return process.platform === "linux" ? false : "names a folder by /proc";
}

test("what is no file is not listed: folders, sockets", async () => {
  const path = join(scratch, "mixed");
  const folder = await createDisk().openFolder(path, { create: true });
  mkdirSync(join(path, "folder"));
  closeSync(openSync(join(path, "file"), "w"));
  const lock = await folder.lock();
  assert.deepEqual(await folder.list(), ["file"]);
  await lock?.release();
  await folder.close();
});

test("a device is slow when half of its last writes were, and fast again by most", () => {
  const pace = createPace(0.3);
  const note = (elapsedMs: number, times: number, bytes = 100) => {
    for (let time = 0; time < times; time++) pace.note(elapsedMs, bytes);
  };
  note(0.1, 100);
  note(8, 7);
  assert.equal(pace.slow, false, "a few slow writes say nothing of the device");
  note(0.1, 16);
  note(1.2, 16, 1_000_000);
  assert.equal(pace.slow, false, "moving a megabyte is not latency");
  note(8, 8);
  assert.equal(pace.slow, true);
  note(0.25, 100);
  assert.equal(pace.slow, true, "hardly below the limit is not fast");
  note(0.1, 11);
  assert.equal(pace.slow, true);
  note(0.1, 1);
  assert.equal(pace.slow, false);
});
