// Work on threads comes to the same as work done here, wherever its bytes lie.

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { deflateRawSync } from "node:zlib";
import type { Worker } from "node:worker_threads";
import { type Bulk, type Sealing, tagBytes, type VaultCrypto } from "../core/vault/crypto.ts";
import { sharedBytes } from "../core/vault/memory.ts";
import { WindowCoder } from "../core/vault/window-coder.ts";
import { createBulkThreads } from "./bulk-threads.ts";
import { sealedChunkOf } from "./sealed-chunk.fixture.ts";
import { createVaultCrypto } from "./vault-crypto.ts";

const sealing: Sealing = {
  key: randomBytes(32),
  nonce: randomBytes(12),
  about: randomBytes(37),
};
const lengths = [0, 1, 32_767, 32_768, 65_536, 300_001];

function threaded(t: TestContext): VaultCrypto {
  const workers = createBulkThreads(2);
  workers.start();
  t.after(() => workers.close());
  return createVaultCrypto(workers.bulk);
}

/** The same bytes in memory of the program's own, and in memory that threads share. */
function bothOf(bytes: Uint8Array): readonly Uint8Array[] {
  const shared = sharedBytes(bytes.length);
  shared.set(bytes);
  return [bytes, shared];
}

/** Gives threads that are about to be closed more to do than they will get done, seconds of it. */
async function occupy({ mac }: Bulk): Promise<void> {
  const bytes = sharedBytes(50_000_000);
  const all = await Promise.allSettled(Array.from({ length: 40 }, () => mac(sealing.key, bytes)));
  const last = all.at(-1);
  assert(last?.status === "rejected");
  assert.match(String(last.reason), /has ended/);
}

