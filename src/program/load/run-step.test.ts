// A step of a load test under a clock of its own, before services whose queues are known.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPrng } from "../../core/base/prng.ts";
import { JumpingClock } from "./jumping-clock.fixture.ts";
import { type Send, type StepOptions, runStep } from "./run-step.ts";
import { type StepCounts, quantileOf } from "./steps.ts";

type World = Pick<StepOptions, "clock"> & { readonly jump: JumpingClock };

function world(): World {
  const jump = new JumpingClock();
  return { clock: jump, jump };
}

/** So many slots, each request so long in one; answers in the order of arrival. */
function slots({ jump }: World, count: number, workMs: number): Send {
  const free = new Array<number>(count).fill(0);
  return (timeoutMs) =>
    new Promise((resolve) => {
      const nowMs = jump.monotonicMs();
      const slot = free.indexOf(Math.min(...free));
      const doneMs = Math.max(nowMs, free[slot] as number) + workMs;
      free[slot] = doneMs;
      const isLate = doneMs - nowMs > timeoutMs;
      const afterMs = isLate ? timeoutMs : doneMs - nowMs;
      jump.after(afterMs, () => resolve(isLate ? "timed-out" : "answered"));
    });
}

async function step(here: World, send: Send, more: Partial<StepOptions>): Promise<StepCounts> {
  let counts: StepCounts | undefined;
  const running = runStep({
    ratePerSecond: 100,
    durationMs: 20_000,
    warmUpMs: 2_000,
    timeoutMs: 5_000,
    inFlightMax: 1_000,
    waitingMax: 10_000,
    clock: here.clock,
    random: createPrng(11),
    send,
    signal: new AbortController().signal,
    ...more,
  }).then((result) => {
    counts = result;
  });
  await here.jump.runUntil(() => counts !== undefined);
  await running;
  assert.equal(here.jump.pending, 0, "nothing is left waiting");
  return counts as unknown as StepCounts;
}

describe("a step of a load test", () => {
  it("sends Poisson arrivals at its rate, and counts each once", async () => {
    const here = world();
    const counts = await step(here, slots(here, 50, 10), {});
    const expected = 1800;
    assert.ok(Math.abs(counts.due - expected) < 5 * Math.sqrt(expected), `${counts.due}`);
    const { answered, refused, "timed-out": late, "not-sent": unsent } = counts.outcomes;
    assert.equal(answered + refused + late + unsent, counts.due);
    assert.equal(answered, counts.due);
    assert.ok(Math.abs(quantileOf(counts.latenciesMs, 1) - 10) < 1e-6);
  });

  it("sends at random, as clients do who do not know of each other, and not in step", async () => {
    const here = world();
    const sentMs: number[] = [];
    const counts = await step(
      here,
      () => {
        sentMs.push(here.jump.monotonicMs());
        return Promise.resolve("answered");
      },
      {},
    );
    assert.ok(counts.due > 0);
    const gaps = sentMs.slice(1).map((ms, at) => ms - (sentMs[at] as number));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    // 1 for a Poisson process, 0 for a metronome; the seed is fixed.
    assert.ok(Math.abs(variance / mean ** 2 - 1) < 0.15, `${variance / mean ** 2}`);
  });

  it("goes on sending while nobody answers, and counts the wait from when each was due", async () => {
    const here = world();
    // One stall of two seconds: a loop that waits for answers would see one slow request.
    const open = slots(here, 1_000, 1);
    const stalled: Send = (timeoutMs) => {
      const nowMs = here.jump.monotonicMs();
      if (nowMs < 10_000 || nowMs >= 12_000) return open(timeoutMs);
      return new Promise((resolve) => {
        here.jump.after(12_000 - nowMs, () => resolve("answered"));
      });
    };
    const counts = await step(here, stalled, {});
    const slow = counts.latenciesMs.filter((ms) => ms > 100).length;
    assert.ok(slow > 150 && slow < 230, `${slow} of 200 that were due meanwhile`);
  });

  it("counts from when it was due also where our own connections were the limit", async () => {
    const here = world();
    const counts = await step(here, slots(here, 100, 100), { inFlightMax: 5 });
    assert.equal(counts.isEveryConnectionUsed, true);
    // 5 in flight at 100 ms each are 50 a second: half of what is due, so the queue is ours.
    assert.ok(counts.answeredInTime < counts.due * 0.6);
    assert.ok(quantileOf(counts.latenciesMs, 0.9) > 1_000);
    assert.ok(counts.outcomes["timed-out"] > 0);
    assert.equal(quantileOf(counts.latenciesMs, 1), 5_000);
  });

  it("does not send what has no room to wait, and says so", async () => {
    const here = world();
    const counts = await step(here, slots(here, 1, 1_000), { inFlightMax: 1, waitingMax: 2 });
    assert.ok(counts.outcomes["not-sent"] > 1_500);
    assert.ok(counts.latenciesMs.length < 60);
  });

  it("answers fewer than it asked when the service cannot keep up: capacity shows", async () => {
    const here = world();
    const counts = await step(here, slots(here, 4, 50), {
      ratePerSecond: 160,
      timeoutMs: 20_000,
    });
    const capacity = (counts.answeredInTime * 1000) / counts.windowMs;
    assert.ok(Math.abs(capacity - 80) < 0.5, `${capacity}`);
  });

  it("ends at the signal, when what is under way has ended", async () => {
    const here = world();
    const aborted = new AbortController();
    const sent: (() => void)[] = [];
    aborted.signal.addEventListener("abort", () => {
      for (const end of sent) end();
    });
    const hanging: Send = () => new Promise((resolve) => sent.push(() => resolve("refused")));
    here.jump.after(3_000, () => aborted.abort());
    const counts = await step(here, hanging, { signal: aborted.signal, inFlightMax: 20 });
    assert.equal(here.jump.monotonicMs(), 3_000);
    assert.equal(counts.outcomes.answered, 0);
    assert.equal(sent.length, 20);
  });
});
