// The simulated disk keeps the promises of every disk, and takes each liberty that the port names:
// a liberty that it never took would be a crash that no test has seen.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPrng } from "../../src/core/base/prng.ts";
import { type DiskFile, type DiskFolder, diskErrorKind } from "../../src/ports/disk.ts";
import { diskConformance, troubledDiskConformance } from "../../test/conformance/disk.ts";
import { enumerate } from "./choices.ts";
import { SimulatedDisk } from "./simulated-disk.ts";

diskConformance("a simulated disk", (check) => check({ disk: new SimulatedDisk(), path: "/disk" }));

diskConformance("a slow simulated disk", (check) => {
  const disk = new SimulatedDisk();
  disk.slowWrites = true;
  disk.pause = () => new Promise((resolve) => disk.soon(resolve));
  return check({ disk, path: "/disk" });
});

troubledDiskConformance(
  "a simulated disk in trouble",
  (check) => {
    const disk = new SimulatedDisk();
    disk.capacityBytes = 320 * 1024;
    return check({
      disk,
      path: "/disk",
      makeRoom: () => void (disk.capacityBytes = 640 * 1024),
      makeReadOnly: () => void (disk.readOnly = true),
    });
  },
  { skip: false },
);

const path = "/disk";

interface Fixture {
  readonly disk: SimulatedDisk;
  readonly folder: DiskFolder;
  readonly file: DiskFile;
}

/** A folder with a durable file "log" of four sectors of `-`. */
async function setUp(): Promise<Fixture> {
  const disk = new SimulatedDisk();
  const folder = await disk.openFolder(path, { create: true });
  const file = await folder.create("log");
  await file.write(letters("-", 4), 0);
  await file.flush();
  await folder.flush();
  return { disk, folder, file };
}

function letters(letter: string, sectors: number): Uint8Array {
  return new Uint8Array(sectors * 512).fill(letter.charCodeAt(0));
}

/** A letter for each sector; ? for one that is a mixture. */
function say(disk: SimulatedDisk, name: string): string {
  const content = disk.content(path, name);
  const bytes = new Uint8Array(content.sizeBytes);
  content.read(bytes, 0);
  let said = "";
  for (let start = 0; start < bytes.length; start += 512) {
    const sector = bytes.subarray(start, start + 512);
    const whole = sector.every((byte) => byte === sector[0]);
    said += whole ? (sector[0] === 0 ? "0" : String.fromCharCode(sector[0] ?? 0)) : "?";
  }
  return said;
}

/** Everything that a power loss may leave, each said once. */
function outcomes(
  disk: SimulatedDisk,
  tell: (left: SimulatedDisk) => string,
  options = { stale: false },
): readonly string[] {
  const seen = new Set<string>();
  for (const choose of enumerate(10_000)) seen.add(tell(disk.afterPowerLoss(choose, options)));
  return [...seen].sort();
}

