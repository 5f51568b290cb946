// The promises of ports/clock.ts, for any clock.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../src/ports/clock.ts";
import type { World } from "./world.ts";

/** What adding fractions of milliseconds to hours may be off by. */
const roundingMs = 1e-5;

export function clockConformance(name: string, world: World, createClock: () => Clock): void {
  test(`${name}: monotonic time never goes back`, async () => {
    const clock = createClock();
    let last = clock.monotonicMs();
    let ran = 0;
    for (let count = 0; count < 50; count++) {
      clock.after(count / 10, () => {
        const now = clock.monotonicMs();
        assert.ok(now >= last);
        last = now;
        ran++;
      });
    }
    await world.until(() => ran === 50, "50 timers ran");
  });

  test(`${name}: a callback runs once and never before its time`, async () => {
    const clock = createClock();
    const early: number[] = [];
    const runs = new Map<number, number>();
    const delays = Array.from({ length: 120 }, (_, index) => index / 7);
    for (const delayMs of delays) {
      const startedAtMs = clock.monotonicMs();
      clock.after(delayMs, () => {
        runs.set(delayMs, (runs.get(delayMs) ?? 0) + 1);
        if (clock.monotonicMs() < startedAtMs + delayMs - roundingMs) early.push(delayMs);
      });
    }
    await world.until(() => runs.size === delays.length, "every callback ran");
    assert.deepEqual(early, []);
    assert.deepEqual([...new Set(runs.values())], [1]);
  });

  test(`${name}: a disposed callback never runs, and disposing again does nothing`, async () => {
    const clock = createClock();
    let disposedRan = false;
    let otherRan = false;
    const timer = clock.after(5, () => {
      disposedRan = true;
    });
    timer[Symbol.dispose]();
    timer[Symbol.dispose]();
    const other = clock.after(10, () => {
      otherRan = true;
    });
    await world.until(() => otherRan, "the other callback ran");
    other[Symbol.dispose]();
    assert.equal(disposedRan, false);
  });

  test(`${name}: a callback may start the next one`, async () => {
    const clock = createClock();
    let rounds = 0;
    const next = (): void => {
      rounds++;
      if (rounds < 5) clock.after(1, next);
    };
    clock.after(0, next);
    await world.until(() => rounds === 5, "five rounds ran");
  });
}
