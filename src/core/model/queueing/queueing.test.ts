// Queues against published results, against the chains they are, and against each other.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { near, nearRelative, published } from "../golden.fixture.ts";
import { type Transition, chainOf } from "../markov/chain.ts";
import { steadyState } from "../markov/steady-state.ts";
import { type ClosedStation, closedNetwork, meanValueAnalysis } from "./closed.ts";
import { erlangB, erlangBLoad, erlangC } from "./erlang.ts";
import { type NetworkNode, jackson } from "./jackson.ts";
import { ggcApproximation, kingman, mg1, mmc, mmck } from "./stations.ts";

function nearEach(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  for (const [at, value] of expected.entries()) near(actual[at] as number, value, tolerance);
}

describe("published results of single stations", () => {
  published("erlangCom", "Erlang B: 15 lines lose 1 % at 8.108 erlangs", () => {
    near(erlangBLoad(0.01, 15), 8.108, 5e-4);
    near(erlangB(8.108, 15), 0.01, 5e-6);
  });

  published("cs6030", "Erlang B: one line at one erlang loses half", () => {
    assert.equal(erlangB(1, 1), 0.5);
  });

  published("eth", "M/M/2: 9 arrivals, service rate 5", () => {
    const { meanWaiting, meanResponse } = mmc({ arrivalRate: 9, serviceRate: 5, servers: 2 });
    near(meanWaiting, 7.674, 1e-3);
    near(meanResponse, 1.053, 1e-3);
  });

  published("eth", "M/M/4: 9 arrivals, service rate 5", () => {
    const { meanWaiting, meanResponse } = mmc({ arrivalRate: 9, serviceRate: 5, servers: 4 });
    near(meanWaiting, 0.105, 1e-3);
    near(meanResponse, 0.212, 1e-3);
  });

  published("courseHero", "M/M/1: 15 arrivals and 17.5 services an hour", () => {
    const queue = mmc({ arrivalRate: 15, serviceRate: 17.5, servers: 1 });
    near(queue.meanPresent, 6, 1e-12);
    near(queue.meanResponse * 60, 24, 1e-12);
    near(queue.meanWait, 0.3429, 5e-5);
  });

  published(
    "medhi",
    "M/M/1: 100, 150 and 175 of 200 packets a second take 10, 20 and 40 ms",
    () => {
      const of = (arrivalRate: number) => mmc({ arrivalRate, serviceRate: 200, servers: 1 });
      for (const [arrivalRate, present, ms] of [
        [100, 1, 10],
        [150, 3, 20],
        [175, 7, 40],
      ] as const) {
        near(of(arrivalRate).meanPresent, present, 1e-12);
        near(of(arrivalRate).meanResponse * 1000, ms, 1e-12);
      }
      const faster = mmc({ arrivalRate: 500, serviceRate: 533.33, servers: 1 });
      near(faster.meanResponse, 0.03, 1e-5);
    },
  );

  published("octave", "qsmmmk, M/M/3/7: 40 arrivals, service rate 30", () => {
    const queue = mmck({ arrivalRate: 40, serviceRate: 30, servers: 3, capacity: 7 });
    near(queue.probabilities[0] as number, 0.255037, 1e-6);
    near(queue.meanResponse, 0.036517, 1e-6);
  });

  published("octave", "qsmmmk, M/M/4/6: 50 arrivals, service rate 10", () => {
    const queue = mmck({ arrivalRate: 50, serviceRate: 10, servers: 4, capacity: 6 });
    near(queue.lossProbability, 0.293543, 1e-6);
  });

  published("octave", "qsmmmk, M/M/2/5: 3 arrivals, service rate 2", () => {
    const queue = mmck({ arrivalRate: 3, serviceRate: 2, servers: 2, capacity: 5 });
    near(queue.probabilities[0] as number, 0.179334, 1e-6);
    near(queue.lossProbability, 0.085113, 1e-6);
    near(queue.meanPresent, 2.00595, 1e-5);
    near(queue.meanWait, 0.230857, 1e-6);
  });

  published("christensen", "M/D/1: 70, 80 and 90 % busy", () => {
    for (const [load, present] of [
      [0.7, 1.517],
      [0.8, 2.4],
      [0.9, 4.95],
    ] as const) {
      const queue = mg1({ arrivalRate: load, serviceTime: 1, serviceVariability: 0 });
      near(queue.meanPresent, present, 5e-4);
    }
  });
});

