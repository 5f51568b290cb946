// The wheel against an obvious list of deadlines: never early, never lost, in any order.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Timer, TimerWheel } from "./timer-wheel.ts";

const tickMs = 10;
const create = (nowMs = 0): TimerWheel => new TimerWheel({ tickMs, slots: 8, nowMs });

describe("timer wheel", () => {
  test("fires not before the deadline, and within two ticks after it", () => {
    const wheel = create();
    const fired: number[] = [];
    wheel.schedule(new Timer((nowMs) => fired.push(nowMs)), 25);
    for (let nowMs = 0; nowMs <= 100; nowMs += 5) wheel.advance(nowMs);
    assert.equal(fired.length, 1);
    assert.ok((fired[0] ?? 0) >= 25 && (fired[0] ?? 0) <= 25 + 2 * tickMs);
  });

  test("a deadline many revolutions away fires once, then", () => {
    const wheel = create();
    const fired: number[] = [];
    wheel.schedule(new Timer((nowMs) => fired.push(nowMs)), 1005);
    for (let nowMs = 0; nowMs <= 2000; nowMs += tickMs) wheel.advance(nowMs);
    assert.deepEqual(fired, [1010]);
  });

  test("a pause of many revolutions fires everything that is due, once", () => {
    const wheel = create();
    let fired = 0;
    for (let ms = 1; ms < 200; ms += 7) wheel.schedule(new Timer(() => fired++), ms);
    wheel.advance(10_000);
    assert.equal(fired, 29);
  });

  test("a timer that fires may stop and move others that are due", () => {
    const wheel = create();
    const fired: string[] = [];
    const stopped = new Timer(() => fired.push("stopped"));
    const moved = new Timer(() => fired.push("moved"));
    const act = new Timer(() => {
      fired.push("act");
      wheel.remove(stopped);
      wheel.schedule(moved, 100);
    });
    wheel.schedule(moved, 5);
    wheel.schedule(stopped, 5);
    wheel.schedule(act, 5);
    // The last one hung is the first to fire.
    wheel.advance(10);
    assert.deepEqual(fired, ["act"]);
    wheel.advance(200);
    assert.deepEqual(fired, ["act", "moved"]);
  });

  test("agrees with a list that is searched, whatever is done", () => {
    const command = fc.oneof(
      fc.record({
        kind: fc.constant("set" as const),
        timer: fc.nat(4),
        ms: fc.integer({ min: 0, max: 300 }),
      }),
      fc.record({ kind: fc.constant("stop" as const), timer: fc.nat(4), ms: fc.constant(0) }),
      fc.record({ kind: fc.constant("remove" as const), timer: fc.nat(4), ms: fc.constant(0) }),
      fc.record({ kind: fc.constant("pass" as const), timer: fc.constant(0), ms: fc.nat(150) }),
    );
    const property = fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const wheel = create();
      const fired: number[] = [];
      const deadlines = new Map<number, number>();
      const timers = [0, 1, 2, 3, 4].map((index) => new Timer(() => fired.push(index)));
      let nowMs = 0;
      for (const { kind, timer, ms } of commands) {
        const subject = timers[timer] as Timer;
        if (kind === "set") {
          wheel.schedule(subject, nowMs + ms);
          deadlines.set(timer, nowMs + ms);
        } else if (kind === "pass") {
          nowMs += ms;
          wheel.advance(nowMs);
          for (const index of fired.splice(0)) {
            assert.ok((deadlines.get(index) ?? Infinity) <= nowMs, "not early, not stopped");
            deadlines.delete(index);
          }
          for (const ms of deadlines.values()) assert.ok(ms + 2 * tickMs > nowMs, "not late");
        } else {
          if (kind === "stop") subject.stop();
          else wheel.remove(subject);
          deadlines.delete(timer);
        }
      }
    });
    fc.assert(property, { numRuns: 1000 });
  });
});
