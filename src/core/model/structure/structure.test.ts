// Redundancy, fault trees, event trees and common causes: published results, and the same results
// by going through every combination of failures.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { near, nearRelative, published } from "../golden.fixture.ts";
import { commonCauseGroup, commonCauseProbabilities } from "./common-cause.ts";
import { minimalCutSets } from "./cut-sets.ts";
import { type EventTree, eventTreeOutcomes } from "./event-tree.ts";
import {
  type BasicEvent,
  type Tree,
  and,
  atLeast,
  constant,
  event,
  not,
  or,
  topProbability,
} from "./fault-tree.ts";
import { importances } from "./importance.ts";
import { kOfN, kOfNAlike, parallel, series } from "./redundancy.ts";

const [a, b, c] = [event("a", 0.1), event("b", 0.2), event("c", 0.3)];

function cutSetNames(tree: Tree): readonly string[] {
  return minimalCutSets(tree)
    .sets.map(({ events }) => [...events].sort().join(" "))
    .sort();
}

function twoTrains(p: readonly [number, number, number, number]): Tree {
  const [pumpOne, pumpTwo, valveOne, valveTwo] = p;
  return and(
    or(event("valve one", valveOne), event("pump one", pumpOne)),
    or(event("valve two", valveTwo), event("pump two", pumpTwo)),
  );
}

describe("published results of redundancy", () => {
  published("aws", "availability with dependencies: two of 99 % in parallel are 99.99 %", () => {
    nearRelative(parallel([0.01, 0.01]), 0.0001, 1e-15);
  });

  published("aws", "availability with dependencies: three of 99.99 % in series are 99.97 %", () => {
    near(100 * (1 - series([0.0001, 0.0001, 0.0001])), 99.97, 0.005);
  });

  it("three needed of three parts of 99 % is 0.970299, two of three is 0.999702", () => {
    near(1 - series([0.01, 0.01, 0.01]), 0.970299, 1e-15);
    near(1 - kOfN(2, [0.01, 0.01, 0.01]), 0.999702, 1e-15);
    near(1 - kOfNAlike(3, 5, 0.01), 0.99999015, 5e-9);
  });
});

