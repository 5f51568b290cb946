// Chains against published results, against closed forms, and against drawn lives.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createPrng } from "../../base/prng.ts";
import { near, nearRelative, published } from "../golden.fixture.ts";
import { liveThrough } from "../montecarlo/trajectory.ts";
import { kOfNAlike, series } from "../structure/redundancy.ts";
import { meanTimeToAbsorption } from "./absorption.ts";
import { type Chain, type Transition, chainOf, chainOfNames, exploreChain } from "./chain.ts";
import { sharedCrew } from "./shared-crew.ts";
import { redundantService } from "./redundant-service.ts";
import { steadyState } from "./steady-state.ts";
import { poissonWeights, transient } from "./transient.ts";
import { upAndDown } from "./up-and-down.ts";

/** A chain from a matrix of rates; what is on the diagonal does not matter. */
function fromMatrix(rates: readonly (readonly number[])[]): Chain {
  const transitions = rates.flatMap((row, from) =>
    row.map((rate, to) => ({ from, to, rate })).filter((t) => t.from !== t.to && t.rate !== 0),
  );
  return chainOf(rates.length, transitions);
}

function nearEach(actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  for (const [at, value] of expected.entries()) near(actual[at] as number, value, tolerance);
}

describe("published results of chains", () => {
  published("bolch", "example 3.1 p. 123: M/M/1 with room for three", () => {
    const chain = fromMatrix([
      [0, 1, 0, 0],
      [2, 0, 1, 0],
      [0, 2, 0, 1],
      [0, 0, 2, 0],
    ]);
    nearEach(steadyState(chain).probabilities, [8 / 15, 4 / 15, 2 / 15, 1 / 15], 1e-15);
  });

  published("bolch", "example 3.2 p. 128: seven states", () => {
    const chain = fromMatrix([
      [0, 1, 0, 0, 0, 0, 0],
      [0, 0, 1, 0, 2, 0, 0],
      [0, 0, 0, 1, 0, 2, 0],
      [0, 0, 0, 0, 0, 0, 2],
      [2, 0, 0, 0, 0, 1, 0],
      [0, 2, 0, 0, 0, 0, 1],
      [0, 0, 2, 0, 0, 0, 0],
    ]);
    const expected = [0.2192, 0.1644, 0.1507, 0.0753, 0.1096, 0.137, 0.1438];
    nearEach(steadyState(chain).probabilities, expected, 1e-4);
  });

  published("bolch", "example 3.4 p. 138: two queues in a ring", () => {
    const chain = fromMatrix([
      [0, 0.4, 0.6, 0, 0, 0],
      [2, 0, 0, 0.4, 0.6, 0],
      [3, 0, 0, 0, 0.4, 0.6],
      [0, 2, 0, 0, 0, 0],
      [0, 3, 2, 0, 0, 0],
      [0, 0, 3, 0, 0, 0],
    ]);
    const expected = [0.6578, 0.1315, 0.1315, 0.0263, 0.0263, 0.0263];
    nearEach(steadyState(chain).probabilities, expected, 1e-4);
  });

  /** Tijms 2003, p. 172: six satellites of which one works, and a shuttle that takes its time. */
  function satellites(shuttle: boolean): Chain {
    const [failure, launch, arrival] = [0.1, 100, 5];
    const transitions: Transition[] = [];
    for (let n = 6; n > 1; n--) transitions.push({ from: n - 1, to: n - 2, rate: n * failure });
    transitions.push({ from: 1, to: 6, rate: launch }, { from: 0, to: 7, rate: launch });
    transitions.push({ from: 0, to: 8, rate: failure });
    if (shuttle) {
      transitions.push({ from: 7, to: 8, rate: failure }, { from: 6, to: 7, rate: 2 * failure });
      transitions.push({ from: 6, to: 5, rate: arrival }, { from: 7, to: 5, rate: arrival });
    }
    return chainOf(9, transitions);
  }

  published(
    "tijms",
    "p. 172: after 10 years the system has crashed with probability 0.000504",
    () => {
      near(
        transient(satellites(true), { start: 5, time: 10 }).probabilities[8] as number,
        0.000504,
        1e-6,
      );
    },
  );

  published("tijms", "p. 172: the nine states after 2 years", () => {
    const expected = [
      3.83e-7, 1.938e-4, 0.0654032, 0.2216998, 0.4016008, 0.3079701, 0.0030271, 0.0000998, 5e-6,
    ];
    nearEach(transient(satellites(true), { start: 5, time: 2 }).probabilities, expected, 1e-5);
  });

  published("tijms", "p. 172: no shuttle is needed in 10 years with probability 0.3901", () => {
    const { probabilities } = transient(satellites(false), { start: 5, time: 10 });
    near(1 - probabilities.slice(6).reduce((sum, p) => sum + p, 0), 0.3901, 1e-4);
  });

  // Heimann, Mittal, Trivedi, Availability and Reliability Modeling for Computer Systems, 1990,
  // 2.4, with the misprint of the last probability corrected as in the Octave queueing package.
  const twoProcessors = redundantService({
    instances: 2,
    needed: 1,
    failureRate: 1 / 5000,
    repairRate: 1 / 4,
    crews: 1,
    failover: { coverage: 0.9, reconfigurationRate: 120, manualRate: 6 },
  });

  published("trivedi", "section 2.4: two processors with coverage 0.9", () => {
    const expected: Readonly<Record<string, number>> = {
      "0 normal": 0.9983916,
      "1 reconfiguring": 0.000002995,
      "1 uncovered": 0.0000066559,
      "1 normal": 0.00159742,
      "2 normal": 0.0000012779,
    };
    const { states, solved, because } = twoProcessors;
    assert.equal(states.length, 5);
    for (const [at, { failed, phase }] of states.entries()) {
      nearRelative(solved.probabilities[at] as number, expected[`${failed} ${phase}`], 2e-4);
    }
    nearRelative(because.reconfiguration, 0.000002995, 2e-4);
    nearRelative(because.uncovered, 0.0000066559, 5e-5);
    nearRelative(because.tooFewInstances, 0.0000012779, 5e-5);
  });

  published("trivedi", "section 2.5: 24,857 hours until a reboot or a double failure", () => {
    const { chain, states } = twoProcessors;
    const final = [...states.keys()].filter((at) => {
      const state = states[at];
      return state?.phase === "uncovered" || state?.failed === 2;
    });
    assert.equal(Math.trunc(meanTimeToAbsorption(chain, { start: 0, final }).meanTime), 24_857);
  });

  published("octave", "ctmcmtta: one state until the end", () => {
    const chain = chainOf(2, [{ from: 0, to: 1, rate: 1 }]);
    assert.equal(meanTimeToAbsorption(chain, { start: 1, final: [1] }).meanTime, 0);
    near(meanTimeToAbsorption(chain, { start: 0, final: [1] }).meanTime, 1, 1e-15);
  });
});

