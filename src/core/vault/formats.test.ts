// The bytes of a vault: what is written is read again, and whatever else is refused in words.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import fc from "fast-check";
import { createVaultCrypto } from "../../runtime/vault-crypto.ts";
import { NinesError } from "../base/errors.ts";
import { Chunker, type ChunkSizes } from "./chunker.ts";
import { keptTimeNs, readName, sayName } from "./entry.ts";
import { readHeader, writeHeader } from "./header.ts";
import { keep } from "./keep.ts";
import { type Domain, ObjectSealer, readWrappedKey, unwrapKey, wrapKey } from "./keys.ts";
import { sharedBytes } from "./memory.ts";
import { parseShardName, shardName } from "./names.ts";
import { PackBuilder, packRoomBytes, type PackTable, readPackTable, sealedChunk } from "./pack.ts";
import { place, rank } from "./placement.ts";
import { readSnapshot } from "./records.ts";
import { readShardHeader, type ShardHeader, writeShardHeader } from "./shard.ts";
import { EntryParser, type TreeEntry, writeEntry } from "./tree.ts";
import { ByteReader, ByteWriter } from "./wire.ts";

const crypto = createVaultCrypto();
const sha256 = (...pieces: readonly Uint8Array[]) => crypto.sha256(...pieces);
const id = "00112233445566778899aabbccddeeff";
const domain: Domain = { id, kind: "service", name: "shop", key: new Uint8Array(32).fill(5) };

function isRefused(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof NinesError) return true;
    throw error;
  }
}

describe("the reader of bytes", () => {
  it("gives back numbers, bytes and texts as they were written", () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.string({ unit: "binary" }),
        fc.uint8Array(),
        (n, text, raw) => {
          const bytes = new ByteWriter().count(n).text(text).bytes(raw).done();
          const reader = new ByteReader(bytes, "it");
          assert.equal(reader.count(Number.MAX_SAFE_INTEGER), n);
          assert.equal(reader.text(10_000), text);
          assert.deepEqual(reader.bytes(1_000), raw);
          reader.end();
        },
      ),
    );
  });

  it("refuses a declared length of 1 TiB before anything is allotted", () => {
    const bytes = new ByteWriter().count(2 ** 40).done();
    assert.throws(() => new ByteReader(bytes, "it").bytes(4_096), /1099511627776 where 4096/);
  });
});

describe("a vault's header", () => {
  const chunks = { minBytes: 1_024, averageBytes: 4_096, maxBytes: 16_384 };
  const header = { vault: id, masterId: id.slice(0, 16), chunks };

  it("comes back, and one of any other version is refused by its name", () => {
    const bytes = writeHeader(header, crypto);
    assert.deepEqual(readHeader(bytes, crypto), header);
    const versionAt = 8;
    const own = bytes[versionAt] ?? assert.fail();
    for (const version of [own - 1, own + 1]) {
      const body = bytes.slice(0, -32);
      body[versionAt] = version;
      const other = Uint8Array.of(...body, ...sha256(body));
      assert.throws(() => readHeader(other, crypto), { code: "NINES_VAULT_VERSION" });
    }
  });
});

describe("shards", () => {
  const header: ShardHeader = {
    codec: "rs-xor",
    dataShards: 4,
    parityShards: 2,
    kind: "pack",
    id,
    vault: id,
    shard: 5,
    objectBytes: 1_001,
    shardBytes: 256,
    sum: sha256(Uint8Array.of(1)).subarray(0, 8),
  };

  it("have headers that come back, and of which no flipped bit passes", () => {
    const bytes = writeShardHeader(header, sha256);
    assert.equal(bytes.length, 128);
    assert.deepEqual(readShardHeader(bytes, sha256), {
      ...header,
      sum: new Uint8Array(header.sum),
    });
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const turned = Uint8Array.from(bytes);
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(typeof readShardHeader(turned, sha256), "string", `bit ${bit}`);
    }
  });

  it("refuse a geometry that cannot be, also with a right hash", () => {
    for (const wrong of [
      { dataShards: 0 },
      { parityShards: 0 },
      { shard: 6 },
      { objectBytes: 2 ** 40 },
      { shardBytes: 2 ** 40 },
      { dataShards: 200, parityShards: 100 },
    ]) {
      assert.equal(
        readShardHeader(writeShardHeader({ ...header, ...wrong }, sha256), sha256),
        "rotten",
      );
    }
  });

  it("are named so that a listing says what they are", () => {
    const name = {
      kind: "pack",
      id,
      dataShards: 4,
      parityShards: 2,
      shard: 5,
      attempt: 1,
    } as const;
    assert.deepEqual(parseShardName(shardName(name)), name);
    for (const other of [
      "pack/x",
      `pack/${id}.4.2.6.0`,
      `odd/${id}.4.2.1.0`,
      `pack/${id}.0.2.1.0`,
    ]) {
      assert.equal(parseShardName(other), undefined);
    }
  });
});

