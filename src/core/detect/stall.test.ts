// What makes an instance late, what makes it stalled, and what must not.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type PlantedFault, randomInputsFind } from "../../../test/planted.fixture.ts";
import { histories, play, playSparsely } from "./stall-twin.fixture.ts";
import { patienceMs, SCAN_MS, SICK_MS_MIN, StallDetector } from "./stall.ts";

const SLOTS = 3;

/** Three instances that answer in `latencyMs` each, but for those that are told to be silent. */
class History {
  readonly detector = new StallDetector();
  nowMs = 0;
  readonly #underWay: { readonly slot: number; readonly sinceMs: number }[] = [];

  /** Every millisecond one request for each; a scan every five. */
  run(durationMs: number, latencyMs: (slot: number) => number, lateByMs = 0): void {
    for (const endMs = this.nowMs + durationMs; this.nowMs < endMs; this.nowMs++) {
      for (let slot = 0; slot < SLOTS; slot++) {
        this.detector.awaits(slot, this.nowMs);
        this.#underWay.push({ slot, sinceMs: this.nowMs });
      }
      for (const request of this.#underWay.slice()) {
        const waitedMs = this.nowMs - request.sinceMs;
        if (waitedMs < latencyMs(request.slot)) continue;
        this.#underWay.splice(this.#underWay.indexOf(request), 1);
        this.detector.answered(request.slot, this.nowMs, waitedMs);
      }
      if (this.nowMs % SCAN_MS === 0) this.detector.scan(this.nowMs, lateByMs, SLOTS);
    }
  }

  get late(): number[] {
    return [0, 1, 2].filter((slot) => this.detector.late[slot] === 1);
  }

  isStalled(slot: number): boolean {
    return this.detector.isStalled(slot, this.nowMs);
  }
}

describe("an instance that falls silent", () => {
  it("is late within a few of its latencies, and stalled after a quarter of a second", () => {
    const history = new History();
    history.run(100, () => 1);
    const stopped = (slot: number) => (slot === 0 ? Infinity : 1);
    history.run(20, stopped);
    assert.deepEqual(history.late, [0]);
    assert.equal(history.isStalled(0), false);
    history.run(240, stopped);
    assert.equal(history.isStalled(0), true);
    history.run(1, () => 1);
    assert.deepEqual(history.late, [], "any answer clears it");
  });

  it("is a reason to look also when it is alone and has never answered", () => {
    const detector = new StallDetector();
    detector.awaits(0, 0);
    detector.scan(200, 0, 1);
    assert.ok(!detector.isSuspect(0, 200, true));
    detector.scan(250, 0, 1);
    assert.ok(detector.isSuspect(0, 250, true));
  });

  it("is not blamed when all are silent, or all equally slow", () => {
    for (const slowMs of [Infinity, 300]) {
      const history = new History();
      history.run(100, () => 1);
      for (let passedMs = 0; passedMs < 1000; passedMs += 5) {
        history.run(5, () => slowMs);
        assert.deepEqual(history.late, []);
      }
    }
  });

  it("is not blamed because it is the last whose requests have not yet timed out", () => {
    const history = new History();
    history.run(100, () => 0);
    const { detector } = history;
    const since = history.nowMs;
    for (const slot of [0, 1, 2]) detector.awaits(slot, since);
    for (let nowMs = since; nowMs < since + 400; nowMs += SCAN_MS) {
      detector.scan(nowMs, 0, SLOTS);
    }
    for (const slot of [0, 1]) detector.unanswered(slot);
    detector.scan(since + 400, 0, SLOTS);
    assert.deepEqual(history.late, []);
  });

  it("is late when it is the only one asked, and the others have answered all they were", () => {
    const history = new History();
    history.run(100, () => 0);
    const { detector } = history;
    detector.awaits(0, history.nowMs);
    detector.scan(history.nowMs + 100, 0, SLOTS);
    assert.deepEqual(history.late, [0]);
  });

  it("is not blamed for the time in which its observer was away", () => {
    const history = new History();
    history.run(100, () => 1);
    history.run(100, (slot) => (slot === 0 ? Infinity : 1), SCAN_MS);
    assert.deepEqual(history.late, []);
  });

  it("is ejected later by an observer who was short of a processor himself", () => {
    const history = new History();
    history.run(100, () => 1);
    history.detector.scan(history.nowMs, SICK_MS_MIN, SLOTS);
    const stopped = (slot: number) => (slot === 0 ? Infinity : 1);
    history.run(1_900, stopped);
    assert.deepEqual(history.late, [0], "requests avoid it all the same");
    assert.equal(history.isStalled(0), false);
    history.run(200, stopped);
    assert.equal(history.isStalled(0), true);
  });
});