describe("published results of networks", () => {
  published("bolch", "example 7.4 p. 287: an open network of four stations", () => {
    const node = (
      name: string,
      arrivalRate: number,
      serviceTime: number,
      next: NetworkNode["next"],
    ) => ({ name, arrivalRate, serviceRate: 1 / serviceTime, servers: 1, next }) as const;
    const { nodes } = jackson([
      node("1", 0, 0.04, { 2: 0.5, 3: 0.5 }),
      node("2", 0, 0.03, { 1: 1 }),
      node("3", 0, 0.06, { 1: 0.6 }),
      node("4", 4, 0.05, { 1: 1 }),
    ]);
    nearEach(
      nodes.map(({ arrivals }) => arrivals),
      [20, 10, 10, 4],
      1e-4,
    );
    nearEach(
      nodes.map(({ utilisation }) => utilisation),
      [0.8, 0.3, 0.6, 0.2],
      1e-2,
    );
    nearEach(
      nodes.map(({ meanResponse }) => meanResponse),
      [0.2, 0.043, 0.15, 0.0625],
      1e-3,
    );
    nearEach(
      nodes.map(({ meanPresent }) => meanPresent),
      [4, 0.429, 1.5, 0.25],
      1e-3,
    );
  });

  published("lazowska", "p. 113: the first station of an open system", () => {
    const first = mmc({ arrivalRate: 0.3 * 121, serviceRate: 1 / 0.005, servers: 1 });
    near(first.utilisation, 0.182, 1e-3);
    near(0.3 * 121, 36.3, 1e-2);
    near(first.meanPresent, 0.222, 1e-3);
  });

  published("jain", "example 34.1 p. 572: three devices of an open system", () => {
    const [visits, times] = [
      [16, 7, 8],
      [0.01, 0.02, 0.03],
    ] as const;
    const devices = visits.map((v, at) =>
      mmc({ arrivalRate: 3 * v, serviceRate: 1 / (times[at] as number), servers: 1 }),
    );
    nearEach(
      devices.map(({ meanResponse }) => meanResponse),
      [0.0192, 0.0345, 0.107],
      2e-4,
    );
    nearEach(
      devices.map(({ utilisation }) => utilisation),
      [0.48, 0.42, 0.72],
      1e-12,
    );
  });

  const jain = {
    users: 20,
    thinkTime: 4,
    stations: [
      { visits: 16, serviceTime: 0.125 },
      { visits: 10, serviceTime: 0.3 },
      { visits: 5, serviceTime: 0.2 },
    ],
  };

  published("jain", "example 34.2 p. 577: MVA of 20 users of three devices", () => {
    const { stations } = meanValueAnalysis(jain);
    nearEach(
      stations.map(({ responseTime }) => responseTime),
      [0.373, 4.854, 0.3],
      1e-3,
    );
    nearEach(
      stations.map(({ meanPresent }) => meanPresent),
      [1.991, 16.177, 0.5],
      1e-3,
    );
  });

  published("bolch", "example 8.3 p. 331: MVA of six jobs at four stations", () => {
    const visits = [1, 0.4, 0.2, 0.1];
    const times = [0.02, 0.2, 0.4, 0.6];
    const stations = visits.map((v, at) => ({ visits: v, serviceTime: times[at] as number }));
    const found = meanValueAnalysis({ users: 6, stations }).stations;
    nearEach(
      found.map(({ utilisation }) => utilisation),
      [0.198, 0.794, 0.794, 0.595],
      1e-3,
    );
    nearEach(
      found.map(({ responseTime }) => responseTime),
      [0.025, 0.57, 1.14, 1.244],
      1e-3,
    );
    nearEach(
      found.map(({ meanPresent }) => meanPresent),
      [0.244, 2.261, 2.261, 1.234],
      1e-3,
    );
    nearEach(
      found.map(({ throughput }) => throughput),
      [9.92, 3.968, 1.984, 0.992],
      1e-3,
    );
  });

  published("bolch", "example 8.4 p. 333: three jobs, two servers, and a delay", () => {
    const { stations } = closedNetwork({
      users: 3,
      stations: [
        { visits: 1, serviceTime: 0.5, servers: 2 },
        { visits: 0.5, serviceTime: 0.6 },
        { visits: 0.5, serviceTime: 0.8 },
        { visits: 1, serviceTime: 1, servers: "delay" },
      ],
    });
    nearEach(
      stations.map(({ meanPresent }) => meanPresent),
      [0.624, 0.473, 0.686, 1.217],
      1e-3,
    );
    nearEach(
      stations.map(({ throughput }) => throughput),
      [1.218, 0.609, 0.609, 1.218],
      1e-3,
    );
  });

  published("bolch", "example 8.7 p. 349: the same by load-dependent service", () => {
    const { stations } = closedNetwork({
      users: 3,
      stations: [
        { visits: 1, serviceTime: 0.5, servers: 2 },
        { visits: 0.5, serviceTime: 1 / 1.667 },
        { visits: 0.5, serviceTime: 0.8 },
        { visits: 1, serviceTime: 1, servers: "delay" },
      ],
    });
    nearEach(
      stations.map(({ responseTime }) => responseTime),
      [0.512, 0.776, 1.127, 1],
      1e-3,
    );
  });

  published("bolch", "example 8.1 p. 318: convolution of stations with 2, 3 and 1 servers", () => {
    const { stations } = closedNetwork({
      users: 3,
      stations: [
        { visits: 1, serviceTime: 1 / 0.8, servers: 2 },
        { visits: 0.667, serviceTime: 1 / 0.6, servers: 3 },
        { visits: 0.2, serviceTime: 1 / 0.4, servers: 1 },
      ],
    });
    nearEach(
      stations.map(({ throughput }) => throughput),
      [0.945, 0.63, 0.189],
      1e-3,
    );
    nearEach(
      stations.map(({ utilisation }) => utilisation),
      [0.59, 0.35, 0.473],
      1e-3,
    );
    nearEach(
      stations.map(({ meanPresent }) => meanPresent),
      [1.29, 1.05, 0.66],
      1e-3,
    );
    nearEach(
      stations.map(({ responseTime }) => responseTime),
      [1.366, 1.667, 3.496],
      1e-3,
    );
  });
});

