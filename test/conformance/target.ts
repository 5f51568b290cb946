// The promises of ports/target.ts, for any place that keeps a vault's objects.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  listPageMax,
  type Target,
  TargetError,
  type TargetErrorKind,
} from "../../src/ports/target.ts";

/** An empty target for `check`, and nothing left of it afterwards. */
export type WithTarget = (check: (target: Target) => Promise<void>) => Promise<void>;

export function targetConformance(name: string, withTarget: WithTarget): void {
  // As the vault makes them; s3rver puts some others in another order than S3 does.
  const leaf = fc.stringMatching(/^[0-9a-f]{1,2}(\.[0-9]{1,2}){4}$/);
  const kind = fc.constantFrom("pack", "index", "lease");
  const names = fc.tuple(kind, leaf).map((parts) => parts.join("/"));
  const piece = fc.uint8Array({ minLength: 1, maxLength: 300 });
  const pieces = fc.array(piece, { minLength: 1, maxLength: 3 });

  test(`${name}: what was put last is read, whole and in parts, and is listed`, async () => {
    const puts = fc.array(fc.tuple(names, pieces), { minLength: 1, maxLength: 6 });
    const range = fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 1_000 }));
    const property = fc.asyncProperty(puts, range, async (written, [offset, length]) => {
      await withTarget(async (target) => {
        const expected = new Map<string, Uint8Array>();
        for (const [object, parts] of written) {
          await target.put(object, parts);
          expected.set(object, Buffer.concat(parts));
        }
        for (const [object, bytes] of expected) {
          assert.deepEqual(Buffer.from(await target.read(object, 0, 2_000)), bytes);
          const part = await target.read(object, offset, length);
          assert.deepEqual(Buffer.from(part), bytes.subarray(offset, offset + length));
        }
        for (const each of ["pack", "index", "lease"]) {
          const there = [...expected.keys()].filter((object) => object.startsWith(`${each}/`));
          assert.deepEqual(await target.list(each, ""), there.sort());
        }
      });
    });
    await fc.assert(property, { numRuns: 10 });
  });

  test(`${name}: what is not there cannot be read, and removing it does nothing`, async () => {
    await withTarget(async (target) => {
      await assert.rejects(target.read("pack/0a", 0, 10), isKind("not-found"));
      await target.remove("pack/0a");
      await target.put("pack/0a", [Uint8Array.of(1)]);
      await target.put("pack/0b", [Uint8Array.of(2)]);
      await target.remove("pack/0a");
      await target.remove("pack/0a");
      await assert.rejects(target.read("pack/0a", 0, 10), isKind("not-found"));
      assert.deepEqual(await target.list("pack", ""), ["pack/0b"]);
      assert.deepEqual(await target.list("key", ""), []);
    });
  });

  test(`${name}: many names come page by page, none twice, none left out`, async () => {
    await withTarget(async (target) => {
      const all = Array.from(
        { length: listPageMax + 5 },
        (_, at) => `lease/${(at * 7_919).toString(16).padStart(8, "0")}.1`,
      ).sort();
      for (let from = 0; from < all.length; from += 16) {
        const some = all.slice(from, from + 16);
        await Promise.all(some.map((object) => target.put(object, [Uint8Array.of(1)])));
      }
      const first = await target.list("lease", "");
      assert.deepEqual(first, all.slice(0, listPageMax));
      assert.deepEqual(await target.list("lease", first.at(-1) ?? ""), all.slice(listPageMax));
      assert.deepEqual(await target.list("lease", all.at(-1) ?? ""), []);
    });
  });

  test(`${name}: a name that is none leads nowhere`, async () => {
    await withTarget(async (target) => {
      const long = `pack/0${"a".repeat(220)}`;
      for (const bad of ["", "pack", "pack/", "/0a", "../pack/0a", "pack/../0a", "P/0a", long]) {
        await assert.rejects(target.put(bad, [Uint8Array.of(1)]), isKind("io"), bad);
        await assert.rejects(target.read(bad, 0, 1), isKind("io"), bad);
        await assert.rejects(target.remove(bad), isKind("io"), bad);
      }
    });
  });

  test(`${name}: cleaning and closing take nothing away that is whole`, async () => {
    await withTarget(async (target) => {
      await target.put("snapshot/0a", [Uint8Array.of(1, 2)]);
      await target.clean();
      const free = await target.freeBytes();
      assert.ok(free === undefined || free > 0);
      const last = target.put("snapshot/0b", [Uint8Array.of(3)]);
      await target.close();
      await last;
      assert.deepEqual(await target.list("snapshot", ""), ["snapshot/0a", "snapshot/0b"]);
      await target.close();
    });
  });
}

export function isKind(kind: TargetErrorKind): (error: unknown) => boolean {
  return (error) => error instanceof TargetError && error.kind === kind;
}
