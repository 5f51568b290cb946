// A set of shards promises: its content back, bit for bit, whatever up to m pieces of each stripe
// have become; a list of what is lost when more have; and never bytes that were not put in.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NinesError } from "../base/errors.ts";
import { encodeShards } from "./encode-shards.ts";
import { decodeShards, repairShards, verifyShards } from "./examine-shards.ts";
import {
  contentOfSize,
  type Faults,
  MemoryFile,
  memoryFiles,
  MemorySink,
  sourceOf,
} from "./shard-files.fixture.ts";
import {
  blockBytes,
  ChecksumBlock,
  checksumsAt,
  type Layout,
  pieceAt,
  placeOf,
  shardFileBytes,
} from "./shard-format.ts";

type Files = readonly (MemoryFile | undefined)[];

function layoutOf(options: Partial<Layout> = {}): Layout {
  const id = Uint8Array.from({ length: 16 }, (_, at) => at);
  return { codec: "rs-vand", dataShards: 3, parityShards: 2, pieceBytes: 8192, id, ...options };
}

async function encoded(content: Uint8Array, layout = layoutOf(), faults: Faults = {}) {
  const files = memoryFiles(layout.dataShards + layout.parityShards, faults);
  const set = await encodeShards(sourceOf(content), files, layout);
  return { files, set };
}

async function decoded(files: Files): Promise<Uint8Array> {
  const sink = new MemorySink();
  await decodeShards(files, sink);
  return sink.bytes;
}

async function mendedFiles(files: Files): Promise<MemoryFile[]> {
  const fresh = new Map<number, MemoryFile>();
  let isCommitted = false;
  const create = async (shard: number): Promise<MemoryFile> => {
    const file = new MemoryFile();
    fresh.set(shard, file);
    return file;
  };
  const commit = async (): Promise<void> => {
    isCommitted = true;
  };
  const { mended } = await repairShards(files, create, commit);
  assert.deepEqual([...fresh.keys()], mended);
  assert.equal(isCommitted, mended.length > 0);
  return files.map((file, at) => fresh.get(at) ?? (file as MemoryFile));
}

function flip(file: MemoryFile, at: number, mask = 1): void {
  file.bytes[at] = (file.bytes[at] as number) ^ mask;
}

test("content of any length comes back, from shards of the length that the format says", async () => {
  const stripeBytes = 3 * 8192;
  for (const codec of ["rs-vand", "rs-xor"] as const) {
    for (const size of [0, 1, 4095, 4096, 4097, 12_288, 12_289, stripeBytes - 1, stripeBytes]) {
      for (const whole of [0, stripeBytes, 4 * stripeBytes]) {
        const content = contentOfSize(whole + size);
        const { files, set } = await encoded(content, layoutOf({ codec }));
        assert.equal(set.contentBytes, content.length);
        for (const { bytes } of files) assert.equal(bytes.length, shardFileBytes(set));
        assert.deepEqual(await decoded(files), content, `${codec}, ${content.length} bytes`);
      }
    }
  }
});

test("more stripes than have room in one block of checksums", async () => {
  const layout = layoutOf({ codec: "xor", dataShards: 2, parityShards: 1, pieceBytes: 4096 });
  const content = contentOfSize(1030 * 8192 + 77);
  const { files, set } = await encoded(content, layout);
  flip(files[1] as MemoryFile, pieceAt(set, 511) + 5);
  flip(files[0] as MemoryFile, checksumsAt(set, 2) + 9);
  const { shards } = await verifyShards(files);
  assert.deepEqual(
    shards.map(({ lostPieces }) => lostPieces),
    [9, 1, 0],
  );
  assert.deepEqual(await decoded(files), content);
});