const rate = fc.double({ min: 0.1, max: 4, noNaN: true });
const few = fc.integer({ min: 1, max: 5 });

describe("stations against the chains they are", () => {
  it("M/M/c/K is its birth-death chain, Erlang B its last state where nobody waits", () => {
    fc.assert(
      fc.property(rate, rate, few, fc.nat(10), (arrivalRate, serviceRate, servers, more) => {
        const capacity = servers + more;
        const transitions: Transition[] = [];
        for (let n = 0; n < capacity; n++) {
          transitions.push({ from: n, to: n + 1, rate: arrivalRate });
          transitions.push({ from: n + 1, to: n, rate: Math.min(n + 1, servers) * serviceRate });
        }
        const { probabilities } = steadyState(chainOf(capacity + 1, transitions));
        const queue = mmck({ arrivalRate, serviceRate, servers, capacity });
        for (const [n, p] of probabilities.entries())
          nearRelative(queue.probabilities[n] as number, p, 1e-11);
        nearRelative(queue.meanPresent, queue.throughput * queue.meanResponse, 1e-11);
        const full = mmck({ arrivalRate, serviceRate, servers, capacity: servers });
        nearRelative(erlangB(arrivalRate / serviceRate, servers), full.lossProbability, 1e-11);
      }),
    );
  });

  it("M/M/c is M/M/c/K with so much room that nobody is turned away", () => {
    const load = fc.double({ min: 0.05, max: 0.9, noNaN: true });
    fc.assert(
      fc.property(load, few, rate, (utilisation, servers, serviceRate) => {
        const arrivalRate = utilisation * servers * serviceRate;
        const open = mmc({ arrivalRate, serviceRate, servers });
        const bounded = mmck({ arrivalRate, serviceRate, servers, capacity: 600 });
        nearRelative(open.meanWait, bounded.meanWait, 1e-9);
        const busy = bounded.probabilities.slice(servers).reduce((sum, p) => sum + p, 0);
        nearRelative(open.waitProbability, busy, 1e-9);
        near(
          open.waitsLonger(open.waitQuantile(0.99)),
          Math.min(0.01, open.waitProbability),
          1e-12,
        );
      }),
    );
  });

  it("the approximations are exact where they must be: M/M/1, and M/G/1 for any service", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.05, max: 0.95, noNaN: true }), rate, (load, variability) => {
        const exact = mmc({ arrivalRate: load, serviceRate: 1, servers: 1 });
        const one = { arrivalRate: load, serviceTime: 1, servers: 1 };
        const ones = { arrivalVariability: 1, serviceVariability: 1 };
        nearRelative(ggcApproximation({ ...one, ...ones }).meanWait, exact.meanWait, 1e-12);
        const variable = { arrivalVariability: 1, serviceVariability: variability };
        const formula = (load * (1 + variability)) / (2 * (1 - load));
        nearRelative(mg1({ ...one, serviceVariability: variability }).meanWait, formula, 1e-12);
        nearRelative(kingman({ ...one, ...variable }).meanWait, formula, 1e-12);
      }),
    );
  });

  it("Sakasegawa's approximation of M/M/c is within 40 % of it at 50 % load and 3 % at 90 %, never below", () => {
    const load = fc.double({ min: 0.5, max: 0.98, noNaN: true });
    fc.assert(
      fc.property(load, few, (utilisation, servers) => {
        const arrivalRate = utilisation * servers;
        const exact = mmc({ arrivalRate, serviceRate: 1, servers });
        const found = ggcApproximation({
          arrivalRate,
          serviceTime: 1,
          servers,
          arrivalVariability: 1,
          serviceVariability: 1,
        });
        nearRelative(found.meanWait, exact.meanWait, utilisation < 0.9 ? 0.4 : 0.03);
        assert.ok(found.meanWait >= exact.meanWait * (1 - 1e-12));
      }),
    );
  });

  it("what gets more than it can serve waits for ever, and never for a negative time", () => {
    const over = mmc({ arrivalRate: 3, serviceRate: 1, servers: 2 });
    assert.deepEqual([over.stable, over.meanWait, over.meanPresent], [false, Infinity, Infinity]);
    assert.deepEqual([over.waitProbability, over.waitQuantile(0.5)], [1, Infinity]);
    assert.equal(erlangC(2, 2), 1);
    const g = mg1({ arrivalRate: 1, serviceTime: 1, serviceVariability: 0 });
    assert.deepEqual([g.stable, g.meanWait], [false, Infinity]);
    assert.throws(() => mmc({ arrivalRate: 0, serviceRate: 1, servers: 1 }), {
      code: "NINES_MODEL_INPUT",
    });
  });

  it("Erlang B stands a million servers", () => {
    const lost = erlangB(1e6, 1e6);
    // Its asymptote where the load equals the servers (Jagerman 1974).
    near(lost, Math.sqrt(2 / Math.PI) * 1e-3, 2e-6);
  });
});

