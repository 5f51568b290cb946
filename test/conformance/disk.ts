// The promises of ports/disk.ts that hold as long as nothing crashes, for any disk.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  blockBytes,
  type Disk,
  type DiskAccess,
  type DiskErrorKind,
  diskErrorKind,
  type DiskFile,
  type DiskFolder,
} from "../../src/ports/disk.ts";

export interface DiskWorld {
  readonly disk: Disk;
  /** Where a folder may be made; not there yet. */
  readonly path: string;
}

export interface TroubledDiskWorld extends DiskWorld {
  /** Room for a few hundred kilobytes at most, until `makeRoom`. */
  makeRoom(): void;
  makeReadOnly(): void;
}

type With<World> = (check: (world: World) => Promise<void>) => Promise<void>;

const sizeMax = 3_000;

async function inFolder(
  { disk, path }: DiskWorld,
  check: (folder: DiskFolder) => Promise<void>,
): Promise<void> {
  const folder = await disk.openFolder(path, { create: true });
  try {
    await check(folder);
  } finally {
    await folder.close();
  }
}

async function using<T>(opened: Promise<DiskFile>, use: (file: DiskFile) => Promise<T>) {
  const file = await opened;
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function textOf(folder: DiskFolder, name: string): Promise<string> {
  return using(folder.open(name, "read"), async (file) => {
    const bytes = new Uint8Array(await file.sizeBytes());
    assert.equal(await file.read(bytes, 0), bytes.length);
    return new TextDecoder().decode(bytes);
  });
}

async function put(folder: DiskFolder, name: string, text: string): Promise<void> {
  await using(folder.create(name), async (file) => {
    await file.write(bytesOf(text), 0);
    await file.flush();
  });
  await folder.flush();
}

function failsAs(kind: DiskErrorKind): (error: unknown) => boolean {
  return (error) => {
    assert.equal(diskErrorKind(error), kind);
    return true;
  };
}

export function diskConformance(name: string, withDisk: With<DiskWorld>): void {
  contentConformance(name, withDisk);
  namesConformance(name, withDisk);
  lockConformance(name, withDisk);
}

interface Change {
  readonly access: "write" | "durable" | "truncate";
  readonly offset: number;
  readonly fill: number;
  readonly length: number;
}

const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({
    access: fc.constantFrom("write", "durable", "truncate"),
    offset: fc.nat(sizeMax),
    fill: fc.integer({ min: 1, max: 255 }),
    length: fc.nat(sizeMax),
  }),
  { minLength: 1, maxLength: 12 },
);

function contentConformance(name: string, withDisk: With<DiskWorld>): void {
  test(`${name}: a file holds what was written to it, whichever way`, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        let files = 0;
        const holds = async (made: readonly Change[]) => {
          const file = `file-${++files}`;
          await (await folder.create(file)).close();
          const expected = await applyAll(world.disk, folder, file, made);
          assert.equal(await textOf(folder, file), new TextDecoder("utf-8").decode(expected));
        };
        await fc.assert(fc.asyncProperty(changes, holds), { numRuns: 40 });
      });
    });
  });

  test(`${name}: a read ends where the file ends`, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        await put(folder, "short", "0123456789");
        await using(folder.open("short", "read"), async (file) => {
          const into = new Uint8Array(8);
          assert.equal(await file.read(into, 6), 4);
          assert.equal(new TextDecoder().decode(into), "6789\0\0\0\0");
          assert.equal(await file.read(into, 10), 0);
          assert.equal(await file.read(into, 1_000), 0);
        });
      });
    });
  });

  test(`${name}: durable writes may overlap, and memory is the caller's again`, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        await put(folder, "log", "");
        await using(folder.open("log", "durable"), async (file) => {
          const halves = ["a", "b", "c", "d"].map((letter) => {
            const memory = world.disk.allocate(2_000);
            assert.ok(memory.every((byte) => byte === 0));
            return memory.fill(letter.charCodeAt(0));
          });
          await Promise.all(halves.map(async (memory, index) => file.write(memory, index * 2_000)));
          for (const memory of halves) memory.fill(0);
        });
        const letters = ["a", "b", "c", "d"].map((letter) => letter.repeat(2_000));
        assert.equal(await textOf(folder, "log"), letters.join(""));
      });
    });
  });

  test(`${name}: what goes past the cache is there for all, whatever its place and length`, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        await fc.assert(
          fc.asyncProperty(fc.array(passing, { minLength: 1, maxLength: 4 }), async (passings) => {
            const expected = await pass(world.disk, folder, passings);
            for (const once of [false, true]) {
              await using(folder.open("once", "read", { once }), async (file) => {
                const into = world.disk.allocate(expected.length + 5_000);
                assert.equal(await file.read(into, 0), expected.length);
                assert.deepEqual(into.subarray(0, expected.length), expected);
                const rest = into.subarray(0, 100_000);
                const got = await file.read(rest, 2 * blockBytes);
                assert.deepEqual(
                  rest.subarray(0, got),
                  expected.slice(2 * blockBytes, 2 * blockBytes + got),
                );
              });
            }
            await folder.remove("once");
          }),
          { numRuns: 20 },
        );
      });
    });
  });

  test(`${name}: what is to run soon runs once, and not before this has ended`, async () => {
    await withDisk(async ({ disk }) => {
      const order: string[] = [];
      disk.soon(() => order.push("soon"));
      order.push("now");
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(order, ["now", "soon"]);
    });
  });
}

