// Every algorithm chooses a candidate, whoever came and went; each then keeps its own promise,
// counted or compared with an obvious way to the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type BalanceAlgorithm, balanceAlgorithms } from "../route/table.ts";
import { NOBODY } from "./balancer.ts";
import { everySlot, World } from "./candidates.fixture.ts";
import { mix, mixPair } from "./hashing.ts";

const weight = fc.integer({ min: 1, max: 256 });
const twelveWeights = fc.array(weight, { minLength: 12, maxLength: 12 });
const subset = fc
  .uniqueArray(fc.nat(11), { minLength: 1 })
  .map((slots) => slots.sort((a, b) => a - b));
const same = (count: number): number[] => Array<number>(count).fill(1);
const hashing = ["source-hash", "rendezvous", "ring", "maglev"] as const;

for (const algorithm of balanceAlgorithms) {
  test(`${algorithm} chooses an untried candidate while there is one, whoever comes and goes`, () => {
    const act = fc.oneof(
      fc.record({ tried: fc.uniqueArray(fc.nat(11)), key: fc.integer() }),
      fc.record({ toggled: fc.nat(11) }),
      fc.record({ ended: fc.nat(5), latencyMs: fc.nat(50), failed: fc.boolean() }),
      fc.record({ slot: fc.nat(11), weight }),
    );
    fc.assert(
      fc.property(
        fc.array(act, { maxLength: 80 }),
        twelveWeights,
        fc.integer(),
        (acts, all, seed) => {
          const world = new World(algorithm, all, seed);
          const underWay: number[] = [];
          for (const each of acts) {
            world.nowMs++;
            if ("toggled" in each) {
              if (world.candidates.includes(each.toggled)) world.leave(each.toggled);
              else world.join(each.toggled);
            } else if ("weight" in each) {
              world.leave(each.slot);
              world.view.weight[each.slot] = each.weight;
              world.view.version++;
              world.join(each.slot);
            } else if ("key" in each) {
              const left = world.candidates.filter((slot) => !each.tried.includes(slot));
              const slot = world.choose(each.key, each.tried, 1.25);
              if (left.length === 0) assert.equal(slot, NOBODY);
              else assert.ok(left.includes(slot), `${slot} is one of ${left.join(", ")}`);
              if (slot !== NOBODY) underWay.push(slot);
              if (slot !== NOBODY) world.start(slot);
            } else {
              const [slot] = underWay.splice(each.ended, 1);
              if (slot !== undefined) world.end(slot, each.latencyMs, each.failed);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });
}

test("round robin: nobody is more than one turn ahead while the candidates stay", () => {
  fc.assert(
    fc.property(subset, subset, fc.nat(100), fc.integer(), (before, candidates, turns, seed) => {
      const world = new World("round-robin", same(12), seed);
      world.only(before);
      world.counts(7);
      world.only(candidates);
      const counted = world.counts(turns);
      const each = candidates.map((slot) => counted[slot] ?? 0);
      assert.ok(Math.max(...each) - Math.min(...each) <= 1);
    }),
  );
});

test("round robin and least request: workers begin at different instances", () => {
  for (const algorithm of ["round-robin", "least-request"] as const) {
    const first = everySlot(50).map((seed) => new World(algorithm, same(3), seed).choose());
    assert.equal(new Set(first).size, 3);
  }
});

test("random: each candidate gets its equal part", () => {
  const world = new World("random", [1, 9, 1, 1]);
  world.only([0, 1, 3]);
  const counts = world.counts(30_000);
  for (const slot of [0, 1, 3]) assert.ok(Math.abs((counts[slot] ?? 0) / 10_000 - 1) < 0.06);
});

test("two choices: of two idle ones the less loaded, and never the most loaded of all", () => {
  const world = new World("p2c", same(5));
  world.setActive([5, 4, 3, 2, 9]);
  const counts = world.counts(20_000);
  assert.equal(counts[4], 0);
  // The better of two of five that are ranked: 4, 3, 2, 1, 0 pairs of 10.
  for (const [slot, pairs] of [1, 2, 3, 4].entries()) {
    assert.ok(Math.abs((counts[slot] ?? 0) / 20_000 - pairs / 10) < 0.02, String(counts));
  }
});

test("first: the first of the table that is left", () => {
  const world = new World("first", same(5));
  world.view.order.set([4, 3, 2, 1, 0]);
  for (const slot of everySlot(5)) world.balancer.changed(slot);
  assert.deepEqual(world.counts(3), [0, 0, 0, 0, 3]);
  world.leave(4);
  assert.deepEqual(world.counts(3), [0, 0, 0, 3, 0]);
});

test("weighted: 5, 1, 1 gives a a b a c a a", () => {
  const world = new World("weighted", [5, 1, 1]);
  const chosen = Array.from({ length: 14 }, () => "abc"[world.choose()]);
  assert.equal(chosen.join(""), "aabacaaaabacaa");
});

test("weighted: what nginx chooses by a pass over all, choice by choice", () => {
  const weights = fc.array(fc.oneof(weight, fc.integer({ min: 1, max: 3 })), { minLength: 1 });
  fc.assert(
    fc.property(weights, (weighted) => {
      const world = new World("weighted", weighted);
      const has = weighted.map(() => 0);
      const round = weighted.reduce((sum, each) => sum + each, 0);
      for (let choice = 0; choice < Math.min(2 * round, 500); choice++) {
        for (const [slot, each] of weighted.entries()) has[slot] = (has[slot] ?? 0) + each;
        const richest = has.indexOf(Math.max(...has));
        has[richest] = (has[richest] ?? 0) - round;
        assert.equal(world.choose(), richest);
      }
    }),
  );
});

test("weighted: who comes waits behind its equals, and everybody has its part from then on", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2 }),
      fc.nat(60),
      (all, n) => {
        const world = new World("weighted", all);
        world.leave(0);
        world.counts(n);
        world.join(0);
        const round = all.reduce((sum, each) => sum + each, 0);
        world.counts(2 * round);
        assert.deepEqual(world.counts(round), all);
      },
    ),
  );
});

