// Whom a rolling change replaces now.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { replaceNow, type RollingInstance } from "./rolling.ts";

/** By letter: `o` old and well, `n` new and well, `O` old and not well, `N` new and not well,
 * `a` old and adopted (serves, nobody knows whether it is well), `e` ending. */
function instances(letters: string): readonly RollingInstance[] {
  return letters.split("").map((letter, index) => ({
    id: `web-${index + 1}`,
    outdated: letter === "o" || letter === "O" || letter === "a",
    serving: letter === "o" || letter === "n" || letter === "a",
    well: letter === "o" || letter === "n",
    ending: letter === "e",
  }));
}

test("one at a time, the next when the last one's successor is well", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["ooo", ["web-1"]],
    ["eoo", []],
    ["Noo", []],
    ["noo", ["web-2"]],
    ["nno", ["web-3"]],
    ["nnn", []],
    ["o", ["web-1"]],
    ["", []],
  ];
  for (const [letters, ids] of cases)
    assert.deepEqual(replaceNow(instances(letters)), ids, letters);
});

test("what takes no traffic is replaced at once, and before what does", () => {
  assert.deepEqual(replaceNow(instances("oOO")), ["web-2", "web-3"]);
  assert.deepEqual(replaceNow(instances("OOO")), ["web-1", "web-2", "web-3"]);
});

test("a new version that does not get well stops the change", () => {
  assert.deepEqual(replaceNow(instances("Noo")), []);
});

test("after a change of control nothing is replaced before its checks have passed", () => {
  assert.deepEqual(replaceNow(instances("aaa")), []);
  assert.deepEqual(replaceNow(instances("oao")), []);
});

test("at most one of those that serve is not serving because of the change", () => {
  const letter = fc.constantFrom("o", "n", "O", "N", "a", "e");
  fc.assert(
    fc.property(fc.array(letter, { maxLength: 8 }), (letters) => {
      const all = instances(letters.join(""));
      const chosen = replaceNow(all);
      const serving = all.filter((one) => chosen.includes(one.id) && one.serving);
      assert.ok(serving.length <= 1);
      if (serving.length === 1) assert.ok(all.every((one) => one.well && !one.ending));
      assert.ok(all.every((one) => one.outdated || !chosen.includes(one.id)));
    }),
  );
});