/** Ways in which a file stops being the shard that it was. */
const damages = {
  missing: () => undefined,
  empty: () => new MemoryFile(),
  truncated: (file, at) => new MemoryFile(file.bytes.slice(0, at)),
  flipped: (file, at) => {
    flip(file, at);
    return file;
  },
  zeroed: (file, at) => {
    file.bytes.fill(0, at, at + 5000);
    return file;
  },
  unreadable: (file, at) =>
    new MemoryFile(file.bytes, {
      read: (end) => {
        if (end > at) throw new Error("the device gives up");
      },
    }),
} satisfies Readonly<Record<string, (file: MemoryFile, at: number) => MemoryFile | undefined>>;

const damage = fc.record({
  kind: fc.constantFrom(...(Object.keys(damages) as (keyof typeof damages)[])),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

const damagedSet = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 3 }))
  .chain(([dataShards, parityShards]) =>
    fc.record({
      layout: fc.record({
        codec: fc.constantFrom("rs-vand" as const, "rs-xor" as const),
        dataShards: fc.constant(dataShards),
        parityShards: fc.constant(parityShards),
        pieceBytes: fc.constantFrom(4096, 12_288),
      }),
      size: fc.nat(200_000),
      lost: fc.uniqueArray(fc.nat(dataShards + parityShards - 1), { maxLength: parityShards }),
      damage: fc.array(damage, { minLength: 3, maxLength: 3 }),
    }),
  );

test("whatever becomes of m shards: verified, read and mended to the bytes that were", async () => {
  await fc.assert(
    fc.asyncProperty(damagedSet, async ({ layout, size, lost, damage: kinds }) => {
      const content = contentOfSize(size);
      const { files } = await encoded(content, layoutOf(layout));
      const before = files.map(({ bytes }) => bytes.slice());
      const hurt: (MemoryFile | undefined)[] = files.slice();
      for (const [index, shard] of lost.entries()) {
        const { kind, at } = kinds[index] as { kind: keyof typeof damages; at: number };
        const file = files[shard] as MemoryFile;
        hurt[shard] = damages[kind](file, Math.floor(at * file.bytes.length));
      }
      const { shards, lostStripes } = await verifyShards(hurt);
      assert.equal(lostStripes, 0);
      for (const { shard, state } of shards) {
        const same = Buffer.from(before[shard] as Uint8Array).equals(
          hurt[shard]?.bytes ?? new Uint8Array(0),
        );
        const isReadable =
          !lost.includes(shard) || kinds[lost.indexOf(shard)]?.kind !== "unreadable";
        assert.equal(state === "sound", same && isReadable, `shard ${shard} is ${state}`);
      }
      assert.deepEqual(await decoded(hurt), content);
      const mended = await mendedFiles(hurt);
      assert.deepEqual(
        mended.map(({ bytes }) => bytes),
        before,
      );
    }),
    { numRuns: 60 },
  );
});

test("a piece that lies where another belongs is a lost piece", async () => {
  const content = contentOfSize(6 * 8192 * 3);
  const { files, set } = await encoded(content);
  const [first, second] = files as [MemoryFile, MemoryFile];
  // Written to the wrong place: its bytes and its checksum are sound, for stripe 1.
  const [from, to] = [pieceAt(set, 1), pieceAt(set, 4)];
  first.bytes.copyWithin(to, from, from + 8192);
  const sums = first.bytes.subarray(checksumsAt(set, 0), checksumsAt(set, 0) + blockBytes);
  sums.copyWithin(8 * 4, 8 * 1, 8 * 2);
  new ChecksumBlock(sums).seal(placeOf(set.id, 0, 0));
  const { shards } = await verifyShards(files);
  assert.equal(shards[0]?.lostPieces, 1);
  assert.deepEqual(await decoded(files), content);
  // All of another shard, behind the header of this one.
  second.bytes.set((files[2] as MemoryFile).bytes.subarray(blockBytes), blockBytes);
  assert.equal((await verifyShards(files)).shards[1]?.lostPieces, 6);
  assert.deepEqual(await decoded(files), content);
});

test("zeros that are not there are not taken for zeros that are", async () => {
  const { files } = await encoded(new Uint8Array(20_000));
  const cut = [new MemoryFile(files[0]?.bytes.slice(0, 9000)), ...files.slice(1)];
  assert.equal((await verifyShards(cut)).shards[0]?.state, "damaged");
});