const stations = fc.array(
  fc.record({ visits: rate, serviceTime: rate, servers: fc.constantFrom(1, "delay" as const) }),
  { minLength: 1, maxLength: 4 },
);

/** A closed network by its product form: every way to put the users at the stations. */
function byEnumeration(users: number, all: readonly ClosedStation[]) {
  const weightOf = (n: number, { visits, serviceTime, servers = 1 }: ClosedStation) => {
    let weight = 1;
    for (let i = 1; i <= n; i++) {
      weight *= (visits * serviceTime) / (servers === "delay" ? i : Math.min(i, servers));
    }
    return weight;
  };
  const sums = (left: number, from: number): { total: number; present: number[] } => {
    const own = all[from];
    if (own === undefined) return { total: left === 0 ? 1 : 0, present: [] };
    const result = { total: 0, present: new Array<number>(all.length - from).fill(0) };
    for (let n = 0; n <= left; n++) {
      const rest = sums(left - n, from + 1);
      const weight = weightOf(n, own);
      result.total += weight * rest.total;
      result.present[0] = (result.present[0] ?? 0) + n * weight * rest.total;
      for (const [at, p] of rest.present.entries()) {
        result.present[at + 1] = (result.present[at + 1] ?? 0) + weight * p;
      }
    }
    return result;
  };
  const whole = sums(users, 0);
  return {
    throughput: sums(users - 1, 0).total / whole.total,
    present: whole.present.map((p) => p / whole.total),
  };
}

