// What a file that is written and read once owes to the device, and to one that refuses.

import assert from "node:assert/strict";
import { constants, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { alignedBytes } from "../core/base/aligned-memory.ts";
import { PastCache } from "./past-cache.ts";

const fileBytes = 1_048_576 + 128;

async function withFile(run: (file: FileHandle, path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "nines-past-cache-"));
  const path = join(folder, "file");
  const file = await open(path, constants.O_RDWR | constants.O_CREAT);
  try {
    await run(file, path);
  } finally {
    await file.close();
    rmSync(folder, { recursive: true });
  }
}

function pattern(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at < bytes.length; at++) bytes[at] = at >> 10;
  return bytes;
}

/** What the kernel has read from devices for this process. */
function deviceBytesRead(): number {
  if (!existsSync("/proc/self/io")) return 0;
  const [, bytes] = /^read_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8")) ?? [];
  return Number(bytes);
}

/** Whether the file system has the way, and counts what goes it: one in memory does not. */
async function isReadFromDevice(path: string): Promise<boolean> {
  const before = deviceBytesRead();
  const direct = await open(path, constants.O_RDONLY | constants.O_DIRECT).catch(() => undefined);
  const got = await direct?.read(alignedBytes(65_536), 0, 65_536, 0).catch(() => undefined);
  await direct?.close();
  return got !== undefined && deviceBytesRead() - before >= 65_536;
}

describe("a file past the cache", () => {
  it("is read from the device each time", async () => {
    await withFile(async (file, path) => {
      const whole = pattern(alignedBytes(fileBytes));
      const way = new PastCache(file, constants.O_RDWR);
      await way.write(whole, 0);
      await file.datasync();
      const hasDevice = await isReadFromDevice(path);
      for (let time = 0; time < 2; time++) {
        const before = deviceBytesRead();
        const into = alignedBytes(fileBytes + 4_096);
        assert.equal(await way.read(into, 0), fileBytes);
        assert.deepEqual(into.subarray(0, fileBytes), whole);
        if (hasDevice) assert.ok(deviceBytesRead() - before >= 1_048_576);
      }
      await way.close();
    });
  });

  it("goes through the cache where the kernel takes nothing else", async (t) => {
    await withFile(async (file, path) => {
      const refused = { write: 0, read: 0 };
      const proto = Object.getPrototypeOf(file) as FileHandle;
      for (const call of ["write", "read"] as const) {
        const original = proto[call] as (...given: unknown[]) => Promise<unknown>;
        t.mock.method(proto, call, function (this: FileHandle, ...given: unknown[]) {
          if (this.fd === file.fd) return original.apply(this, given);
          refused[call]++;
          return Promise.reject(Object.assign(new Error("larger blocks"), { code: "EINVAL" }));
        });
      }
      const whole = pattern(alignedBytes(fileBytes));
      const into = alignedBytes(fileBytes);
      for (const bytes of [whole, whole.subarray(0, 131_072)]) {
        const way = new PastCache(file, constants.O_RDWR);
        await way.write(bytes, 0);
        await way.write(bytes, 0);
        assert.equal(await way.read(into.fill(0), 0), fileBytes);
        await way.close();
        assert.deepEqual(into, whole);
      }
      // Each file asks once.
      assert.deepEqual(refused, { write: 2, read: 0 });
      assert.deepEqual(new Uint8Array(readFileSync(path)), new Uint8Array(whole));
    });
  });
});