/** Up to seven states, all reached from one another, with rates over twelve orders of magnitude. */
const chains = fc
  .integer({ min: 2, max: 7 })
  .chain((size) =>
    fc.record({
      size: fc.constant(size),
      ring: fc.array(fc.integer({ min: -6, max: 6 }), { minLength: size, maxLength: size }),
      more: fc.array(
        fc.record({
          from: fc.nat(size - 1),
          to: fc.nat(size - 1),
          power: fc.integer({ min: -6, max: 6 }),
        }),
        { maxLength: 15 },
      ),
    }),
  )
  .map(({ size, ring, more }) =>
    chainOf(size, [
      ...ring.map((power, from) => ({ from, to: (from + 1) % size, rate: 10 ** power })),
      ...more
        .filter(({ from, to }) => from !== to)
        .map(({ from, to, power }) => ({ from, to, rate: 1.7 * 10 ** power })),
    ]),
  );

const mildRate = fc.double({ min: 0.1, max: 5, noNaN: true });

/** Kirchhoff: the weight of a state is the sum over spanning trees into it, all terms positive. */
function byTrees(chain: Chain): readonly number[] {
  const weights = Array.from({ length: chain.size }, (_, root) => treesInto(chain, root));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function treesInto(chain: Chain, root: number): number {
  const others = Array.from({ length: chain.size }, (_, at) => at).filter((at) => at !== root);
  const choose = (at: number, parent: ReadonlyMap<number, number>, weight: number): number => {
    const state = others[at];
    if (state === undefined) return leadsTo(root, others, parent) ? weight : 0;
    let sum = 0;
    for (
      let i = chain.rows.start[state] as number;
      i < (chain.rows.start[state + 1] as number);
      i++
    ) {
      const next = new Map(parent).set(state, chain.rows.column[i] as number);
      sum += choose(at + 1, next, weight * (chain.rows.value[i] as number));
    }
    return sum;
  };
  return choose(0, new Map(), 1);
}

function leadsTo(
  root: number,
  states: readonly number[],
  parent: ReadonlyMap<number, number>,
): boolean {
  return states.every((state) => {
    let at = state;
    for (let steps = 0; steps <= states.length && at !== root; steps++) at = parent.get(at) ?? root;
    return at === root;
  });
}

describe("steady states", () => {
  it("are the sum over spanning trees, to the last relative digits, however stiff the chain", () => {
    fc.assert(
      fc.property(chains, (chain) => {
        const { probabilities } = steadyState(chain);
        for (const [state, exact] of byTrees(chain).entries()) {
          nearRelative(probabilities[state] as number, exact, 1e-12);
        }
      }),
    );
  });

  it("of 729 states with a shared crew agree between elimination and iteration, state by state", () => {
    for (const failureRatio of [1e-6, 1e-3, 0.1]) {
      const chain = sharedCrew([2, 2, 2, 2, 2, 2], 2, failureRatio);
      const direct = steadyState(chain, { method: "elimination" });
      const iterated = steadyState(chain, { method: "multilevel" });
      assert.ok(iterated.residual <= 1e-10 && direct.residual <= 1e-10);
      for (const [state, p] of direct.probabilities.entries()) {
        nearRelative(iterated.probabilities[state] as number, p, 1e-9);
      }
    }
  });

  it("a state that is left for ever is named, and no steady state is made up", () => {
    const { chain } = chainOfNames([
      { from: "up", to: "down", rate: 0.001 },
      { from: "down", to: "scrapped", rate: 0.1 },
      { from: "down", to: "up", rate: 1 },
    ]);
    assert.throws(() => steadyState(chain), {
      code: "NINES_MODEL_NEVER_RECOVERS",
      message: "from scrapped the chain never comes back to up",
    });
    const started = chainOf(2, [{ from: 0, to: 1, rate: 1 }]);
    assert.throws(() => steadyState(started), { code: "NINES_MODEL_NEVER_RECOVERS" });
    const entered = chainOf(3, [
      { from: 0, to: 1, rate: 1 },
      { from: 1, to: 0, rate: 1 },
      { from: 2, to: 0, rate: 1 },
    ]);
    assert.throws(() => steadyState(entered), { code: "NINES_MODEL_NEVER_RECOVERS" });
  });

  it("a rate of zero, a transition to itself and a model without end are refused", () => {
    const input = { code: "NINES_MODEL_INPUT" };
    assert.throws(() => chainOf(2, [{ from: 0, to: 1, rate: 0 }]), input);
    assert.throws(() => chainOf(2, [{ from: 0, to: 1, rate: -1 }]), input);
    assert.throws(() => chainOf(2, [{ from: 1, to: 1, rate: 1 }]), input);
    assert.throws(() => chainOf(2, [{ from: 0, to: 2, rate: 1 }]), input);
    const endless = () =>
      exploreChain<number>({
        first: 0,
        key: String,
        next: (n) => [{ to: n + 1, rate: 1 }],
        statesMax: 1000,
      });
    assert.throws(endless, { code: "NINES_MODEL_TOO_LARGE", message: /at most 1,000 are allowed/ });
  });
});

describe("transient states", () => {
  it("of two states are the closed form", () => {
    fc.assert(
      fc.property(mildRate, mildRate, fc.double({ min: 0, max: 20, noNaN: true }), (a, b, time) => {
        const chain = fromMatrix([
          [0, a],
          [b, 0],
        ]);
        const { probabilities, occupancy } = transient(chain, { start: 0, time });
        const decay = Math.exp(-(a + b) * time);
        near(probabilities[0] as number, b / (a + b) + (a / (a + b)) * decay, 1e-12);
        const up = (b / (a + b)) * time + (a / (a + b) ** 2) * (1 - decay);
        near(occupancy[0] as number, up, 1e-10);
      }),
    );
  });

  it("come to the steady state, and stay there, over 10^9 moves", () => {
    const chain = sharedCrew([2, 2, 2], 1, 1e-3);
    const { probabilities, occupancy } = transient(chain, { start: 0, time: 1e8 });
    const steady = steadyState(chain).probabilities;
    for (const [state, p] of steady.entries()) near(probabilities[state] as number, p, 1e-11);
    nearRelative(
      occupancy.reduce((sum, spent) => sum + spent, 0),
      1e8,
      1e-8,
    );
  });

  it("are the same by squaring as by uniformisation, and after the halves of a time", () => {
    fc.assert(
      fc.property(chains, fc.integer({ min: -3, max: 3 }), (chain, power) => {
        const fastest = chain.exitRate.reduce((most, rate) => Math.max(most, rate), 0);
        const time = 10 ** power / fastest;
        const whole = transient(chain, { start: 0, time }).probabilities;
        const half = transient(chain, { start: 0, time: time / 2 }).probabilities;
        const again = new Float64Array(chain.size);
        for (const [state, p] of half.entries()) {
          const rest = transient(chain, { start: state, time: time / 2 }).probabilities;
          for (const [to, q] of rest.entries()) again[to] = (again[to] as number) + p * q;
        }
        for (const [state, p] of whole.entries()) near(again[state] as number, p, 1e-11);
      }),
      { numRuns: 40 },
    );
  });

  it("the Poisson weights sum to 1 and have their mean, from 0 to 10^8", () => {
    for (const mean of [0, 0.3, 1, 50, 1e4, 1e8]) {
      const { first, weights } = poissonWeights(mean);
      const expected = weights.reduce((sum, weight, at) => sum + weight * (first + at), 0);
      near(
        weights.reduce((sum, weight) => sum + weight, 0),
        1,
        1e-12,
      );
      near(expected, mean, 1e-9 * (1 + mean));
    }
  });

  it("a large chain asked about too long a time is refused, with the numbers", () => {
    const chain = sharedCrew([2, 2, 2, 2, 2], 1, 1e-3);
    assert.throws(() => transient(chain, { start: 0, time: 1e9 }), {
      code: "NINES_MODEL_TOO_LARGE",
      message: /243 states makes about/,
    });
  });
});

describe("times to an end", () => {
  it("solve the equations of first passage", () => {
    fc.assert(
      fc.property(chains, (chain) => {
        const final = chain.size - 1;
        const times = Array.from({ length: chain.size }, (_, start) =>
          meanTimeToAbsorption(chain, { start, final: [final] }),
        );
        for (let state = 0; state < final; state++) {
          const rest = Array.from(
            {
              length: (chain.rows.start[state + 1] as number) - (chain.rows.start[state] as number),
            },
            (_, i) => (chain.rows.start[state] as number) + i,
          ).reduce((sum, at) => {
            const next = times[chain.rows.column[at] as number]?.meanTime ?? 0;
            return sum + (chain.rows.value[at] as number) * next;
          }, 0);
          const meanTime = times[state]?.meanTime ?? 0;
          nearRelative((1 + rest) / (chain.exitRate[state] as number), meanTime, 1e-10);
          const spent = times[state]?.occupancy ?? new Float64Array();
          nearRelative(
            spent.reduce((sum, time) => sum + time, 0),
            meanTime,
            1e-12,
          );
        }
      }),
    );
  });

  it("an end that need not come is infinite, and said so", () => {
    const { chain } = chainOfNames([
      { from: "up", to: "down", rate: 1 },
      { from: "up", to: "retired", rate: 1 },
    ]);
    assert.throws(() => meanTimeToAbsorption(chain, { start: 0, final: [1] }), {
      code: "NINES_MODEL_NEVER_ENDS",
      message: "from up the chain can come to retired, and from there to no final state",
    });
  });

  it("are the means of drawn lives, within their 99.9 % interval", () => {
    const chain = sharedCrew([2, 2], 1, 0.5);
    const final = chain.size - 1;
    const { meanTime } = meanTimeToAbsorption(chain, { start: 0, final: [final] });
    const random = createPrng(20261121);
    const lives = Array.from({ length: 4000 }, (_, trial) =>
      liveThrough(chain, random.stream(`life ${trial}`), {
        start: 0,
        time: 1e9,
        until: (state) => state === final,
      }),
    );
    const mean = lives.reduce((sum, { time }) => sum + time, 0) / lives.length;
    const variance =
      lives.reduce((sum, { time }) => sum + (time - mean) ** 2, 0) / (lives.length - 1);
    near(mean, meanTime, 3.29 * Math.sqrt(variance / lives.length));
    assert.ok(lives.every(({ state }) => state === final));
  });
});

describe("redundant services", () => {
  it("with a crew each are k of n independent parts", () => {
    const counts = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(
        counts,
        fc.nat(),
        mildRate,
        mildRate,
        (instances, seed, failureRate, repairRate) => {
          const needed = 1 + (seed % instances);
          const model = redundantService({ instances, needed, failureRate, repairRate });
          const q = failureRate / (failureRate + repairRate);
          nearRelative(model.unavailability, kOfNAlike(needed, instances, q), 1e-12);
          nearRelative(model.because.tooFewInstances, model.unavailability, 1e-12);
        },
      ),
    );
  });

  it("of two with one crew are the closed form 2 l^2 / (2 l^2 + 2 l m + m^2)", () => {
    fc.assert(
      fc.property(mildRate, mildRate, (l, m) => {
        const model = redundantService({
          instances: 2,
          needed: 1,
          failureRate: l,
          repairRate: m,
          crews: 1,
        });
        const exact = (2 * l * l) / (2 * l * l + 2 * l * m + m * m);
        nearRelative(model.unavailability, exact, 1e-13);
      }),
    );
  });

  it("with worse coverage are worse, and their reasons sum to the whole", () => {
    const at = (coverage: number) =>
      redundantService({
        instances: 3,
        needed: 2,
        failureRate: 1e-4,
        repairRate: 1,
        failover: { coverage, reconfigurationRate: 360, manualRate: 2 },
      });
    const models = [1, 0.99, 0.9, 0.5, 0].map(at);
    for (const [index, { unavailability, because }] of models.entries()) {
      const { reconfiguration, uncovered, tooFewInstances } = because;
      nearRelative(reconfiguration + uncovered + tooFewInstances, unavailability, 1e-12);
      assert.ok(index === 0 || unavailability > (models[index - 1]?.unavailability ?? 0));
    }
  });

  it("seen from outside are a part with the same unavailability: trees of them are exact", () => {
    const below = redundantService({
      instances: 2,
      needed: 1,
      failureRate: 0.2,
      repairRate: 1,
      crews: 1,
    });
    const part = chainOf(2, [
      { from: 0, to: 1, rate: below.failureRate },
      { from: 1, to: 0, rate: below.repairRate },
    ]);
    const seen = upAndDown(part, (state) => state === 0);
    nearRelative(seen.unavailability, below.unavailability, 1e-13);
    nearRelative(seen.failureFrequency, below.failureFrequency, 1e-13);
    nearRelative(
      below.meanDownTime / (below.meanUpTime + below.meanDownTime),
      seen.unavailability,
      1e-13,
    );
    const both = sharedNothing(below.chain, below.chain);
    const isUp = (state: number) => isEnough(Math.floor(state / 3)) && isEnough(state % 3);
    const isEnough = (state: number) => (below.states[state]?.failed ?? 2) < 2;
    const q = below.unavailability;
    nearRelative(upAndDown(both, isUp).unavailability, series([q, q]), 1e-12);
  });

  it("a chain that is always up, or always down, is not an answer", () => {
    const chain = chainOf(2, [
      { from: 0, to: 1, rate: 1 },
      { from: 1, to: 0, rate: 1 },
    ]);
    assert.throws(() => upAndDown(chain, () => true), { code: "NINES_MODEL_INPUT" });
    assert.throws(() => upAndDown(chain, () => false), { code: "NINES_MODEL_INPUT" });
    const never = { instances: 2, needed: 1, failureRate: 0, repairRate: 1 };
    assert.throws(() => redundantService(never), {
      code: "NINES_MODEL_INPUT",
      message: /the failure rate is 0, and must be above 0: what has never happened/,
    });
  });
});

/** Two chains side by side: state a x size + b. */
function sharedNothing(first: Chain, second: Chain): Chain {
  const transitions: Transition[] = [];
  const each = (chain: Chain, state: number, add: (to: number, rate: number) => void) => {
    for (
      let at = chain.rows.start[state] as number;
      at < (chain.rows.start[state + 1] as number);
      at++
    ) {
      add(chain.rows.column[at] as number, chain.rows.value[at] as number);
    }
  };
  for (let a = 0; a < first.size; a++) {
    for (let b = 0; b < second.size; b++) {
      const from = a * second.size + b;
      each(first, a, (to, rate) => transitions.push({ from, to: to * second.size + b, rate }));
      each(second, b, (to, rate) => transitions.push({ from, to: a * second.size + to, rate }));
    }
  }
  return chainOf(first.size * second.size, transitions);
}