describe("networks against each other", () => {
  it("MVA and convolution agree, and keep Little's law", () => {
    const users = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(
        users,
        stations,
        fc.double({ min: 0, max: 9, noNaN: true }),
        (n, all, thinkTime) => {
          const options = { users: n, stations: all, thinkTime };
          const mva = meanValueAnalysis(options);
          const convolved = closedNetwork(options);
          nearRelative(convolved.throughput, mva.throughput, 1e-9);
          for (const [at, { meanPresent }] of mva.stations.entries()) {
            nearRelative(convolved.stations[at]?.meanPresent ?? 0, meanPresent, 1e-9);
          }
          const present = mva.stations.reduce((sum, s) => sum + s.meanPresent, 0);
          nearRelative(present + mva.throughput * thinkTime, n, 1e-9);
        },
      ),
    );
  });

  it("convolution is the sum over all ways to place the users, with any number of servers", () => {
    const any = fc.array(
      fc.record({
        visits: rate,
        serviceTime: rate,
        servers: fc.constantFrom(1, 2, 3, "delay" as const),
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), any, (users, all) => {
        const found = closedNetwork({ users, stations: all });
        const exact = byEnumeration(users, all);
        nearRelative(found.throughput, exact.throughput, 1e-11);
        for (const [at, present] of exact.present.entries()) {
          nearRelative(found.stations[at]?.meanPresent ?? 0, present, 1e-10);
        }
      }),
    );
  });

  it("convolution stays positive where MVA with many servers is known not to", () => {
    const found = closedNetwork({
      users: 400,
      thinkTime: 1,
      stations: [
        { visits: 1, serviceTime: 1, servers: 50 },
        { visits: 1, serviceTime: 0.02 },
      ],
    });
    assert.ok(
      found.stations.every(
        ({ meanPresent, utilisation }) => meanPresent > 0 && utilisation <= 1 + 1e-12,
      ),
    );
    near(found.throughput, 50, 5);
  });

  it("a feedback loop is visited 1 / (1 - p) times, and what never leaves is named", () => {
    const alone = (next: NetworkNode["next"]) => [
      { name: "a", arrivalRate: 1, serviceRate: 10, servers: 1, next },
      { name: "b", arrivalRate: 0, serviceRate: 10, servers: 1, next: { b: 1 } },
    ];
    const [a] = jackson(alone({ a: 0.75 })).nodes;
    near(a?.visits ?? 0, 4, 1e-12);
    near(a?.utilisation ?? 0, 0.4, 1e-12);
    assert.throws(() => jackson(alone({ b: 0.1 })), {
      code: "NINES_MODEL_NEVER_RECOVERS",
      message: /from b the chain never comes back/,
    });
    assert.throws(() => jackson(alone({ c: 0.1 })), { code: "NINES_MODEL_INPUT" });
    assert.throws(() => jackson(alone({ a: 0.7, b: 0.7 })), { code: "NINES_MODEL_INPUT" });
  });

  it("MVA refuses stations with several servers rather than approximate them", () => {
    const stations_ = [{ visits: 1, serviceTime: 1, servers: 2 }];
    assert.throws(() => meanValueAnalysis({ users: 2, stations: stations_ }), {
      code: "NINES_MODEL_INPUT",
      message: /closedNetwork takes more/,
    });
    assert.throws(() => closedNetwork({ users: 200_000, stations: stations_ }), {
      code: "NINES_MODEL_TOO_LARGE",
    });
  });
});