it("patience is twice RFC 6298's estimate, and never below ten milliseconds", () => {
  const cases: [number, number, number][] = [
    [1, 0, 10],
    [30, 5, 100],
    [5, 0, 10],
    [100, 25, 400],
  ];
  for (const [srttMs, rttvarMs, expected] of cases) {
    assert.equal(patienceMs(srttMs, rttvarMs), expected);
  }
});

const property = (create: () => StallDetector) =>
  fc.property(histories(), (history) => play(create, history));

it("does what its obvious twin does", () => {
  fc.assert(
    property(() => new StallDetector()),
    { numRuns: 100 },
  );
});

const sparsely = (create: () => StallDetector) =>
  fc.property(histories(), (history) => playSparsely(create, history));

it("finds as much when it is scanned only from when it says that it may find something", () => {
  fc.assert(
    sparsely(() => new StallDetector()),
    { numRuns: 100 },
  );
});

const FILE = "src/core/detect/stall.js";
const planted: readonly PlantedFault[] = [
  {
    name: "its own patience is a peer's",
    file: FILE,
    find: "isExact ? own : undefined",
    replace: "undefined",
  },
  {
    name: "of two peers the impatient one counts",
    file: FILE,
    find: "const middle = others >>> 1;",
    replace: "const middle = (others - 1) >>> 1;",
  },
  {
    name: "patience has no upper bound",
    file: FILE,
    find: "Math.min(Math.max(own ?? median, median), PATIENCE_RATIO_MAX * median)",
    replace: "Math.max(own ?? median, median)",
  },
  {
    name: "several who are silent at once are blamed as one is",
    file: FILE,
    find: "Math.min(Math.max(silent, 1), SILENT_AT_ONCE_MAX)",
    replace: "1",
  },
  {
    name: "the observer's own absence is held against them",
    file: FILE,
    find: "if (lateByMs <= 0)\n            return;",
    replace: "return;",
  },
  {
    name: "peers' answers from before the silence are evidence",
    file: FILE,
    find: "this.#mark[slot] = UNMARKED;\n        return wasLate;",
    replace: "return wasLate;",
  },
  {
    name: "slow answers of the peers are evidence",
    file: FILE,
    find: "own !== undefined && waitedMs <= own",
    replace: "own !== undefined",
  },
  {
    name: "peers that have not answered either are held to be idle",
    file: FILE,
    find: "peer === slot || this.#unanswered[peer] !== 0",
    replace: "peer === slot",
  },
  {
    name: "a renewed instance is judged by what it was",
    file: FILE,
    find: "this.#patienceMs[slot] = Infinity;",
    replace: "",
  },
];

randomInputsFind<{ StallDetector: typeof StallDetector }>(FILE, planted, (module) =>
  property(() => new module.StallDetector()),
);

const sleepers: readonly PlantedFault[] = [
  {
    name: "it takes half of a patience for a whole one",
    file: FILE,
    find: "sinceMs + Math.min(patience / 2, SUSPECT_MS_MIN)",
    replace: "sinceMs + Math.min(patience, 250)",
  },
  {
    name: "what was answered meanwhile is no reason to look again",
    file: FILE,
    find: "firstMs > nowMs || !wasScanned",
    replace: "firstMs > nowMs",
  },
];

randomInputsFind<{ StallDetector: typeof StallDetector }>(FILE, sleepers, (module) =>
  sparsely(() => new module.StallDetector()),
);
