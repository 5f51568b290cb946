// Time passes only from task to task; order is a function of what was scheduled; promises are
// settled before time goes on.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { EventLoop } from "./event-loop.ts";
import { Gate } from "./gate.ts";
import { MachineClock } from "./machine-clock.ts";

const boundary = (): Promise<void> => setImmediate();

describe("the event loop", () => {
  it("runs tasks by time, and those of one time in the order they were scheduled", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 200 }), async (delays) => {
        const loop = new EventLoop(boundary);
        const seen: (readonly [number, number])[] = [];
        for (const [index, delay] of delays.entries()) {
          loop.after(delay, () => seen.push([loop.nowMs, index]));
        }
        await loop.run(100);
        const expected = delays
          .map((delay, index) => [delay, index] as const)
          .sort((left, right) => left[0] - right[0] || left[1] - right[1]);
        assert.deepEqual(seen, expected);
        assert.equal(loop.nowMs, 100);
      }),
      { numRuns: 50 },
    );
  });

  it("does not run what was disposed, nor what lies beyond the end", async () => {
    const loop = new EventLoop(boundary);
    const seen: string[] = [];
    const task = loop.after(5, () => seen.push("disposed"));
    loop.after(1, () => task[Symbol.dispose]());
    loop.after(11, () => seen.push("later"));
    await loop.run(10);
    assert.deepEqual(seen, []);
    await loop.run(11);
    assert.deepEqual(seen, ["later"]);
  });

  it("settles a chain of promises of any length before the next task, when a gate was entered", async () => {
    const loop = new EventLoop(boundary);
    const gate = new Gate(loop, true);
    const seen: string[] = [];
    loop.after(1, () =>
      gate.enter(() => {
        void (async () => {
          for (let link = 0; link < 1000; link++) await Promise.resolve();
          seen.push("promises");
        })();
      }),
    );
    loop.after(1, () => seen.push("next task"));
    await loop.run(1);
    assert.deepEqual(seen, ["promises", "next task"]);
  });

  it("ends with the first error that a task throws", async () => {
    const loop = new EventLoop(boundary);
    const error = new Error("broken");
    loop.after(1, () => {
      throw error;
    });
    loop.after(2, () => assert.fail("the run is over"));
    await loop.run(10);
    assert.equal(loop.failure, error);
    assert.equal(loop.nowMs, 1);
  });

  it("takes an instant that never ends for a failure", async () => {
    const loop = new EventLoop(boundary);
    const again = (): void => void loop.after(0, again);
    again();
    await assert.rejects(loop.run(1), /time goes on/);
  });
});

describe("a gate", () => {
  it("keeps everything for a stopped process, in order, and nothing for an ended one", async () => {
    const loop = new EventLoop(boundary);
    const gate = new Gate(loop, false);
    const seen: number[] = [];
    gate.stop();
    for (const value of [1, 2, 3]) gate.enter(() => seen.push(value));
    assert.equal(seen.length, 0);
    gate.goOn();
    await loop.run(1);
    assert.deepEqual(seen, [1, 2, 3]);
    gate.stop();
    gate.enter(() => seen.push(4));
    gate.end();
    gate.goOn();
    await loop.run(2);
    assert.deepEqual(seen, [1, 2, 3]);
  });
});

describe("a machine's clock", () => {
  it("never fires a timer early, whatever the clock does meanwhile", async () => {
    const drifts = fc.array(fc.tuple(fc.nat(200), fc.double({ min: 0.6, max: 1.5, noNaN: true })));
    await fc.assert(
      fc.asyncProperty(drifts, fc.nat(300), async (changes, delayMs) => {
        const loop = new EventLoop(boundary);
        const machine = new MachineClock(loop, 5, 0);
        const clock = machine.for(new Gate(loop, false));
        for (const [atMs, rate] of changes) loop.after(atMs, () => machine.drift(rate));
        const dueMs = clock.monotonicMs() + delayMs;
        let firedMs = -1;
        clock.after(delayMs, () => (firedMs = clock.monotonicMs()));
        await loop.run(1000);
        assert.ok(firedMs >= dueMs - 1e-6, `fired at ${firedMs}, due at ${dueMs}`);
      }),
      { numRuns: 100 },
    );
  });

  it("steps the wall clock and not the monotonic one", () => {
    const machine = new MachineClock(new EventLoop(boundary), 10, 1000);
    machine.stepWall(-500);
    assert.equal(machine.wallMs(), 500);
    assert.equal(machine.monotonicMs(), 10);
  });

  it("holds the timers of a stopped process until it goes on", async () => {
    const loop = new EventLoop(boundary);
    const gate = new Gate(loop, false);
    const clock = new MachineClock(loop, 0, 0).for(gate);
    let firedMs = -1;
    clock.after(10, () => (firedMs = loop.nowMs));
    gate.stop();
    loop.after(50, () => gate.goOn());
    await loop.run(100);
    assert.equal(firedMs, 50);
  });
});