describe("packs", () => {
  const sealer = new ObjectSealer(crypto, domain, id);
  const memory = sharedBytes(packRoomBytes(400));
  const builder = new PackBuilder(sealer, domain, id, "data", memory);
  const bodies = ["one", "two", "three"].map((text) => Buffer.from(text));
  let table: PackTable;
  let bytes: Uint8Array;

  before(async () => {
    // Places are given in order, and sealed into whenever somebody comes to it.
    await Promise.all(
      bodies.map((body) => builder.add(crypto.sha256(body), body, body.length, false)),
    );
    ({ bytes, ...table } = await builder.finish());
  });

  it("give back their chunks, and no chunk in the place of another", async () => {
    for (const [at, chunk] of table.chunks.entries()) {
      const sealed = bytes.subarray(chunk.offset, chunk.offset + chunk.sealedBytes);
      const into = sharedBytes(chunk.plainBytes);
      assert.equal(await crypto.bulk.open(sealedChunk(sealer, chunk, sealed), into), true);
      assert.deepEqual(Buffer.from(into), bodies[at]);
      const other = table.chunks[(at + 1) % 3] ?? assert.fail();
      const moved = { ...other, offset: chunk.offset };
      const wrong = sealedChunk(sealer, moved, sealed);
      assert.equal(await crypto.bulk.open(wrong, sharedBytes(other.plainBytes)), false);
    }
  });

  it("say themselves what is in them", () => {
    assert.deepEqual(readPackTable(crypto, domain, id, bytes)?.chunks.length, 3);
    assert.equal(table.packBytes, bytes.length);
  });

  it("are refused with a byte turned in their table, under another id or another key", () => {
    for (
      let at = table.chunks.reduce((sum, c) => sum + c.sealedBytes, 0);
      at < bytes.length;
      at++
    ) {
      const turned = Buffer.from(bytes);
      turned[at] = (turned[at] ?? 0) ^ 1;
      assert.equal(readPackTable(crypto, domain, id, turned), undefined, `byte ${at}`);
    }
    assert.equal(readPackTable(crypto, domain, id.replace("00", "01"), bytes), undefined);
    const other = { ...domain, key: new Uint8Array(32) };
    assert.equal(readPackTable(crypto, other, id, bytes), undefined);
  });
});

describe("keys", () => {
  const master = new Uint8Array(32).fill(1);

  it("come out of their wrap with the right master key only, and only whole", () => {
    const bytes = wrapKey(crypto, master, id, domain, 3);
    const found = unwrapKey(crypto, master, id, readWrappedKey(bytes));
    assert.deepEqual({ ...found, key: new Uint8Array(found?.key ?? []) }, domain);
    assert.equal(unwrapKey(crypto, new Uint8Array(32), id, readWrappedKey(bytes)), undefined);
    for (let at = 1; at < bytes.length; at++) {
      const turned = Uint8Array.from(bytes);
      turned[at] = (turned[at] ?? 0) ^ 1;
      assert.equal(unwrapKey(crypto, master, id, readWrappedKey(turned)), undefined, `byte ${at}`);
    }
  });
});