describe("published results of fault trees", () => {
  published("scram", "bench_core_tests ABC: any of three, 0.496", () => {
    near(topProbability(or(a, b, c)), 0.496, 1e-15);
    assert.deepEqual(cutSetNames(or(a, b, c)), ["a", "b", "c"]);
  });

  published("scram", "bench_core_tests AB_BC: an event in two gates, 0.074", () => {
    const tree = or(and(a, b), and(b, c));
    near(topProbability(tree), 0.074, 1e-15);
    assert.deepEqual(cutSetNames(tree), ["a b", "b c"]);
  });

  published("scram", "bench_core_tests ATLEAST: two of three, 0.098", () => {
    near(topProbability(atLeast(2, a, b, c)), 0.098, 1e-15);
    assert.deepEqual(cutSetNames(atLeast(2, a, b, c)), ["a b", "a c", "b c"]);
  });

  published("scram", "bench_core_tests A_OR_NOT_A, A_AND_NOT_A: 1 and 0", () => {
    assert.equal(topProbability(or(a, not(a))), 1);
    assert.equal(topProbability(and(a, not(a))), 0);
  });

  published(
    "scram",
    "bench_core_tests A_OR_NOT_B, A_AND_NOT_B, A_OR_NOT_AB: 0.82, 0.08, 0.28",
    () => {
      near(topProbability(or(a, not(b))), 0.82, 1e-15);
      near(topProbability(and(a, not(b))), 0.08, 1e-15);
      near(topProbability(or(a, and(not(a), b))), 0.28, 1e-15);
    },
  );

  published("scram", "bench_core_tests XOR_ABC: an odd number of three, 0.404", () => {
    const xor = (x: Tree, y: Tree) => or(and(x, not(y)), and(not(x), y));
    near(topProbability(xor(xor(a, b), c)), 0.404, 1e-15);
  });

  published("scram", "bench_core_tests HOUSE_UNITY, HOUSE_NULL: constants decide", () => {
    assert.equal(topProbability(or(a, constant(true))), 1);
    assert.equal(topProbability(and(a, constant(false))), 0);
    assert.deepEqual(cutSetNames(or(a, constant(true))), [""]);
    assert.deepEqual(cutSetNames(and(a, constant(false))), []);
  });

  published("scram", "bench_two_train_tests: 0.7225 and four cut sets", () => {
    const tree = twoTrains([0.5, 0.5, 0.7, 0.7]);
    near(topProbability(tree), 0.85 ** 2, 1e-15);
    near(topProbability(tree), 0.7225, 1e-15);
    const pairs = ["pump one pump two", "pump one valve two"];
    const more = ["pump two valve one", "valve one valve two"];
    assert.deepEqual(cutSetNames(tree), [...pairs, ...more].sort());
  });

  published(
    "scram",
    "risk_analysis_tests AnalyzeWithProbability, Mcub: exact 0.646, upper bound 0.766144",
    () => {
      const tree = twoTrains([0.6, 0.7, 0.4, 0.5]);
      near(topProbability(tree), 0.646, 1e-15);
      const { sets, upperBound, rareEventSum } = minimalCutSets(tree);
      near(upperBound, 0.766144, 1e-14);
      near(rareEventSum, 0.42 + 0.3 + 0.28 + 0.2, 1e-15);
      const expected = [0.42, 0.3, 0.28, 0.2];
      for (const [at, { probability }] of sets.entries()) near(probability, expected[at], 1e-15);
    },
  );

  published(
    "scram",
    "risk_analysis_tests ImportanceRareEvent: the rare-event sum of small probabilities, 0.012",
    () => {
      const expected = 0.1 * 0.12; // "adjusted probability": the sum of the four pairs
      near(minimalCutSets(twoTrains([0.06, 0.07, 0.04, 0.05])).rareEventSum, expected, 1e-15);
    },
  );

  published(
    "scram",
    "risk_analysis_tests ImportanceDefault: five measures of four events, to four digits",
    () => {
      const expected: Readonly<Record<string, readonly number[]>> = {
        "pump one": [0.51, 0.4737, 0.7895, 1.316, 1.9],
        "pump two": [0.38, 0.4118, 0.8235, 1.176, 1.7],
        "valve one": [0.34, 0.2105, 0.5263, 1.316, 1.267],
        "valve two": [0.228, 0.1765, 0.5882, 1.176, 1.214],
      };
      const found = importances(twoTrains([0.6, 0.7, 0.4, 0.5]));
      assert.equal(found.length, 4);
      for (const measured of found) {
        const { birnbaum, criticality, diagnostic } = measured;
        const values = [birnbaum, criticality, diagnostic];
        values.push(measured.riskAchievementWorth, measured.riskReductionWorth);
        for (const [at, value] of values.entries()) {
          nearRelative(value, expected[measured.event]?.[at], 5e-4);
        }
      }
    },
  );

  published("scram", "bench_theatre_tests: OpenFTA's theatre, 0.00207", () => {
    const generator = or(event("generator", 0.02), event("relay", 0.05));
    const tree = and(event("mains", 0.03), generator);
    nearRelative(topProbability(tree), 0.00207, 1e-14);
    assert.deepEqual(cutSetNames(tree), ["generator mains", "mains relay"]);
  });

  published("scram", "bench_ne574_tests: lecture 8 of NE 574, 0.662208 and seven cut sets", () => {
    const p = { b: 0.1, c: 0.3, d: 0.5, f: 0.7, g: 0.2, h: 0.4, i: 0.8 };
    const e = (name: keyof typeof p) => event(name, p[name]);
    const trainOne = or(or(e("f"), e("g")), e("b"), e("c"));
    const tree = and(trainOne, or(e("c"), e("d"), and(e("h"), e("i"))));
    near(topProbability(tree), 0.662208, 5e-7);
    assert.deepEqual(cutSetNames(tree), ["b d", "b h i", "c", "d f", "d g", "f h i", "g h i"]);
  });

  published("scram", "bench_lift_tests: OpenFTA's lift, twelve single failures of 1e-6", () => {
    const e = (name: string) => event(name, 1e-6);
    const slow = or(e("PS_1"), or(e("DOD_1"), e("D_1")));
    const start = or(e("LMD_1"), e("DPD_1"), and(e("DM_1"), e("DPD_1")), slow);
    const detector = and(e("LMD_1"), e("LMD_1_1"));
    const uncommanded = and(or(e("W_1"), e("CP_1"), e("DMS_2")), detector);
    const motion = or(e("DMS_2"), uncommanded, and(e("CP_1"), detector));
    const refuses = or(e("CP_1"), e("LMD_2"), e("LPD_1"), or(e("DM_1"), e("PS_1")));
    const tree = or(start, motion, refuses, or(e("DOD_1"), e("DOD_2"), e("DMS_1")));
    near(topProbability(tree), 1.19999e-5, 1e-10);
    assert.deepEqual(minimalCutSets(tree).byOrder.slice(1), [12]);
  });

  published(
    "scram",
    "bench_three_motor_tests: OpenFTA's three motors, 0.0211538 and twelve cut sets",
    () => {
      const e = (name: string) => event(name, 0.02);
      const timer = and(
        or(e("kt1inc"), e("t2inc")),
        or(e("kt2inc"), e("t3inc")),
        or(e("kt3inc"), e("t4inc")),
      );
      const relay = or(e("k1"), or(timer, or(e("s1"), e("t1inc"))));
      const closed = or(e("k5"), and(relay, or(e("t2"), e("k5"))));
      const circuit = and(constant(true), constant(true), or(constant(true), e("t4")));
      const open = or(e("k2"), or(e("t1"), or(e("k1"), or(circuit, or(e("s1"), e("t3"))))));
      const tree = and(closed, open);
      near(topProbability(tree), 0.0211538, 5e-6);
      const { byOrder, sets } = minimalCutSets(tree);
      assert.deepEqual([byOrder, sets.length], [[0, 1, 3, 0, 8], 12]);
      assert.ok(cutSetNames(tree).includes("s1 t2") && cutSetNames(tree).includes("k5"));
    },
  );

  published(
    "scram",
    "bench_bscu_tests: the braking system of XFTA, 0.1124087 exact and 0.135372 as a sum",
    () => {
      const missionHours = 8760;
      const e = (name: string, rate: number, times = 1) =>
        event(name, -Math.expm1(-rate * missionHours * times));
      const system = (n: number) => or(e(`electronic ${n}`, 3e-5), e(`power ${n}`, 1.35e-5));
      const stuck = (n: number) => e(`stuck in ${n}`, 1.3e-7, 20);
      const [one, two] = [system(1), system(2)];
      const switching = or(and(one, stuck(1)), e("stuck between", 1.3e-7), and(two, stuck(2)));
      const tree = or(e("monitor", 1.6e-7), and(one, two), switching);
      near(topProbability(tree), 0.1124087, 1e-4);
      near(minimalCutSets(tree).rareEventSum, 0.135372, 1e-4);
      assert.deepEqual(minimalCutSets(tree).byOrder, [0, 2, 8]);
    },
  );

  published("scram", "bench_chinese_tree_tests: 392 cut sets, 0.0045691", () => {
    const tree = chineseTree();
    assert.deepEqual(minimalCutSets(tree).byOrder, [0, 0, 12, 0, 24, 188, 168]);
    near(topProbability(tree), 0.0045691, 1e-5);
  });
});