interface Passing {
  readonly offset: number;
  readonly length: number;
  /** Where it lies in memory: in line with its place in the file, or so far from that. */
  readonly shift: number;
}

const passing: fc.Arbitrary<Passing> = fc.record({
  offset: fc.oneof(fc.constantFrom(0, 128, blockBytes), fc.nat(20_000)),
  length: fc.oneof(fc.constantFrom(65_536, 131_072), fc.nat(200_000)),
  shift: fc.constantFrom(0, 0, 512, 77),
});

/** What the file holds then. */
async function pass(
  disk: Disk,
  folder: DiskFolder,
  passings: readonly Passing[],
): Promise<Uint8Array> {
  let expected = new Uint8Array(0);
  await using(folder.create("once", { once: true }), async (file) => {
    for (const [at, { offset, length, shift }] of passings.entries()) {
      const start = (offset % blockBytes) + shift;
      const bytes = disk.allocate(start + length).subarray(start);
      for (let byte = 0; byte < length; byte++) bytes[byte] = (byte >> 9) + 50 * at;
      await file.write(bytes, offset);
      const end = length === 0 ? 0 : offset + length;
      const grown = new Uint8Array(Math.max(expected.length, end));
      grown.set(expected);
      if (length > 0) grown.set(bytes, offset);
      expected = grown;
    }
    await file.flush();
  });
  return expected;
}

async function applyAll(
  disk: Disk,
  folder: DiskFolder,
  name: string,
  made: readonly Change[],
): Promise<Uint8Array> {
  let expected = new Uint8Array(0);
  const resize = (sizeBytes: number) => {
    const resized = new Uint8Array(sizeBytes);
    resized.set(expected.subarray(0, sizeBytes));
    expected = resized;
  };
  for (const { access, offset, fill, length } of made) {
    const opened: DiskAccess = access === "durable" ? "durable" : "write";
    await using(folder.open(name, opened), async (file) => {
      if (access === "truncate") {
        await file.truncate(offset);
        resize(offset);
      } else {
        const memory = fill % 2 === 0 ? disk.allocate(length) : new Uint8Array(length);
        await file.write(memory.fill(fill), offset);
        if (length > 0) resize(Math.max(expected.length, offset + length));
        expected.fill(fill, offset, offset + length);
      }
      assert.equal(await file.sizeBytes(), expected.length);
    });
  }
  return expected;
}

