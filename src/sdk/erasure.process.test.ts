// What an application gets from `nines/erasure`: sets of shards in real files.

import assert from "node:assert/strict";
import { createReadStream, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import * as sdk from "./erasure.ts";

const geometry = { dataShards: 4, parityShards: 2, pieceBytes: 65_536 } as const;

function placeOf(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "nines-sdk-erasure-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const paths = Array.from({ length: 6 }, (_, shard) => join(folder, `shard-${shard}`));
  const content = Uint8Array.from({ length: 1_000_003 }, (_, at) => (at * 31) ^ (at >> 9));
  const source = join(folder, "content");
  writeFileSync(source, content);
  return { folder, paths, content, source, target: join(folder, "target") };
}

describe("nines/erasure", () => {
  it("is what a package that has Nines installed imports by this name", async () => {
    const name = "nines/erasure";
    const imported = (await import(name)) as typeof sdk;
    assert.deepEqual(Object.keys(imported).sort(), Object.keys(sdk).sort());
    assert.equal(imported.Stripe, sdk.Stripe);
  });

  for (const cached of [false, true]) {
    const way = cached ? "through the cache" : "past the cache where that is possible";
    it(`codes a file, loses shards, reads and mends them, ${way}`, async (t) => {
      const { folder, paths, content, source, target } = placeOf(t);
      const set = await sdk.encodeFile(source, paths, { ...geometry, cached });
      assert.equal(set.contentBytes, content.length);
      const before = paths.map((path) => readFileSync(path));
      const sound = await sdk.verifyFiles(paths, { cached });
      assert.ok(sound.shards.every(({ state }) => state === "sound"));
      rmSync(paths[0] as string);
      truncateSync(paths[5] as string, 70_000);
      const read = await sdk.decodeFiles(paths, target, { cached });
      assert.deepEqual(new Uint8Array(readFileSync(target)), content);
      assert.equal(read.shards[0]?.message, "Shard 0: missing.");
      const { mended } = await sdk.repairFiles(paths, { cached });
      assert.deepEqual(mended, [0, 5]);
      assert.deepEqual(
        paths.map((path) => readFileSync(path)),
        before,
      );
      assert.equal(readdirSync(folder).length, paths.length + 2, "nothing else is left");
    });
  }

  it("codes a stream whose length nobody knows", async (t) => {
    const { paths, content, source, target } = placeOf(t);
    const stream = createReadStream(source, { highWaterMark: 10_007 });
    await sdk.encodeFile(stream, paths, geometry);
    await sdk.decodeFiles(paths, target);
    assert.deepEqual(new Uint8Array(readFileSync(target)), content);
    assert.ok(stream.destroyed);
  });

  it("writes over files only where it is told to, and leaves nothing of them", async (t) => {
    const { paths, source, target, folder } = placeOf(t);
    await sdk.encodeFile(source, paths, geometry);
    const short = join(folder, "short");
    writeFileSync(short, "a short content");
    const refused = sdk.encodeFile(short, paths, geometry);
    await assert.rejects(refused, { name: "DiskError", kind: "exists" });
    await sdk.encodeFile(short, paths, { ...geometry, overwrite: true });
    assert.equal(statSync(paths[0] as string).size, 3 * 4096);
    await sdk.decodeFiles(paths, target);
    assert.equal(readFileSync(target, "utf8"), "a short content");
  });

  it("leaves no target and no shard behind when it fails", async (t) => {
    const { paths, source, target } = placeOf(t);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(400_000);
      throw new Error("the stream broke");
    }
    await assert.rejects(sdk.encodeFile(broken(), paths, geometry), /the stream broke/);
    assert.ok(paths.every((path) => !existsSync(path)));
    await sdk.encodeFile(source, paths, geometry);
    const stopped = { signal: AbortSignal.abort(new Error("stopped")) };
    await assert.rejects(sdk.decodeFiles(paths, target, stopped), /stopped/);
    await assert.rejects(sdk.repairFiles(paths, stopped), /stopped/);
    for (const path of paths.slice(0, 3)) renameSync(path, `${path}-away`);
    await assert.rejects(sdk.decodeFiles(paths, target), { code: "NINES_ERASURE_LOST" });
    await assert.rejects(sdk.repairFiles(paths), { code: "NINES_ERASURE_LOST" });
    assert.ok(!existsSync(target) && !existsSync(`${target}.part`));
    assert.ok(paths.slice(0, 3).every((path) => !existsSync(path)));
  });
});
