// Amounts as they are typed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  countOfMost,
  durationBetween,
  growth,
  latencyGoal,
  requestLoad,
  requestPath,
  requestRate,
  shareBelowAll,
} from "./amounts.ts";

/** Each is refused with an example of what would be understood. */
function refuses(parse: (text: string) => unknown, ...texts: readonly string[]): void {
  for (const text of texts) {
    assert.throws(() => parse(text), { code: "commander.invalidArgument" }, `"${text}" is refused`);
  }
}

describe("amounts on the command line", () => {
  it("a rate is a number of requests a second, within what one machine sends", () => {
    assert.equal(requestRate("0.5"), 0.5);
    assert.equal(requestRate("2000"), 2000);
    refuses(requestRate, "", "0", "-1", "1e3", "10/s", "60000");
    assert.equal(requestLoad("60000"), 60_000);
    refuses(requestLoad, "0", "many");
  });

  it("a step adds or multiplies, and goes up", () => {
    assert.deepEqual(growth("100"), { kind: "add", perSecond: 100 });
    assert.deepEqual(growth("x1.5"), { kind: "multiply", factor: 1.5 });
    refuses(growth, "x1", "x0.5", "x20", "1.5x", "+100");
  });

  it("a latency has a unit and a share, 99% where none is said", () => {
    assert.deepEqual(latencyGoal("250ms at 95%"), { limitMs: 250, ratio: 0.95 });
    assert.deepEqual(latencyGoal("1.5s"), { limitMs: 1500, ratio: 0.99 });
    refuses(latencyGoal, "", "250", "250ms at", "250ms at 100%", "0ms", "at 99%", "1s at 99% now");
  });

  it("a share of availability is never all", () => {
    assert.equal(shareBelowAll("99.95%"), 0.9995);
    refuses(shareBelowAll, "100%", "0%", "99.95", "101%");
  });

  it("durations and counts are within their bounds", () => {
    assert.equal(durationBetween(500, 10_000)("2s"), 2_000);
    refuses(durationBetween(500, 10_000), "2", "100ms", "1m");
    assert.equal(countOfMost(20)("20"), 20);
    refuses(countOfMost(20), "0", "21", "2.5", "two");
  });

  it("a path is a path, and no address of somebody else", () => {
    assert.equal(requestPath("/cart?item=7"), "/cart?item=7");
    refuses(requestPath, "http://example.com/", "cart", "/a b", "/\r\nHost: x", "");
  });
});