test("least request: the fewest attempts for the weight, found by sorting as well", () => {
  const instance = fc.record({ active: fc.nat(20), weight: fc.integer({ min: 1, max: 8 }) });
  fc.assert(
    fc.property(fc.array(instance, { minLength: 12, maxLength: 12 }), subset, (all, candidates) => {
      const world = new World(
        "least-request",
        all.map((each) => each.weight),
      );
      world.only(candidates);
      world.setActive(all.map((each) => each.active));
      const load = (slot: number) => ((all[slot]?.active ?? 0) + 1) / (all[slot]?.weight ?? 1);
      assert.equal(load(world.choose()), Math.min(...candidates.map(load)));
    }),
  );
});

test("least request: equals take turns", () => {
  assert.deepEqual(new World("least-request", same(3)).counts(9), [3, 3, 3]);
});

test("least request: a failure weighs as long as an answer takes", () => {
  const world = new World("least-request", [1, 1]);
  for (let request = 0; request < 200; request++) {
    const slot = world.choose();
    world.start(slot);
    world.nowMs += 20;
    world.end(slot, 20);
  }
  const [before] = [world.nowMs];
  const failing = world.choose();
  world.start(failing);
  world.end(failing, 0, true);
  const other = 1 - failing;
  assert.deepEqual([world.choose(), world.choose()], [other, other]);
  world.nowMs = before + 21;
  assert.notEqual(world.choose(), world.choose(), "then they take turns again");
});

test("least request: tunnels of an hour do not make a failure weigh for an hour", () => {
  const world = new World("least-request", [1, 1]);
  const end = (latencyMs: number): void => {
    const slot = world.choose();
    world.start(slot);
    world.end(slot, latencyMs);
  };
  for (let request = 0; request < 500; request++) end(request % 10 === 9 ? 3_600_000 : 20);
  const failing = world.choose();
  world.start(failing);
  world.end(failing, 0, true);
  assert.deepEqual(world.counts(2)[failing], 0);
  world.nowMs += 40;
  assert.notEqual(world.choose(), world.choose(), "twice an answer's time is enough");
  for (let request = 0; request < 2_000; request++) end(3_600_000);
  const next = world.choose();
  world.start(next);
  world.end(next, 0, true);
  world.nowMs += 10_000;
  assert.notEqual(world.choose(), world.choose(), "where all are tunnels, ten seconds");
});