test("files in another order are read as they are, and mended into theirs", async () => {
  const content = contentOfSize(50_000);
  const { files } = await encoded(content);
  const [a, b, c, d, e] = files as [MemoryFile, MemoryFile, MemoryFile, MemoryFile, MemoryFile];
  const swapped = [b, a, c, e, d];
  const { shards } = await verifyShards(swapped);
  assert.equal(shards[0]?.message, "Shard 0 is where shard 1 belongs.");
  assert.deepEqual(await decoded(swapped), content);
  const mended = await mendedFiles(swapped);
  assert.deepEqual(
    mended.map(({ bytes }) => bytes),
    [a, b, c, d, e].map(({ bytes }) => bytes),
  );
});

test("shards of another set, older ones and twice the same one do not count", async () => {
  const content = contentOfSize(50_000);
  const { files } = await encoded(content);
  const other = await encoded(contentOfSize(50_000, 2), layoutOf({ id: new Uint8Array(16) }));
  const [a, b, c] = files;
  const mixed = [a, b, other.files[2], a, c];
  const { shards } = await verifyShards(mixed);
  assert.deepEqual(
    shards.map(({ message }) => message),
    [
      "Shard 0 is sound.",
      "Shard 1 is sound.",
      "Shard 2 is where shard 4 belongs.",
      "Shard 3: shard 0 once more.",
      "Shard 4: missing.",
    ],
  );
  assert.deepEqual(await decoded(mixed), content);
  const undecided = verifyShards([a, b, other.files[2], other.files[3]]);
  await assert.rejects(undecided, { code: "NINES_ERASURE_SET", message: /2 files are of one set/ });
  const none = verifyShards([undefined, new MemoryFile(contentOfSize(9000))]);
  await assert.rejects(none, { code: "NINES_ERASURE_SET", message: /missing; not a shard/ });
});

test("more than m lost: said which bytes, the rest of the list is right, nothing is made", async () => {
  const content = contentOfSize(4 * 3 * 8192 + 100);
  const { files, set } = await encoded(content);
  // Of stripe 2 the data pieces 0 and 2 and a parity piece.
  for (const shard of [0, 2, 3]) flip(files[shard] as MemoryFile, pieceAt(set, 2) + 1);
  const report = await verifyShards(files);
  assert.equal(report.lostStripes, 1);
  assert.equal(report.lostBytes, 2 * 8192);
  const begin = 2 * 3 * 8192;
  assert.deepEqual(report.lost, [
    { from: begin, bytes: 8192 },
    { from: begin + 2 * 8192, bytes: 8192 },
  ]);
  // Of the last stripe a piece with the last hundred bytes, one with nothing but zeros, and parity.
  const last = await encoded(content.slice());
  for (const shard of [0, 1, 4]) flip(last.files[shard] as MemoryFile, pieceAt(set, 4) + 1);
  const { lost, lostBytes } = await verifyShards(last.files);
  assert.deepEqual({ lost, lostBytes }, { lost: [{ from: 98_304, bytes: 100 }], lostBytes: 100 });
  const sink = new MemorySink();
  await assert.rejects(decodeShards(files, sink), (error) => {
    assert.ok(error instanceof NinesError && error.code === "NINES_ERASURE_LOST");
    assert.match(error.message, /content bytes 49152 to 57343, 65536 to 73727/);
    return true;
  });
  assert.deepEqual(sink.bytes, content.slice(0, sink.bytes.length));
  const created = repairShards(
    files,
    async () => assert.fail("nothing is created"),
    async () => assert.fail("nothing is committed"),
  );
  await assert.rejects(created, { code: "NINES_ERASURE_LOST" });
});

test("parity of other data is told, although every checksum is right", async () => {
  const { files, set } = await encoded(contentOfSize(9000));
  const other = await encoded(contentOfSize(9000, 2));
  const parity = [...files.slice(0, 4), other.files[4]];
  assert.equal((await verifyShards(files)).wrongStripes, 0);
  assert.equal((await verifyShards(parity)).wrongStripes, set.contentBytes > 0 ? 1 : 0);
});

