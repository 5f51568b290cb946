// Whom a rolling change replaces now.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { replaceNow as choose, type RollingInstance } from "./rolling.ts";

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

/** With one that may be missing, of as many as there are. */
function replaceNow(all: readonly RollingInstance[], maxUnavailable = 1): readonly string[] {
  return choose(all, { wanted: all.length, maxUnavailable, trials: all.length });
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

test("what takes no traffic is replaced at once, and what does waits for it", () => {
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

test("as many at a time as may be missing, and none of those that there must be", () => {
  assert.deepEqual(replaceNow(instances("oooo"), 2), ["web-1", "web-2"]);
  assert.deepEqual(replaceNow(instances("eooo"), 2), ["web-2"]);
  assert.deepEqual(replaceNow(instances("nOoo"), 2), ["web-2", "web-3"]);
  assert.deepEqual(replaceNow(instances("ooo"), 0), []);
});

test("one more than there must be lets one be replaced, or go, when none may be missing", () => {
  const none = { wanted: 3, maxUnavailable: 0, trials: 9 };
  assert.deepEqual(choose(instances("ooo"), none), []);
  assert.deepEqual(choose(instances("oooN"), none), []);
  assert.deepEqual(choose(instances("ooon"), none), ["web-1"]);
  assert.deepEqual(choose(instances("nnno"), none), ["web-4"]);
});

test("a version on trial takes what is down one at a time, too", () => {
  const trial = { wanted: 3, maxUnavailable: 1, trials: 1 };
  assert.deepEqual(choose(instances("OOo"), trial), ["web-1"]);
  assert.deepEqual(choose(instances("NOo"), trial), []);
  assert.deepEqual(choose(instances("eOo"), trial), []);
  assert.deepEqual(choose(instances("nOo"), trial), ["web-2"]);
});

test("what must serve goes on serving, whatever is missing for other reasons", () => {
  const letter = fc.constantFrom("o", "n", "O", "N", "a", "e");
  const count = fc.integer({ min: 0, max: 8 });
  fc.assert(
    fc.property(fc.array(letter, { maxLength: 8 }), count, count, (letters, wanted, missing) => {
      const all = instances(letters.join(""));
      const chosen = choose(all, { wanted, maxUnavailable: missing, trials: 9 });
      const serves = chosen.some((id) => all.some((one) => one.id === id && one.serving));
      const left = all.filter((one) => one.well && !one.ending && !chosen.includes(one.id)).length;
      if (serves) assert.ok(left >= wanted - missing, `${left} of ${wanted}, ${missing} spare`);
    }),
  );
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