/** The tree of 25 events and 36 gates that XFTA and Aralia call "chinese"; every event is 0.02. */
function chineseTree(): Tree {
  const e = (...numbers: readonly number[]) => numbers.map((n) => event(`e${n}`, 0.02));
  const pair = and(or(...e(17, 18)), or(...e(19, 20, 21)));
  const other = and(or(...e(17, 18, 21)), or(...e(19, 20)));
  const g3 = and(or(...e(9, 10, 11), pair), or(...e(12, 13)));
  const g8 = and(or(...e(14, 15, 16), other), and(or(...e(22, 23)), or(...e(24, 25))));
  const g13 = or(...e(1, 2, 3), g8);
  const g14 = or(...e(4, 5, 6, 7), g3);
  const g5 = or(...e(8), and(g13, g14));
  return and(or(...e(1, 2, 3), g3), and(or(...e(4, 5, 6, 7), g8), g5));
}

describe("published results of common causes: three trains of pumps and valves", () => {
  const threeTrains = (cause: Parameters<typeof commonCauseGroup>[2]) => {
    const pumps = commonCauseGroup(["p1", "p2", "p3"], 0.1, cause);
    const valves = commonCauseGroup(["v1", "v2", "v3"], 0.1, cause);
    return and(...pumps.map((pump, train) => or(pump, valves[train] as Tree)));
  };

  interface Expected {
    readonly exact: number;
    readonly rareEventSum: number;
    /** Cut sets of one, two and three failures. */
    readonly orders: readonly number[];
  }
  const solves = (tree: Tree, { exact, rareEventSum, orders }: Expected): void => {
    near(topProbability(tree), exact, 1e-5);
    near(minimalCutSets(tree).rareEventSum, rareEventSum, 1e-5);
    assert.deepEqual(minimalCutSets(tree).byOrder.slice(1), orders);
  };

  published("scram", "bench_core_tests BetaFactorCCF: 0.04308 exact and 0.044096 as a sum", () => {
    const tree = threeTrains({ model: "beta", beta: 0.2 });
    solves(tree, { exact: 0.04308, rareEventSum: 0.044096, orders: [2, 0, 8] });
  });

  published("scram", "bench_core_tests PhiFactorCCF: 0.04104 exact and 0.04434 as a sum", () => {
    const tree = threeTrains({ model: "phi", factors: [0.7, 0.2, 0.1] });
    solves(tree, { exact: 0.04104, rareEventSum: 0.04434, orders: [2, 24, 8] });
  });

  published("scram", "bench_core_tests MGLFactorCCF: 0.0163 exact and 0.01771 as a sum", () => {
    const tree = threeTrains({ model: "mgl", factors: [0.2, 0.1] });
    solves(tree, { exact: 0.0163, rareEventSum: 0.01771, orders: [2, 24, 8] });
  });

  published("scram", "bench_core_tests AlphaFactorCCF: 0.05298 exact and 0.05488 as a sum", () => {
    const tree = threeTrains({ model: "alpha", factors: [0.7, 0.2, 0.1] });
    solves(tree, { exact: 0.05298, rareEventSum: 0.05488, orders: [2, 24, 8] });
  });
});