test("least time: one slow first answer is forgotten after ten seconds, a fast one is not", () => {
  const world = new World("least-time", [1, 1, 1]);
  for (const [slot, latencyMs] of [1_000, 10, 1].entries()) {
    world.start(slot);
    world.end(slot, latencyMs);
  }
  for (let answer = 0; answer < 200; answer++) {
    world.start(1);
    world.end(1, 10);
  }
  world.nowMs = 9_999;
  assert.equal(world.counts(50)[0], 0);
  world.start(1);
  world.end(1, 10);
  world.nowMs = 10_000;
  world.counts(3);
  // The fast one is busy enough: of the other two, one that nothing is known of is average.
  world.setActive([0, 2, 20]);
  assert.equal(world.choose(), 0);
  world.setActive([0, 0, 0]);
  assert.equal(world.choose(), 2);
});

test("least time: a tenth of the time, ten times the requests; who is unknown is average", () => {
  const world = new World("least-time", [1, 1]);
  for (const [slot, latencyMs] of [10, 1].entries()) {
    for (let answer = 0; answer < 100; answer++) {
      world.start(slot);
      world.end(slot, latencyMs);
    }
  }
  const counts = [0, 0];
  for (let request = 0; request < 22; request++) {
    const slot = world.choose();
    world.start(slot);
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  assert.deepEqual(counts, [2, 20]);
});

test("peak EWMA: one slow answer turns it away at once, time brings it back", () => {
  const world = new World("peak-ewma", [1, 1]);
  for (const slot of [0, 1]) {
    world.start(slot);
    world.end(slot, 1);
  }
  world.start(0);
  world.end(0, 100);
  assert.deepEqual(world.counts(20), [0, 20]);
  world.nowMs += 60_000;
  world.start(1);
  world.end(1, 1);
  assert.equal(world.counts(20)[0], 20, "what it was heard of has decayed");
});

test("peak EWMA: who has failed fast and never answered is not taken for fast", () => {
  const world = new World("peak-ewma", [1, 1]);
  for (let answer = 0; answer < 100; answer++) {
    world.start(0);
    world.end(0, 20);
  }
  world.start(1);
  world.end(1, 0.5, true);
  // Each is as good as the other: one request under way decides.
  world.start(1);
  world.start(1);
  assert.deepEqual(world.counts(20), [20, 0]);
});

for (const algorithm of hashing) {
  test(`${algorithm}: who cannot be chosen loses its keys, to all others, and nobody else one`, () => {
    fc.assert(
      fc.property(
        fc.nat(11),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 12, maxLength: 12 }),
        (gone, weights) => {
          const world = new World(algorithm, weights);
          const keys = everySlot(600);
          const before = keys.map((key) => world.choose(key));
          world.leave(gone);
          const movedTo = new Set<number>();
          for (const key of keys) {
            const after = world.choose(key);
            if (before[key] !== gone) assert.equal(after, before[key]);
            else movedTo.add(after);
          }
          const its = before.filter((slot) => slot === gone).length;
          assert.ok(movedTo.size >= Math.min(4, its / 6), `moved to ${movedTo.size} others`);
          world.join(gone);
          assert.deepEqual(
            keys.map((key) => world.choose(key)),
            before,
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  test(`${algorithm}: every worker leads a key to the same instance, whatever its slots are`, () => {
    const one = new World(algorithm, same(20), 1);
    const other = new World(algorithm, same(20), 2);
    other.view.identity.reverse();
    other.view.version++;
    for (let key = 0; key < 200; key++) assert.equal(other.choose(key), 19 - one.choose(key));
  });

  test(`${algorithm}: nobody has more than 1.25 times the mean, rounded up`, () => {
    const world = new World(algorithm, same(10));
    for (let request = 0; request < 400; request++)
      world.start(world.choose(request % 3, [], 1.25));
    for (const active of world.view.active) assert.ok(active <= 50, String(world.view.active));
    const wanted = new Set([0, 1, 2].map((key) => new World(algorithm, same(10)).choose(key)));
    for (const slot of wanted) assert.ok((world.view.active[slot] ?? 0) >= 49);
  });
}

/** How far from its part the worst is: of 1 for the one that gets twice what it should. */
function unevenness(algorithm: BalanceAlgorithm, weights: readonly number[], keys: number): number {
  const world = new World(algorithm, weights);
  const counts = weights.map(() => 0);
  for (let key = 0; key < keys; key++) {
    const slot = world.choose(key);
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  const sum = weights.reduce((total, each) => total + each, 0);
  const parts = counts.map((count, slot) => (count * sum) / (keys * (weights[slot] ?? 1)));
  return Math.max(...parts.map((part) => Math.abs(part - 1)));
}

test("rendezvous and maglev give everybody its weight's part; a ring differs by its points", () => {
  const weights = [1, 1, 2, 4];
  assert.ok(unevenness("rendezvous", weights, 40_000) < 0.05);
  assert.ok(unevenness("maglev", weights, 40_000) < 0.05);
  assert.ok(unevenness("ring", weights, 40_000) < 0.35);
});

test("rendezvous in cells: 400 have their part, and at most three times as many keys move", () => {
  const world = new World("rendezvous", same(400));
  const keys = everySlot(20_000);
  const before = keys.map((key) => world.choose(key));
  const most = Math.max(...everySlot(400).map((slot) => before.filter((s) => s === slot).length));
  assert.ok(most < 50 + 5 * Math.sqrt(50), `${most} keys of 50`);
  const keysOf = (gone: number) => before.filter((slot) => slot === gone).length;
  for (const gone of [0, 1, 2, 3]) {
    world.leave(gone);
    for (const key of keys) {
      const after = world.choose(key);
      if (before[key] === gone) assert.notEqual(after, gone);
      else assert.equal(after, before[key], "who is only out takes nobody else's keys along");
    }
    world.view.listed[gone] = 0;
    world.view.version++;
    const moved = keys.filter((key) => world.choose(key) !== before[key]).length;
    assert.ok(moved >= keysOf(gone) && moved <= 4 * keysOf(gone), `${moved} keys moved`);
    world.view.listed[gone] = 1;
    world.view.version++;
    world.join(gone);
  }
});

test("ring: an instance that the table loses takes only its own keys along", () => {
  const world = new World("ring", same(30));
  const keys = everySlot(2_000);
  const before = keys.map((key) => world.choose(key));
  world.leave(7);
  world.view.listed[7] = 0;
  world.view.version++;
  const after = keys.map((key) => world.choose(key));
  for (const key of keys) if (before[key] !== 7) assert.equal(after[key], before[key]);
});

test("ring: a key belongs to the first point from it on, found by sorting all points as well", () => {
  const weights = [1, 2, 3, 3];
  const world = new World("ring", weights);
  const meanWeight = 9 / 4;
  const points = weights.flatMap((each, slot) =>
    everySlot(Math.round((160 * each) / meanWeight)).map((point) => {
      return { slot, at: mixPair(world.view.identity[slot] ?? 0, point) };
    }),
  );
  points.sort((one, other) => one.at - other.at);
  for (let key = 0; key < 3_000; key++) {
    const next = points.find(({ at }) => at >= mix(key)) ?? points[0];
    assert.equal(world.choose(key), next?.slot);
  }
});

test("maglev: the next table is built beside the choices, and the former one serves meanwhile", () => {
  const world = new World("maglev", same(5));
  const before = everySlot(500).map((key) => world.choose(key));
  world.view.weight.set([1, 1, 1, 1, 20]);
  world.view.version++;
  const first = everySlot(500).map((key) => world.choose(key));
  assert.deepEqual(first, before);
  for (let request = 0; request < 30_000; request++) world.choose(request);
  const after = everySlot(500).map((key) => world.choose(key));
  assert.ok(after.filter((slot) => slot === 4).length > 350);
});

test("maglev: at little traffic a newcomer waits for some ten requests, not a thousand", () => {
  const world = new World("maglev", same(5));
  world.only([0, 1, 2, 3]);
  world.view.listed[4] = 0;
  world.choose(0);
  world.view.listed[4] = 1;
  world.view.version++;
  world.join(4);
  for (let request = 0; request < 12; request++) {
    world.nowMs += 1_000;
    world.choose(request);
  }
  const its = everySlot(500).filter((key) => world.choose(key) === 4).length;
  assert.ok(Math.abs(its - 100) < 40, `${its} of 500 keys`);
});

test("maglev: a table of others only is spread over at once", () => {
  const world = new World("maglev", same(6));
  world.only([0, 1, 2]);
  world.view.listed.set([1, 1, 1, 0, 0, 0]);
  world.choose(0);
  world.only([3, 4, 5]);
  world.view.listed.set([0, 0, 0, 1, 1, 1]);
  world.view.version++;
  const chosen = new Set(everySlot(50).map((key) => world.choose(key)));
  assert.deepEqual(chosen, new Set([3, 4, 5]));
});
