// The promises of ports/records.ts, for any place that keeps them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NinesError } from "../../src/core/base/errors.ts";
import type { Records } from "../../src/ports/records.ts";

export interface RecordsWorld {
  /** The same values as another process, or the same after a restart, finds them. */
  open(): Records;
  /** From now on the disk refuses each write, or no longer does. */
  refuseWrites(refuse: boolean): void;
}

type WithRecords = (check: (world: RecordsWorld) => void) => void;

export function recordsConformance(name: string, withRecords: WithRecords): void {
  const word = fc.stringMatching(/^[a-z0-9][A-Za-z0-9._-]{0,12}$/);
  const keys = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join("/"));
  const values = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)));

  test(`${name}: what was written last is read, by whoever opens it`, () => {
    const writes = fc.array(fc.tuple(keys, values), { minLength: 1, maxLength: 8 });
    const removals = fc.array(fc.nat(7), { maxLength: 3 });
    fc.assert(
      fc.property(writes, removals, (written, removed) => {
        withRecords((world) => {
          const expected = new Map<string, unknown>();
          const records = world.open();
          for (const [key, value] of written) {
            records.write(key, value);
            expected.set(key, value);
          }
          for (const index of removed) {
            const key = written[index]?.[0];
            if (key === undefined) continue;
            records.remove(key);
            expected.delete(key);
          }
          const later = world.open();
          for (const [key] of written) assert.deepEqual(later.read(key), expected.get(key));
          assert.deepEqual(later.list(""), [...expected.keys()].sort());
        });
      }),
      { numRuns: 25 },
    );
  });

  test(`${name}: a key that was never written has no value, and removing it does nothing`, () => {
    withRecords((world) => {
      const records = world.open();
      assert.equal(records.read("nothing/here"), undefined);
      records.remove("nothing/here");
      assert.deepEqual(records.list(""), []);
    });
  });

  test(`${name}: keys are listed by prefix, sorted, a word and its folder apart`, () => {
    withRecords((world) => {
      const records = world.open();
      for (const key of ["web-2", "web-10", "web/1", "web", "api/1"]) records.write(key, key);
      assert.deepEqual(records.list("web"), ["web", "web-10", "web-2", "web/1"]);
      assert.deepEqual(records.list("web/"), ["web/1"]);
      assert.deepEqual(records.list("w/"), []);
    });
  });

  test(`${name}: a value that was read or written is the caller's own`, () => {
    withRecords((world) => {
      const records = world.open();
      const value = { list: [1] };
      records.write("key", value);
      value.list.push(2);
      (records.read("key") as { list: number[] }).list.push(3);
      assert.deepEqual(records.read("key"), { list: [1] });
    });
  });

  test(`${name}: a refused write throws, and the old value stands`, () => {
    withRecords((world) => {
      const records = world.open();
      records.write("key", "old");
      world.refuseWrites(true);
      const refused = (error: unknown): boolean =>
        error instanceof NinesError && error.code === "NINES_STATE_WRITE";
      assert.throws(() => records.write("key", "x".repeat(200_000)), refused);
      assert.throws(() => records.write("other", "x".repeat(200_000)), refused);
      assert.equal(records.read("key"), "old");
      assert.deepEqual(records.list(""), ["key"]);
      world.refuseWrites(false);
      records.write("key", "new");
      assert.equal(world.open().read("key"), "new");
    });
  });
}