describe("a power loss", () => {
  it("tears and reorders writes that are not durable, sector by sector", async () => {
    const { disk, file } = await setUp();
    await file.write(letters("a", 2), 0);
    await file.write(letters("b", 2), 512);
    const left = outcomes(disk, (image) => say(image, "log"));
    const expected = ["-", "a"].flatMap((first) =>
      ["-", "a", "b"].flatMap((second) => ["-", "b"].map((third) => `${first}${second}${third}-`)),
    );
    assert.deepEqual(left, expected.sort());
  });

  it("leaves durable writes, and of those beside them what it likes", async () => {
    const { disk, folder, file } = await setUp();
    await file.write(letters("a", 2), 0);
    const durable = await folder.open("log", "durable");
    await durable.write(letters("d", 2), 512);
    assert.deepEqual(
      outcomes(disk, (image) => say(image, "log")),
      ["-dd-", "add-"],
    );
  });

  it("leaves everything that was flushed", async () => {
    const { disk, file } = await setUp();
    await file.write(letters("a", 6), 512);
    await file.truncate(5 * 512);
    await file.flush();
    assert.deepEqual(
      outcomes(disk, (image) => say(image, "log")),
      ["-aaaa"],
    );
  });

  it("leaves a grown file with any of its sizes, gained sectors with zeros or stale", async () => {
    const { disk, folder, file } = await setUp();
    const removed = await folder.create("removed");
    await removed.write(letters("s", 1), 0);
    await folder.remove("removed");
    await folder.flush();
    await file.write(letters("a", 1), 5 * 512);
    const left = outcomes(disk, (image) => say(image, "log"), { stale: true });
    for (const expected of ["----", "----0a", "----00", "----sa", "----ss", "----0s"]) {
      assert.ok(left.includes(expected), `${expected} in ${left.join(" ")}`);
    }
    assert.ok(
      left.every((content) => /^----([0s][0as])?$/.test(content)),
      left.join(" "),
    );
  });

  it("takes names that the folder was not flushed for, and moves a file whole or not", async () => {
    const { disk, folder, file } = await setUp();
    const made = await folder.create("made");
    await made.write(letters("m", 1), 0);
    await made.flush();
    await folder.rename("made", "log");
    await file.flush();
    const left = outcomes(disk, (image) =>
      image
        .names(path)
        .map((name) => `${name}=${say(image, name)}`)
        .join(" "),
    );
    assert.deepEqual(left, ["log=----", "log=---- made=m", "log=m"]);
    await folder.flush();
    assert.deepEqual(
      outcomes(disk, (image) => `${image.names(path).join(" ")}=${say(image, "log")}`),
      ["log=m"],
    );
  });

  it("brings back what was removed without a flush, and frees the lock", async () => {
    const { disk, folder } = await setUp();
    assert.ok((await folder.lock()) !== undefined);
    await folder.remove("log");
    const left = outcomes(disk, (image) => image.names(path).join(" "));
    assert.deepEqual(left, ["", "log"]);
    const image = disk.afterPowerLoss(() => 0, { stale: false });
    const again = await image.openFolder(path, { create: false });
    assert.ok((await again.lock()) !== undefined);
  });

  it("is no different from the last after it: what one start saw, the next sees", async () => {
    const { disk, file } = await setUp();
    await file.write(letters("a", 4), 0);
    const random = createPrng(1);
    const image = disk.afterPowerLoss((ways) => random.below(ways), { stale: true });
    assert.deepEqual(
      outcomes(image, (left) => say(left, "log")),
      [say(image, "log")],
    );
  });
});

describe("a kill", () => {
  it("loses nothing, and a power loss after it may still take what was not durable", async () => {
    const { disk, file } = await setUp();
    await file.write(letters("a", 1), 0);
    const killed = disk.afterKill();
    await file.write(letters("b", 1), 512);
    assert.equal(say(killed, "log"), "a---");
    assert.deepEqual(
      outcomes(killed, (image) => say(image, "log")),
      ["----", "a---"],
    );
  });
});

describe("a failing device", () => {
  it("fails the n-th change, once or from then on", async () => {
    const { disk, file } = await setUp();
    const failed = async (forever: boolean) => {
      disk.failure = { afterCalls: 2, forever, kind: "io" };
      const seen: string[] = [];
      for (let call = 0; call < 5; call++) {
        await file.truncate(2_048).then(
          () => seen.push("ok"),
          (error: unknown) => seen.push(String(diskErrorKind(error))),
        );
      }
      disk.failure = undefined;
      return seen;
    };
    assert.deepEqual(await failed(false), ["ok", "ok", "io", "ok", "ok"]);
    assert.deepEqual(await failed(true), ["ok", "ok", "io", "io", "io"]);
  });

  it("forgets what a failed flush was to keep, though it reads well and flushes well", async () => {
    const { disk, file } = await setUp();
    await file.write(letters("a", 4), 0);
    disk.failure = { afterCalls: 0, forever: false, kind: "io" };
    await assert.rejects(file.flush(), (error) => diskErrorKind(error) === "io");
    await file.flush();
    assert.equal(say(disk, "log"), "aaaa");
    assert.deepEqual(
      outcomes(disk, (image) => say(image, "log")),
      ["----"],
    );
  });

  it("forgets names in the same way", async () => {
    const { disk, folder } = await setUp();
    await folder.remove("log");
    disk.failure = { afterCalls: 0, forever: false, kind: "io" };
    await assert.rejects(folder.flush(), (error) => diskErrorKind(error) === "io");
    await folder.flush();
    assert.deepEqual(
      outcomes(disk, (image) => image.names(path).join(" ")),
      ["", "log"],
    );
  });

  it("may lie: flushed and durable, and nothing is kept", async () => {
    const { disk, folder, file } = await setUp();
    disk.flushesLie = true;
    await file.write(letters("a", 1), 0);
    await file.flush();
    await (await folder.open("log", "durable")).write(letters("b", 1), 512);
    assert.ok(outcomes(disk, (image) => say(image, "log")).includes("----"));
  });

  it("rots by the bit", async () => {
    const { disk } = await setUp();
    disk.content(path, "log").flipBit(700, 0);
    assert.equal(say(disk, "log"), "-?--");
    assert.deepEqual(
      outcomes(disk, (image) => say(image, "log")),
      ["-?--"],
    );
  });
});