describe("names as people read and write them", () => {
  it("are text where they can be, and on one line", () => {
    const texts: Record<string, string> = {
      "a/b c": "a/b c",
      "J\xc3\xbcrgen": "Jürgen",
      "n\xff/\xc3\xbc": "n\\xff/ü",
      "two\nlines": "two\\x0alines",
      "\x1b[31m\x7f\xc2\x9b": "\\x1b[31m\\x7f\\xc2\\x9b",
      // What ends a line in some programs, and what turns the text after it around.
      "a\xe2\x80\xa8b\xe2\x80\xaetxt": "a\\xe2\\x80\\xa8b\\xe2\\x80\\xaetxt",
      "\\": "\\",
      "\\x41": "\\x5cx41",
    };
    const said = Object.fromEntries(Object.keys(texts).map((name) => [name, sayName(name)]));
    assert.deepEqual(said, texts);
  });

  it("are the same bytes when they are written as they were read", () => {
    const likely = fc.constantFrom(..."\\x0afz/\n".split(""), "\xc3", "\xbc", "\xff");
    fc.assert(
      fc.property(fc.array(likely), fc.string({ unit: "binary" }), (parts, text) => {
        const bytes = Buffer.concat([Buffer.from(parts.join(""), "latin1"), Buffer.from(text)]);
        const name = bytes.toString("latin1");
        assert.equal(readName(sayName(name)), name);
        assert.doesNotMatch(sayName(name), /\p{Cc}/u);
      }),
    );
  });
});

describe("folders", () => {
  const entry: TreeEntry = {
    kind: "file",
    name: "n\xff",
    facts: { mode: 0o644, userId: 1, groupId: 2, modifiedNs: -5n, attributes: [] },
    pointsTo: "",
    fingerprint: "1:2",
    sameFile: "",
    content: { bytes: 10, depth: 0, segments: [{ kind: "hole", length: 10 }] },
  };

  it("come back however their bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 200 }), { maxLength: 20 }), (cuts) => {
        const bytes = Buffer.concat([writeEntry(entry), writeEntry({ ...entry, name: "other" })]);
        const parser = new EntryParser();
        const found: TreeEntry[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          found.push(...parser.push(bytes.subarray(at, at + cut)));
          at += cut;
        }
        parser.end();
        assert.deepEqual(
          found.map((each) => (each.kind === "subject" ? "" : each.name)),
          ["n\xff", "other"],
        );
        assert.deepEqual(found[0], entry);
      }),
    );
  });

  it("keep the nearest time that they can", () => {
    const lastNs = 2n ** 63n - 1n;
    const times: readonly (readonly [asked: bigint, kept: bigint])[] = [
      [-5n, -5n],
      [lastNs, lastNs],
      [lastNs + 1n, lastNs],
      [-lastNs - 1n, -lastNs - 1n],
      [-lastNs - 2n, -lastNs - 1n],
    ];
    const timed = (modifiedNs: bigint) => ({ ...entry, facts: { ...entry.facts, modifiedNs } });
    const found = times.map(([asked]) => {
      return new EntryParser().push(writeEntry(timed(keptTimeNs(asked))));
    });
    assert.deepEqual(
      found.map((entries) => [...entries]),
      times.map(([, kept]) => [timed(kept)]),
    );
  });

  it("refuse names that lead elsewhere", () => {
    for (const name of ["..", ".", "", "a/b", "a\0"]) {
      assert.ok(
        isRefused(() => new EntryParser().push(writeEntry({ ...entry, name }))),
        name,
      );
    }
  });

  it("and records of arbitrary bytes are read or refused, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const run of [
          () => new EntryParser().push(bytes),
          () => readSnapshot(id, bytes),
          () => readWrappedKey(bytes),
          () => readPackTable(crypto, domain, id, bytes),
        ]) {
          isRefused(run);
        }
      }),
    );
  });
});

