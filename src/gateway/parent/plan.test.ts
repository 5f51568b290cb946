// The plan by its rules, then under random fates: it keeps its bounds and converges.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  DRAIN_MARGIN_MS,
  isStarved,
  planWorkers,
  restartDelayMs,
  SILENT_MS,
  START_MS,
  STARVED_MS,
  type WorkerView,
} from "./plan.ts";

const NOW_MS = 100_000;

function worker(pid: number, fields: Partial<WorkerView> = {}): WorkerView {
  const calm = { sinceMs: NOW_MS, heardMs: NOW_MS, outdated: false, starved: false };
  return {
    pid,
    worker: pid,
    state: "serving",
    ...calm,
    drainUntilMs: NOW_MS + 1_000,
    ...fields,
  };
}

const plan = (workers: readonly WorkerView[], wanted: number, mayStartAtMs = 0) =>
  planWorkers(workers, wanted, mayStartAtMs, NOW_MS);

describe("the parent's plan for its workers", () => {
  it("starts what is missing, and nothing while the last ones failed at their start", () => {
    assert.equal(plan([], 2).start, 2);
    assert.equal(plan([worker(1, { state: "starting" })], 2).start, 1);
    assert.equal(plan([worker(1, { state: "draining" })], 1).start, 1);
    assert.equal(plan([], 2, NOW_MS + 1).start, 0);
  });

  it("kills who says nothing for three heartbeats, and starts another in the same breath", () => {
    const silent = worker(1, { heardMs: NOW_MS - SILENT_MS });
    const { kill, start } = plan([silent, worker(2)], 2);
    assert.deepEqual(kill, [{ pid: 1, why: "hangs: it said nothing for 600 ms" }]);
    assert.equal(start, 1);
    assert.deepEqual(plan([worker(1, { heardMs: NOW_MS - SILENT_MS + 1 })], 1).kill, []);
  });

  it("gives who waits for a processor five times as long", () => {
    const silent = { heardMs: NOW_MS - SILENT_MS, starved: true };
    assert.deepEqual(plan([worker(1, silent)], 1).kill, []);
    const tooLong = { heardMs: NOW_MS - STARVED_MS, starved: true };
    assert.equal(plan([worker(1, tooLong)], 1).kill.length, 1);
  });

  it("tells who waits for a processor from who sleeps, stopped, or spins", () => {
    const heard = { usedMs: 1_000, runnable: false };
    const look = (usedMs: number, runnable: boolean) => ({ usedMs, runnable });
    assert.equal(isStarved(heard, look(1_000, true), look(1_000, true)), true, "waits");
    assert.equal(isStarved(heard, look(1_190, false), look(1_200, false)), true, "works in bits");
    assert.equal(isStarved(heard, look(1_200, true), look(1_200, false)), false, "stopped");
    assert.equal(isStarved(heard, look(1_590, true), look(1_600, true)), false, "spins");
  });

  it("kills who does not begin or does not end in time", () => {
    const slow = worker(1, { state: "starting", sinceMs: NOW_MS - START_MS });
    const lingering = worker(2, { state: "draining", drainUntilMs: NOW_MS - DRAIN_MARGIN_MS });
    assert.deepEqual(
      plan([slow, lingering], 1).kill.map(({ pid }) => pid),
      [1, 2],
    );
    const patient = worker(2, { state: "draining", drainUntilMs: NOW_MS - DRAIN_MARGIN_MS + 1 });
    assert.deepEqual(plan([patient, worker(3)], 1).kill, []);
  });

  it("replaces one by one: the new serves before the old drains", () => {
    const old = [1, 2].map((pid) => worker(pid, { outdated: true }));
    assert.deepEqual(plan(old, 2), { start: 1, drain: [], kill: [] });
    const starting = worker(3, { state: "starting" });
    assert.deepEqual(plan([...old, starting], 2), { start: 0, drain: [], kill: [] });
    assert.deepEqual(plan([...old, worker(3)], 2), { start: 0, drain: [2], kill: [] });
  });

  it("drains the youngest of too many, and all when none is wanted", () => {
    assert.deepEqual(
      plan(
        [1, 2, 3].map((pid) => worker(pid)),
        1,
      ).drain,
      [3, 2],
    );
    const all = [worker(1), worker(2, { state: "starting" })];
    assert.deepEqual(plan(all, 0), { start: 0, drain: [1, 2], kill: [] });
  });

  it("waits longer after each worker that fails at its start, but not after the first", () => {
    assert.deepEqual([0, 1, 2, 3, 4, 20].map(restartDelayMs), [0, 0, 100, 200, 400, 5_000]);
  });
});

describe("whatever happens to workers", () => {
  const fate = fc.record({
    step: fc.constantFrom("serve", "die", "hang", "outdate", "drained"),
    which: fc.nat(7),
    wanted: fc.integer({ min: 1, max: 4 }),
  });

  it("never more than wanted plus one live, none drains that leaves fewer than wanted serving", () => {
    fc.assert(
      fc.property(fc.array(fate, { maxLength: 60 }), (fates) => {
        let workers: WorkerView[] = [];
        let nextPid = 1;
        let wantedBefore = 4;
        for (const { step, which, wanted } of fates) {
          workers = suffer(workers, step, which);
          const { start, drain, kill } = planWorkers(workers, wanted, 0, NOW_MS);
          const killed = new Set(kill.map(({ pid }) => pid));
          workers = workers.filter(({ pid }) => !killed.has(pid));
          const serving = workers.filter(({ state }) => state === "serving").length;
          assert.ok(drain.length === 0 || serving - drain.length >= wanted);
          workers = workers.map((one) =>
            drain.includes(one.pid) ? { ...one, state: "draining" } : one,
          );
          for (let count = 0; count < start; count++) {
            workers.push(worker(nextPid++, { state: "starting" }));
          }
          const live = workers.filter(({ state }) => state !== "draining").length;
          // Those that still start when fewer are wanted are drained as soon as they serve.
          assert.ok(live <= Math.max(wanted, wantedBefore) + 1, `${live} live`);
          wantedBefore = Math.max(wanted, live - 1);
        }
        converges(workers, nextPid);
      }),
    );
  });

  /** Left alone, with starts that succeed, exactly the wanted number of fresh ones serves. */
  function converges(start: readonly WorkerView[], firstPid: number): void {
    let workers = [...start];
    let nextPid = firstPid;
    for (let round = 0; round < 40; round++) {
      const { start, drain, kill } = planWorkers(workers, 2, 0, NOW_MS);
      const gone = new Set([...kill.map(({ pid }) => pid), ...drain]);
      workers = workers.filter(({ pid, state }) => !gone.has(pid) && state !== "draining");
      workers = workers.map((one) => ({ ...one, state: "serving" }));
      for (let count = 0; count < start; count++) {
        workers.push(worker(nextPid++, { state: "starting" }));
      }
    }
    assert.deepEqual(
      workers.map(({ state, outdated }) => ({ state, outdated })),
      [1, 2].map(() => ({ state: "serving", outdated: false })),
    );
  }

  function suffer(workers: readonly WorkerView[], step: string, which: number): WorkerView[] {
    const victim = workers[which % Math.max(1, workers.length)];
    return workers.flatMap((one) => {
      if (one !== victim) return [one];
      if (step === "die" || (step === "drained" && one.state === "draining")) return [];
      if (step === "serve" && one.state === "starting") return [{ ...one, state: "serving" }];
      if (step === "hang") return [{ ...one, heardMs: NOW_MS - SILENT_MS }];
      if (step === "outdate") return [{ ...one, outdated: true }];
      return [one];
    });
  }
});
