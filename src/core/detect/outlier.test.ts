// Errors in a row and success rates, beside a slow, obvious twin that keeps every outcome.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PlantedFault, randomInputsFind } from "../../../test/planted.fixture.ts";
import { Outlier, type OutlyingRate, rateThreshold } from "./outlier.ts";

interface Seen {
  readonly slot: number;
  readonly isGood: boolean;
  readonly atMs: number;
}

class Twin {
  seen: Seen[] = [];
  /** Of what came before, nothing is held against a slot. */
  readonly forgottenAt = new Map<number, number>();
  #windowEndsMs: number | undefined;
  #windowAt = 0;

  forget(slot: number): void {
    this.forgottenAt.set(slot, this.seen.length);
  }

  /** Where the errors in a row begin, as an index of all that was seen. */
  #run(slot: number): readonly number[] {
    const run: number[] = [];
    for (let at = this.seen.length - 1; at >= (this.forgottenAt.get(slot) ?? 0); at--) {
      const one = this.seen[at];
      if (one?.slot !== slot) continue;
      if (one.isGood) break;
      run.push(at);
    }
    return run.reverse();
  }

  /** For each number of errors in a row that may be too many. */
  isOutlier(slot: number, runsMax: readonly number[]): readonly boolean[] {
    const run = this.#run(slot);
    const peers = this.seen.slice(run[0] ?? Infinity).filter((one) => one.slot !== slot);
    const good = peers.filter(({ isGood }) => isGood).length;
    return runsMax.map((runMax) => {
      if (runMax === 0 || run.length < runMax) return false;
      return good >= runMax && good >= peers.length - good;
    });
  }

  sweep(nowMs: number, count: number, failureRatio: number): OutlyingRate[] {
    if (this.#windowEndsMs !== undefined && nowMs < this.#windowEndsMs) return [];
    const isFirst = this.#windowEndsMs === undefined;
    this.#windowEndsMs = nowMs + 10_000;
    const from = this.#windowAt;
    this.#windowAt = this.seen.length;
    if (isFirst) return [];
    const slots = Array.from({ length: count }, (_, slot) => {
      const own = this.seen.filter(
        (one, at) => one.slot === slot && at >= Math.max(from, this.forgottenAt.get(slot) ?? 0),
      );
      const good = own.filter(({ isGood }) => isGood).length;
      return { slot, all: own.length, rate: good / own.length };
    });
    const rates = slots.filter(({ all }) => all >= 100).map(({ rate }) => rate);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const areMany = slots.filter(({ all }) => all >= 50).length >= 5;
    return slots
      .map(({ slot, all, rate }) => ({
        slot,
        rate,
        isFar: rates.length >= 5 && all >= 100 && rate < mean - 1.9 * Math.sqrt(variance),
        isFailing: failureRatio > 0 && areMany && all >= 50 && 1 - rate >= failureRatio - 1e-9,
      }))
      .filter(({ isFar, isFailing }) => isFar || isFailing);
  }
}

type Step =
  | { readonly kind: "answers"; readonly slot: number; readonly good: number; readonly bad: number }
  | { readonly kind: "forget"; readonly slot: number }
  | { readonly kind: "pass"; readonly durationMs: number; readonly failureRatio: number };

const SLOTS = 7;
const runsMax = [0, 2, 5];

function histories(): fc.Arbitrary<readonly Step[]> {
  const slot = fc.nat(SLOTS - 1);
  const count = fc.oneof(fc.nat(6), fc.constantFrom(0, 0, 60, 130));
  const answers = fc.record({
    kind: fc.constant("answers" as const),
    slot,
    good: count,
    bad: count,
  });
  const pass = fc.record({
    kind: fc.constant("pass" as const),
    durationMs: fc.constantFrom(1, 5_000, 9_999, 10_000),
    failureRatio: fc.constantFrom(0, 0.5, 0.85, 1),
  });
  const one = fc.oneof(
    { arbitrary: answers, weight: 20 },
    { arbitrary: pass, weight: 2 },
    { arbitrary: fc.record({ kind: fc.constant("forget" as const), slot }), weight: 1 },
  );
  return fc.array(one, { maxLength: 60, size: "max" });
}

function play(create: () => Outlier, history: readonly Step[]): void {
  const outlier = create();
  const twin = new Twin();
  let nowMs = 0;
  for (const step of history) {
    if (step.kind === "pass") {
      nowMs += step.durationMs;
      const { failureRatio } = step;
      const found = outlier.sweep(nowMs, SLOTS, failureRatio);
      assert.deepEqual(found, twin.sweep(nowMs, SLOTS, failureRatio));
    } else if (step.kind === "forget") {
      outlier.forget(step.slot);
      twin.forget(step.slot);
    } else {
      const { slot, good, bad } = step;
      for (const [isGood, times] of [
        [true, good],
        [false, bad],
      ] as const) {
        for (let time = 0; time < times; time++) {
          if (isGood) outlier.good(slot);
          else outlier.bad(slot);
          twin.seen.push({ slot, isGood, atMs: nowMs });
        }
      }
    }
    for (let slot = 0; slot < SLOTS; slot++) {
      const found = runsMax.map((runMax) => outlier.isOutlier(slot, runMax));
      assert.deepEqual(found, twin.isOutlier(slot, runsMax));
    }
  }
}

const property = (create: () => Outlier) =>
  fc.property(histories(), (history) => play(create, history));

test("does what its obvious twin does", () => {
  fc.assert(
    property(() => new Outlier()),
    { numRuns: 100 },
  );
});

test("the threshold is the mean less 1.9 standard deviations", () => {
  assert.equal(rateThreshold([0.5, 0.5, 0.5]), 0.5);
  assert.ok(Math.abs(rateThreshold([1, 0]) - (0.5 - 1.9 * 0.5)) < 1e-12);
});

const FILE = "src/core/detect/outlier.js";
const planted: readonly PlantedFault[] = [
  {
    name: "a good answer does not end the errors in a row",
    file: FILE,
    find: "this.run[slot] = 0;\n        this.#good",
    replace: "this.#good",
  },
  {
    name: "what the peers did before the errors counts for them",
    file: FILE,
    find: "this.#peersGoodAtStart[slot] = this.#peersGood(slot);",
    replace: "",
  },
  {
    name: "the peers' errors are forgotten",
    file: FILE,
    find: "return good >= runMax && good >= bad;",
    replace: "return good >= runMax;",
  },
  {
    name: "a window begins with the answers of the one before",
    file: FILE,
    find: "this.#windowGood.fill(0);",
    replace: "",
  },
  {
    name: "few requests are judged by rate",
    file: FILE,
    find: "({ all }) => all >= RATE_REQUESTS_MIN",
    replace: "() => true",
  },
  {
    name: "few requests are judged by their errors",
    file: FILE,
    find: "if (all < FAILURE_REQUESTS_MIN)",
    replace: "if (all === 0)",
  },
  {
    name: "few instances are judged by their errors",
    file: FILE,
    find: "seen.length < RATE_INSTANCES_MIN",
    replace: "seen.length < 1",
  },
  {
    name: "who fails exactly as often as was said goes on",
    file: FILE,
    find: "1 - rate >= failsAt - ROUNDING",
    replace: "1 - rate > failsAt + ROUNDING",
  },
];

randomInputsFind<{ Outlier: typeof Outlier }>(FILE, planted, (module) =>
  property(() => new module.Outlier()),
);