describe("cuts by content", () => {
  const sizes = { minBytes: 64, averageBytes: 256, maxBytes: 1_024 };
  const chunker = new Chunker(crypto.randomBytes(1_024), sizes);

  function cutsOf(bytes: Uint8Array): readonly number[] {
    const ends: number[] = [];
    for (let at = 0; at < bytes.length; ends.push(at)) at = chunker.cut(bytes, at, bytes.length);
    return ends;
  }

  it("lie where a plain loop over the bytes finds them, across every window of the kernel", () => {
    const seed = crypto.randomBytes(1_024);
    const small = { minBytes: 1, averageBytes: 16, maxBytes: 64 };
    const large = { minBytes: 1_000, averageBytes: 65_536, maxBytes: 200_000 };
    for (const these of [small, large]) {
      const kernel = new Chunker(seed, these);
      const bytes = crypto.randomBytes(10 * these.maxBytes);
      for (let at = 0; at < bytes.length; ) {
        const cut = kernel.cut(bytes, at, bytes.length);
        assert.equal(cut, plainCut(seed, these, bytes, at));
        at = cut;
      }
    }
  });

  it("are within their bounds, and near the average on random bytes", () => {
    const bytes = crypto.randomBytes(200_000);
    const ends = cutsOf(bytes);
    const lengths = ends.map((end, at) => end - (ends[at - 1] ?? 0));
    assert.ok(lengths.slice(0, -1).every((length) => length > 64 && length <= 1_024));
    const mean = 200_000 / lengths.length;
    assert.ok(mean > 180 && mean < 400, `mean ${mean}`);
  });

  it("are the same again soon after an insertion", () => {
    const bytes = crypto.randomBytes(50_000);
    const changed = Buffer.concat([
      bytes.subarray(0, 20_000),
      Buffer.from("new"),
      bytes.subarray(20_000),
    ]);
    const before = new Set(cutsOf(bytes).map((end) => end + 3));
    const after = cutsOf(changed).filter((end) => end > 25_000);
    assert.ok(
      after.every((end) => before.has(end)),
      "all cuts that follow are known",
    );
  });
});

describe("placement", () => {
  const targets = Array.from({ length: 8 }, (_, at) => ({ name: `t${at}`, domain: `d${at >> 1}` }));
  const rules = { shards: 3, shareDomains: false };
  const ids = Array.from({ length: 400 }, (_, at) => `object ${at}`);

  it("takes each failure domain once, and all of them evenly", () => {
    const counts = new Map<string, number>();
    for (const object of ids) {
      const chosen = rank(object, targets, rules).slice(0, 3);
      assert.equal(new Set(chosen.map(({ domain }) => domain)).size, 3);
      for (const { domain: name } of chosen) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const count of counts.values()) assert.ok(count > 240 && count < 360, `${count}`);
  });

  it("moves only what a target that comes or goes takes or took", () => {
    for (const object of ids) {
      const before = place(object, targets, rules, new Map());
      const present = new Map([...before].map(([shard, { name }]) => [shard, name]));
      const gone = "t3";
      const left = targets.filter(({ name }) => name !== gone);
      for (const [shard, { name }] of place(object, left, rules, present)) {
        if (present.get(shard) !== gone) assert.equal(name, present.get(shard));
      }
    }
  });

  it("puts several shards on one target only when told", () => {
    const one = [{ name: "only", domain: "only" }];
    assert.equal(rank("x", one, rules).length, 1);
    assert.equal(rank("x", one, { ...rules, shareDomains: true }).length, 3);
  });
});

describe("keep rules", () => {
  const hour = 3_600_000;
  const every = (count: number, stepMs: number) =>
    Array.from({ length: count }, (_, at) => {
      return { id: `s${at}`, sequence: at, startedMs: 1_800_000_000_000 + at * stepMs };
    });

  it("keep the newest of each period, and say why", () => {
    const kept = keep(every(100, hour), { last: 2, hourly: 3, daily: 2, weekly: 0 });
    assert.deepEqual([...kept.keys()].slice(0, 3), ["s99", "s98", "s97"]);
    assert.equal(kept.get("s97"), "hourly 3");
    assert.equal(kept.size, 4);
  });

  it("always keep the newest one, and count only periods that have one", () => {
    const none = { last: 0, hourly: 0, daily: 0, weekly: 0 };
    assert.deepEqual([...keep(every(5, hour), none).keys()], ["s4"]);
    const sparse = every(4, 30 * 24 * hour);
    assert.equal(keep(sparse, { ...none, daily: 3 }).size, 3);
  });
});

/** As the format says it (chunker.ts), byte by byte. */
function plainCut(seed: Uint8Array, sizes: ChunkSizes, bytes: Uint8Array, start: number): number {
  const gear = new DataView(seed.buffer, seed.byteOffset);
  const bits = Math.log2(sizes.averageBytes);
  const last = Math.min(bytes.length, start + sizes.maxBytes);
  let hash = 0;
  for (let at = start + sizes.minBytes; at < last; at++) {
    hash = ((hash << 1) + gear.getInt32(4 * (bytes[at] ?? 0), true)) | 0;
    const zeros = at < start + sizes.averageBytes ? bits + 2 : bits - 2;
    if (hash >>> (32 - zeros) === 0) return at + 1;
  }
  return last;
}
