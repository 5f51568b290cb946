// Up until a step is too much, twice.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPrng } from "../../core/base/prng.ts";
import { JumpingClock } from "./jumping-clock.fixture.ts";
import { type LoadTestOptions, runLoadTest } from "./load-test.ts";
import type { LoadReport } from "./report.ts";
import type { Send } from "./run-step.ts";

const target = {
  service: "web",
  through: "gateway",
  addresses: [{ host: "127.0.0.1", port: 1 }],
  method: "GET",
  path: "/",
  headers: {},
  instances: 2,
  wanted: 3,
} as const;

interface Run {
  readonly report: LoadReport;
  readonly told: readonly string[];
}

async function run(
  clock: JumpingClock,
  send: Send,
  more: Partial<LoadTestOptions> = {},
): Promise<Run> {
  const told: string[] = [];
  let report: LoadReport | undefined;
  const running = runLoadTest({
    target,
    plan: {
      fromPerSecond: 50,
      toPerSecond: 400,
      growth: { kind: "multiply", factor: 2 },
      durationMs: 5_000,
    },
    limits: {
      errorRatioMax: 0.01,
      latency: { limitMs: 1_000, ratio: 0.99 },
      answeredRatioMin: 0.95,
    },
    timeoutMs: 5_000,
    connectionsMax: 1_000,
    clock,
    random: createPrng(3),
    send,
    signal: new AbortController().signal,
    tell: ({ offeredPerSecond }, isRepeated) => {
      told.push(`${offeredPerSecond}${isRepeated ? " again" : ""}`);
    },
    countInstances: () => Promise.resolve(2),
    ...more,
  }).then((result) => {
    report = result;
  });
  await clock.runUntil(() => report !== undefined);
  await running;
  return { report: report as unknown as LoadReport, told };
}

/** Slots that hold each request for 20 ms. */
function slots(clock: JumpingClock, count: number, freeAtMs = 0): Send {
  const free = Array.from({ length: count }, () => freeAtMs);
  return () =>
    new Promise((resolve) => {
      const slot = free.indexOf(Math.min(...free));
      const doneMs = Math.max(clock.monotonicMs(), free[slot] as number) + 20;
      free[slot] = doneMs;
      clock.after(doneMs - clock.monotonicMs(), () => resolve("answered"));
    });
}

describe("a load test", () => {
  it("goes up to the first step that is too much twice, and gives the one before", async () => {
    const clock = new JumpingClock();
    const { report, told } = await run(clock, slots(clock, 3));
    assert.deepEqual(told, ["50", "100", "200 again", "200"]);
    assert.equal(report.kneePerSecond, 100);
    assert.ok(Math.abs((report.fit?.capacityPerInstance ?? 0) - 75) < 1, "3 slots / 20 ms / 2");
    assert.deepEqual(report.notes, ["only 2 of 3 instances took traffic"]);
  });

  it("is not stopped by a machine that was held up once", async () => {
    const clock = new JumpingClock();
    // From the middle of its second step on, for two seconds, nobody is served.
    const held = slots(clock, 20, 10_000);
    const open = slots(clock, 20);
    const send: Send = (timeoutMs) => {
      const nowMs = clock.monotonicMs();
      return nowMs > 8_000 && nowMs < 10_000 ? held(timeoutMs) : open(timeoutMs);
    };
    const { report, told } = await run(clock, send);
    assert.deepEqual(told, ["50", "100 again", "100", "200", "400"]);
    assert.equal(report.kneePerSecond, 400);
    assert.equal(report.fit?.isCapacityReached, false);
  });

  it("says what makes its figures doubtful", async () => {
    const clock = new JumpingClock();
    const { report } = await run(clock, slots(clock, 2), {
      connectionsMax: 3,
      countInstances: () => Promise.resolve(1),
    });
    const notes = report.notes.join("; ");
    assert.match(notes, /every connection was in use: allow more with --connections/);
    assert.match(notes, /2 instances took traffic at the beginning and 1 at the end/);
    const lost = await run(new JumpingClock(), () => Promise.resolve("answered"), {
      countInstances: () => Promise.resolve(null),
    });
    assert.match(lost.report.notes.join(), /control did not answer at the end/);
  });

  it("keeps the steps that have ended when it is interrupted", async () => {
    const clock = new JumpingClock();
    const interrupted = new AbortController();
    clock.after(7_000, () => interrupted.abort());
    const { report, told } = await run(clock, slots(clock, 20), { signal: interrupted.signal });
    assert.deepEqual(told, ["50"]);
    assert.match(report.notes.join(), /it was interrupted/);
    assert.equal(report.fit?.isCapacityReached, false);
  });

  it("knows nothing when already its first step is too much", async () => {
    const clock = new JumpingClock();
    const refuse: Send = () => Promise.resolve("refused");
    const { report } = await run(clock, refuse);
    assert.equal(report.fit, null);
    assert.equal(report.kneePerSecond, null);
    assert.match(report.notes.join(), /start lower with --from/);
  });
});