describe("published results of event trees", () => {
  published("andrewsDunnett", "gas leak, as in scram's bench_gas_leak: eight sequences", () => {
    const e = (name: string) => event(name, 0.05);
    const solenoids = and(e("SOLA"), e("SOLB"));
    const safeguards = {
      a: or(e("IVALA"), e("RC1"), solenoids),
      b: or(e("IVALB"), e("RC1"), solenoids),
      blowdown: or(e("BDVAL"), e("RC1"), and(e("SOLC"), e("SOLD"))),
    };
    const last = (n: number): EventTree => ({ on: "blowdown", works: `S${n}`, fails: `S${n + 1}` });
    const tree: EventTree = {
      on: "a",
      works: { on: "b", works: last(1), fails: last(3) },
      fails: { on: "b", works: last(5), fails: last(7) },
    };
    const expected = [0.81044, 0.04479, 0.04265, 2.36e-3, 0.04265, 2.36e-3, 4.5e-3, 0.05025];
    const found = eventTreeOutcomes({ frequency: 1, safeguards, tree });
    assert.equal(found.length, 8);
    for (const [at, { name, frequency }] of found.entries()) {
      assert.equal(name, `S${at + 1}`);
      near(frequency, expected[at], 1e-5);
    }
  });
});

/** Up to eight events, and gates over them that share what they like. */
const trees = fc
  .record({
    probabilities: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
      minLength: 2,
      maxLength: 8,
    }),
    gates: fc.array(
      fc.record({
        kind: fc.constantFrom("and", "or", "atLeast", "not"),
        inputs: fc.array(fc.nat(99), { minLength: 1, maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 8 },
    ),
  })
  .map(({ probabilities, gates }) => {
    const events = probabilities.map((p, at) => event(`e${at}`, p));
    const nodes: Tree[] = [...events];
    for (const { kind, inputs } of gates) {
      const chosen = inputs.map((at) => nodes[at % nodes.length] as Tree);
      if (kind === "not") nodes.push(not(chosen[0] as Tree));
      else if (kind === "and") nodes.push(and(...chosen));
      else if (kind === "or") nodes.push(or(...chosen));
      else nodes.push(atLeast(Math.ceil(chosen.length / 2), ...chosen));
    }
    return { events, top: nodes.at(-1) as Tree };
  });

function happens(tree: Tree, failed: ReadonlySet<string>): boolean {
  if (tree.kind === "event") return failed.has(tree.name);
  if (tree.kind === "constant") return tree.value;
  const count = tree.inputs.filter((input) => happens(input, failed)).length;
  return tree.kind === "not" ? count === 0 : count >= tree.count;
}

/** Every combination of failures, with its probability. */
function* combinations(events: readonly BasicEvent[]) {
  for (let bits = 0; bits < 2 ** events.length; bits++) {
    const failed = events.filter((_, at) => (bits & (1 << at)) !== 0);
    const names = new Set(failed.map(({ name }) => name));
    const probability = events.reduce(
      (product, e) => product * (names.has(e.name) ? e.probability : 1 - e.probability),
      1,
    );
    yield { names, probability };
  }
}

function enumerate(top: Tree, events: readonly BasicEvent[]): number {
  let sum = 0;
  for (const { names, probability } of combinations(events)) {
    if (happens(top, names)) sum += probability;
  }
  return sum;
}

describe("against every combination of failures", () => {
  it("a tree's probability is the sum over the combinations that bring it down", () => {
    fc.assert(
      fc.property(trees, ({ events, top }) =>
        near(topProbability(top), enumerate(top, events), 1e-12),
      ),
    );
  });

  it("an event's importance is what forcing it up and down changes", () => {
    fc.assert(
      fc.property(trees, ({ events, top }) => {
        const total = topProbability(top);
        const force = (name: string, p: number) =>
          events.map((e) => (e.name === name ? event(name, p) : e));
        for (const measured of importances(top)) {
          const failed = enumerate(top, force(measured.event, 1));
          const working = enumerate(top, force(measured.event, 0));
          near(measured.birnbaum, failed - working, 1e-12);
          if (total > 1e-9) near(measured.riskAchievementWorth * total, failed, 1e-12);
        }
      }),
    );
  });

  it("cut sets bring the top down, no smaller set does, and every combination that does has one", () => {
    const coherent = trees.filter(({ top }) => !JSON.stringify(top).includes('"not"'));
    fc.assert(
      fc.property(coherent, ({ events, top }) => {
        const { sets, byOrder, upperBound, rareEventSum } = minimalCutSets(top);
        const exact = topProbability(top);
        assert.ok(exact <= upperBound + 1e-12 && upperBound <= rareEventSum + 1e-12);
        assert.equal(
          byOrder.reduce((sum, count) => sum + count, 0),
          sets.length,
        );
        for (const { events: cut } of sets) {
          assert.ok(happens(top, new Set(cut)));
          for (const name of cut) {
            assert.ok(!happens(top, new Set(cut.filter((other) => other !== name))));
          }
        }
        for (const { names } of combinations(events)) {
          const covered = sets.some(({ events: cut }) => cut.every((name) => names.has(name)));
          assert.equal(covered, happens(top, names));
        }
      }),
    );
  });

  it("k of n is the sum over the combinations with too many failures", () => {
    const parts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
      minLength: 1,
      maxLength: 9,
    });
    fc.assert(
      fc.property(parts, fc.nat(), (unavailabilities, seed) => {
        const needed = 1 + (seed % unavailabilities.length);
        const events = unavailabilities.map((q, at) => event(`e${at}`, q));
        const top = atLeast(events.length - needed + 1, ...events);
        near(kOfN(needed, unavailabilities), enumerate(top, events), 1e-13);
        near(topProbability(top), kOfN(needed, unavailabilities), 1e-13);
        near(kOfN(1, unavailabilities), parallel(unavailabilities), 1e-15);
        near(kOfN(unavailabilities.length, unavailabilities), series(unavailabilities), 1e-13);
      }),
    );
  });

  it("a member of a common cause group fails as often as without it", () => {
    const cause = fc.constantFrom(
      { model: "beta", beta: 0.1 } as const,
      { model: "mgl", factors: [0.2, 0.3, 0.4] } as const,
      { model: "alpha", factors: [0.9, 0.05, 0.03, 0.02] } as const,
      { model: "alpha", factors: [0.9, 0.05, 0.03, 0.02], staggered: true } as const,
    );
    fc.assert(
      fc.property(cause, fc.double({ min: 0, max: 1e-3, noNaN: true }), (model, q) => {
        const bySize = commonCauseProbabilities(4, q, model);
        const total = bySize.reduce((sum, p, at) => sum + p * ([1, 3, 3, 1][at] ?? 0), 0);
        near(total, q, 1e-15);
      }),
    );
  });

  it("an event tree's outcomes share out the beginning's frequency", () => {
    fc.assert(
      fc.property(trees, trees, fc.double({ min: 0, max: 9, noNaN: true }), (x, y, frequency) => {
        const safeguards = { x: x.top, y: or(...x.events, constant(false)) };
        const tree: EventTree = {
          on: "x",
          works: "fine",
          fails: { on: "y", works: "odd", fails: "bad" },
        };
        const outcomes = eventTreeOutcomes({ frequency, safeguards, tree });
        near(
          outcomes.reduce((sum, o) => sum + o.frequency, 0),
          frequency,
          1e-12,
        );
        assert.ok(y.events.length > 0);
      }),
    );
  });
});