describe("work on threads", () => {
  it("hashes as the program does, many at a time", async (t) => {
    const crypto = threaded(t);
    const all = lengths.flatMap((length) => bothOf(randomBytes(length)));
    await Promise.all(
      all.map(async (bytes) => {
        const mac = await crypto.bulk.mac(sealing.key, bytes);
        assert.deepEqual(Buffer.from(mac), crypto.mac(sealing.key, bytes));
      }),
    );
  });

  it("seals as the program does, and opens only what was sealed so", async (t) => {
    const crypto = threaded(t);
    const { key, nonce, about } = sealing;
    for (const bytes of lengths.flatMap((length) => bothOf(randomBytes(length)))) {
      const sealed = sharedBytes(bytes.length + tagBytes);
      await crypto.bulk.seal(sealing, bytes, sealed);
      assert.deepEqual(Buffer.from(sealed), crypto.seal(key, nonce, about, bytes));
      const into = sharedBytes(bytes.length);
      const chunk = { sealing, sealed, plainBytes: bytes.length, deflated: false };
      assert.equal(await crypto.bulk.open(chunk, into), true);
      assert.deepEqual(Buffer.from(into), Buffer.from(bytes));
      const shorter = into.subarray(0, -1);
      if (into.length > 0) {
        assert.equal(await crypto.bulk.open(chunk, shorter), false);
      }
      sealed[sealed.length >> 1] = (sealed[sealed.length >> 1] ?? 0) ^ 1;
      assert.equal(await crypto.bulk.open(chunk, into), false);
    }
  });

  it("deflates what has room, and inflates exactly what it was", async (t) => {
    const crypto = threaded(t);
    for (const length of [1_000, 200_000]) {
      const text = Buffer.from("a line of a log, and another\n".repeat(length / 10));
      const room = sharedBytes(text.length);
      const deflated = (await crypto.bulk.deflate(text, room)) ?? assert.fail("it gets shorter");
      assert.equal(await crypto.bulk.deflate(text, room.subarray(0, deflated - 1)), undefined);
      const sealed = sharedBytes(deflated + tagBytes);
      await crypto.bulk.seal(sealing, room.subarray(0, deflated), sealed);
      const into = sharedBytes(text.length);
      const chunk = { sealing, sealed, plainBytes: text.length, deflated: true };
      assert.equal(await crypto.bulk.open(chunk, into), true);
      assert.deepEqual(Buffer.from(into), text);
      for (const wrong of [text.length - 1, text.length + 1]) {
        assert.equal(await crypto.bulk.open(chunk, sharedBytes(wrong)), false);
      }
    }
  });

  it("finds another thread when one has died, and what that had under way fails", async (t) => {
    const { bulk } = threaded(t);
    const { key } = sealing;
    const bytes = sharedBytes(40_000_000);
    const beginning = once(process, "worker");
    const [first, second] = [bulk.mac(key, bytes), bulk.mac(key, bytes)];
    const failed = assert.rejects(first, /has ended/);
    const [thread] = (await beginning) as [Worker];
    await thread.terminate();
    await failed;
    const expected = createHmac("sha256", key).update(bytes).digest();
    const all = await Promise.all([second, bulk.mac(key, bytes), bulk.mac(key, bytes)]);
    for (const mac of all) assert.deepEqual(Buffer.from(mac), expected);
  });

  it("codes as the program does", async (t) => {
    const { bulk } = threaded(t);
    const geometry = { codec: "rs-xor", dataShards: 4, parityShards: 2 } as const;
    const here = new WindowCoder(geometry);
    for (const length of [128, 65_536, 200_064]) {
      const data = Array.from({ length: 4 }, () => randomBytes(length));
      const parity = [sharedBytes(length), sharedBytes(length)];
      const sums = await bulk.encode(geometry, data, parity);
      const expected = [new Uint8Array(length), new Uint8Array(length)];
      assert.deepEqual(sums, here.encode(data, expected));
      assert.deepEqual(parity.map(Buffer.from), expected.map(Buffer.from));
      const shards = [...data, ...parity];
      assert.deepEqual(await Promise.all(shards.map((shard) => bulk.sum(shard))), sums);
    }
  });

  it("fails with the kernel's own code", async (t) => {
    const { bulk } = threaded(t);
    const file = { descriptor: 2 ** 30, direct: undefined, offset: 0 };
    const opening = bulk.openTo(file, sealedChunkOf(randomBytes(100_000)));
    await assert.rejects(opening, { code: "EBADF" });
  });

  it("starts no thread for little, and threads for much", async (t) => {
    const workers = createBulkThreads(2);
    t.after(() => workers.close());
    let started = 0;
    const count = () => void started++;
    process.on("worker", count);
    t.after(() => process.off("worker", count));
    const bytes = sharedBytes(1_000_000);
    const expected = createHmac("sha256", sealing.key).update(bytes).digest();
    const mac = async () => Buffer.from(await workers.bulk.mac(sealing.key, bytes));
    assert.deepEqual(await mac(), expected);
    assert.equal(started, 0);
    for (let times = 0; times < 10_000 && started === 0; times++) {
      assert.deepEqual(await mac(), expected);
    }
    assert.equal(started, 1);
  });

  it("opens on a thread what is short only as it was sealed", async () => {
    const workers = createBulkThreads(2);
    workers.start();
    const { seal } = createVaultCrypto();
    const plainBytes = 10_000_000;
    const deflated = deflateRawSync(new Uint8Array(plainBytes));
    const sealed = seal(sealing.key, sealing.nonce, sealing.about, deflated);
    assert(sealed.length < 32_768);
    const chunk = { sealing, sealed, plainBytes, deflated: true };
    const into = sharedBytes(plainBytes).fill(1);
    assert.equal(await workers.bulk.open(chunk, into), true);
    assert(into.every((byte) => byte === 0));
    const busy = occupy(workers.bulk);
    const failed = assert.rejects(workers.bulk.open(chunk, into), /has ended/);
    await workers.close();
    await Promise.all([busy, failed]);
  });

  it("fails what is under way when the threads end", async () => {
    const workers = createBulkThreads(2);
    workers.start();
    const failed = occupy(workers.bulk);
    await workers.close();
    await failed;
  });
});
