// Whose the answers are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorWatch } from "./error-watch.ts";

const old = { id: "web-1", serving: true, fresh: false };
const fresh = { id: "web-2", serving: true, fresh: true };

function counts(web1: readonly [number, number], web2: readonly [number, number]) {
  const of = ([requests, errors]: readonly [number, number]) => ({ requests, errors });
  return new Map([
    ["web-1", of(web1)],
    ["web-2", of(web2)],
  ]);
}

test("what was there before the first look is nobody's", () => {
  const watch = new ErrorWatch();
  watch.look([old, fresh], counts([1_000, 0], [1_000, 900]));
  assert.equal(watch.verdict(), undefined);
  watch.look([old, fresh], counts([1_200, 0], [1_100, 950]));
  assert.match(watch.verdict() ?? "", /^50 of 100 requests \(50%\) of the new .* 0 of 200 /);
});

test("what an instance answered while it was replaced is of the process before", () => {
  const watch = new ErrorWatch();
  watch.look([old, { ...fresh, fresh: false }], counts([0, 0], [0, 0]));
  watch.look([old, { ...fresh, serving: false }], counts([100, 0], [100, 60]));
  watch.look([old, fresh], counts([200, 0], [200, 60]));
  assert.equal(watch.verdict(), undefined);
});

test("a counter that began anew starts from there", () => {
  const watch = new ErrorWatch();
  watch.look([old, fresh], counts([5_000, 0], [5_000, 0]));
  watch.look([old, fresh], counts([10, 0], [40, 40]));
  assert.equal(watch.verdict(), undefined);
  watch.look([old, fresh], counts([60, 0], [50, 50]));
  assert.match(watch.verdict() ?? "", /^10 of 10 requests/);
});