test("a crash at any call leaves the set as it should be, or no set: never a mixture", async () => {
  const [before, after] = [contentOfSize(70_000, 1), contentOfSize(60_000, 2)];
  const layout = layoutOf({ id: Uint8Array.from({ length: 16 }, () => 9) });
  let decodedOnes = 0;
  for (let crashAt = 0; ; crashAt++) {
    let calls = 0;
    const faults: Faults = {
      change: () => {
        if (calls++ >= crashAt) throw new Error("the power fails");
      },
    };
    const old = await encoded(before);
    const files = old.files.map(({ bytes }) => new MemoryFile(bytes, faults));
    const run = encodeShards(sourceOf(after), files, layout);
    const isDone = await run.then(
      () => true,
      () => false,
    );
    assert.ok(files.every(({ under }) => under === 0));
    let chance = crashAt;
    const left = files.map((file) => file.crash(() => (chance = (chance * 5 + 3) % 64) < 32));
    const verified = await verifyShards(left).catch(() => undefined);
    const damaged = verified?.shards.filter(({ state }) => state === "damaged") ?? [];
    assert.deepEqual(damaged, [], `crash at call ${crashAt}: with a header a shard is whole`);
    const content = await decoded(left).catch((error: unknown) => {
      assert.ok(error instanceof NinesError, String(error));
      return undefined;
    });
    if (content !== undefined) {
      decodedOnes++;
      const isNew = Buffer.from(content).equals(after);
      assert.ok(isNew || Buffer.from(content).equals(before), `crash at call ${crashAt}`);
    }
    if (isDone) {
      assert.deepEqual(content, after);
      break;
    }
  }
  assert.ok(decodedOnes > 5);
});

test("a failing write fails the whole, and a stop ends it before the next stripe", async () => {
  let calls = 0;
  const faults = {
    change: () => {
      if (++calls === 17) throw new Error("no room");
    },
  };
  await assert.rejects(encoded(contentOfSize(500_000), layoutOf(), faults), /no room/);
  const { files } = await encoded(contentOfSize(500_000));
  const stopAfter = (stripes: number) => {
    let left = stripes;
    return {
      throwIfAborted: () => {
        if (left-- === 0) throw new Error("stopped");
      },
    };
  };
  await assert.rejects(verifyShards(files, { signal: stopAfter(3) }), { message: "stopped" });
  await assert.rejects(decodeShards(files, new MemorySink(), { signal: stopAfter(3) }), {
    message: "stopped",
  });
});

test("what cannot be is refused before anything is written", async () => {
  for (const wrong of [{ dataShards: 0 }, { pieceBytes: 4097 }, { pieceBytes: 2 ** 26 }]) {
    const files = memoryFiles(5);
    const run = encodeShards(sourceOf(contentOfSize(10)), files, layoutOf(wrong));
    await assert.rejects(run, { code: "NINES_ERASURE_GEOMETRY" });
    assert.ok(files.every(({ bytes }) => bytes.length === 0));
  }
  const few = encodeShards(sourceOf(contentOfSize(10)), memoryFiles(4), layoutOf());
  await assert.rejects(few, { code: "NINES_ERASURE_GEOMETRY", message: /4 files for 5 shards/ });
});

test("no byte of a shard is without guard", async () => {
  const { files } = await encoded(
    contentOfSize(3000),
    layoutOf({ dataShards: 1, parityShards: 1 }),
  );
  const file = files[0] as MemoryFile;
  const every = file.bytes.length / blockBytes;
  for (let at = 0; at < file.bytes.length; at += 61 + every) {
    flip(file, at, 1 << (at % 8));
    const { shards } = await verifyShards(files);
    assert.notEqual(shards[0]?.state, "sound", `byte ${at}`);
    flip(file, at, 1 << (at % 8));
  }
  assert.equal((await verifyShards(files)).shards[0]?.state, "sound");
});