function namesConformance(name: string, withDisk: With<DiskWorld>): void {
  test(`${name}: a folder that is not there is made only when that is asked for`, async () => {
    await withDisk(async ({ disk, path }) => {
      await assert.rejects(disk.openFolder(path, { create: false }), failsAs("not-found"));
      const made = await disk.openFolder(`${path}/deep/below`, { create: true });
      await put(made, "file", "here");
      await made.close();
      const again = await disk.openFolder(`${path}/deep/below`, { create: false });
      assert.equal(await textOf(again, "file"), "here");
      await again.close();
    });
  });

  test(`${name}: files are listed by name; what is not there is said to be missing`, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        for (const file of ["b", "a-10", "a-9", "B"]) await put(folder, file, file);
        assert.deepEqual(await folder.list(), ["B", "a-10", "a-9", "b"]);
        await assert.rejects(folder.create("b"), failsAs("exists"));
        await assert.rejects(folder.open("c", "read"), failsAs("not-found"));
        await assert.rejects(folder.open("c", "durable"), failsAs("not-found"));
        await assert.rejects(folder.remove("c"), failsAs("not-found"));
        await assert.rejects(folder.rename("c", "d"), failsAs("not-found"));
        await folder.remove("a-9");
        assert.deepEqual(await folder.list(), ["B", "a-10", "b"]);
      });
    });
  });

  test(`${name}: a move takes the place of a file, and open files go on`, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        await put(folder, "new", "new");
        await put(folder, "old", "old");
        const replaced = await folder.open("old", "read");
        const moved = await folder.open("new", "write");
        await folder.rename("new", "old");
        await folder.flush();
        await moved.write(bytesOf("er"), 3);
        const into = new Uint8Array(8);
        assert.equal(await replaced.read(into, 0), 3);
        assert.equal(new TextDecoder().decode(into.subarray(0, 3)), "old");
        await moved.close();
        await replaced.close();
        assert.deepEqual(await folder.list(), ["old"]);
        assert.equal(await textOf(folder, "old"), "newer");
      });
    });
  });
}

function lockConformance(name: string, withDisk: With<DiskWorld>): void {
  test(`${name}: a folder has one holder, until it lets go`, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        const other = await world.disk.openFolder(world.path, { create: false });
        for (let round = 0; round < 3; round++) {
          const held = await folder.lock();
          assert.ok(held !== undefined);
          assert.equal(await other.lock(), undefined);
          assert.equal(await folder.lock(), undefined);
          await held.release();
          await held.release();
          const next = await other.lock();
          assert.ok(next !== undefined);
          await held.release();
          assert.equal(await folder.lock(), undefined);
          await next.release();
        }
        assert.deepEqual(await folder.list(), []);
        await other.close();
      });
    });
  });

  test(`${name}: of many takers at the same time at most one gets it`, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        for (let round = 0; round < 5; round++) {
          const takers = await Promise.all(Array.from({ length: 8 }, () => folder.lock()));
          const holders = takers.filter((lock) => lock !== undefined);
          assert.ok(holders.length <= 1, `${holders.length} hold it`);
          await Promise.all(holders.map((lock) => lock.release()));
        }
        const alone = await folder.lock();
        assert.ok(alone !== undefined);
        await alone.release();
      });
    });
  });
}

export function troubledDiskConformance(
  name: string,
  withDisk: With<TroubledDiskWorld>,
  options: { readonly skip: string | false },
): void {
  const { skip } = options;

  test(`${name}: a full disk says so, and goes on when there is room`, { skip }, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        await put(folder, "log", "kept");
        const chunk = new Uint8Array(64 * 1024).fill(1);
        const fill = async (file: DiskFile) => {
          for (let written = 0; written < 64; written++) {
            await file.write(chunk, written * chunk.length);
          }
        };
        await using(folder.create("large"), (file) => assert.rejects(fill(file), failsAs("full")));
        await using(folder.open("log", "durable"), async (file) => {
          // What has its place on the device can be written over.
          await file.write(bytesOf("KE"), 0);
          const grow = async () => file.write(chunk, 4);
          await assert.rejects(grow, failsAs("full"));
        });
        assert.equal((await textOf(folder, "log")).slice(0, 4), "KEpt");
        world.makeRoom();
        await using(folder.open("log", "durable"), async (file) => file.write(chunk, 4));
        assert.equal((await textOf(folder, "log")).length, 4 + chunk.length);
      });
    });
  });

  test(`${name}: a read-only disk is read, and refuses by that name`, { skip }, async () => {
    await withDisk(async (world) => {
      await inFolder(world, async (folder) => {
        await put(folder, "log", "kept");
        world.makeReadOnly();
        await assert.rejects(folder.create("new"), failsAs("read-only"));
        await assert.rejects(folder.open("log", "durable"), failsAs("read-only"));
        await assert.rejects(folder.rename("log", "gol"), failsAs("read-only"));
        await assert.rejects(folder.remove("log"), failsAs("read-only"));
        await assert.rejects(folder.lock(), failsAs("read-only"));
        assert.deepEqual(await folder.list(), ["log"]);
        assert.equal(await textOf(folder, "log"), "kept");
      });
    });
  });
}