describe("what is refused, and how far it goes", () => {
  it("the unavailability of ten parallel parts does not round to nothing", () => {
    nearRelative(parallel(new Array<number>(10).fill(1e-3)), 1e-30, 1e-14);
    nearRelative(kOfNAlike(1, 10, 1e-3), 1e-30, 1e-14);
    nearRelative(series([1e-20, 2e-20]), 3e-20, 1e-14);
  });

  it("a probability out of range, a count out of range, and two meanings of one name", () => {
    const wrong = { code: "NINES_MODEL_INPUT" };
    assert.throws(() => event("a", 1.1), wrong);
    assert.throws(() => event("a", Number.NaN), wrong);
    assert.throws(() => atLeast(4, a, b, c), wrong);
    assert.throws(() => kOfN(0, [0.1]), wrong);
    assert.throws(() => series([]), wrong);
    assert.throws(() => topProbability(or(event("x", 0.1), event("x", 0.2))), {
      ...wrong,
      message: "x has two probabilities, 0.1 and 0.2",
    });
    assert.throws(() => minimalCutSets(or(a, not(b))), wrong);
    assert.throws(() => commonCauseGroup(["a", "b"], 0.1, { model: "phi", factors: [0.5] }), wrong);
    const tree: EventTree = { on: "nothing", works: "a", fails: "b" };
    assert.throws(() => eventTreeOutcomes({ frequency: 1, safeguards: {}, tree }), wrong);
  });

  it("a tree with more cut sets than can be listed is counted and refused", () => {
    const groups = Array.from({ length: 20 }, (_, g) =>
      or(...Array.from({ length: 10 }, (_unused, e) => event(`${g}.${e}`, 0.01))),
    );
    assert.throws(() => minimalCutSets(and(...groups)), {
      code: "NINES_MODEL_TOO_LARGE",
      message: /100,000,000,000,000,000,000/,
    });
    nearRelative(
      topProbability(and(...groups)),
      series(new Array<number>(10).fill(0.01)) ** 20,
      1e-12,
    );
  });

  it("a tree of 2,000 events is answered, and one of more is refused", () => {
    const many = Array.from({ length: 2_000 }, (_, at) => event(`e${at}`, 1e-6));
    nearRelative(topProbability(or(...many)), series(many.map((e) => e.probability)), 1e-12);
    assert.throws(() => topProbability(or(...many, event("one more", 0.1))), {
      code: "NINES_MODEL_TOO_LARGE",
    });
  });
});
