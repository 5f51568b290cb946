// Every algorithm chooses among the candidates; each then keeps its own promise, counted or
// compared with an obvious way to the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPrng, fnv1a32 } from "../base/prng.ts";
import type { BalanceAlgorithm } from "../route/table.ts";
import { balanceAlgorithms } from "../route/table.ts";
import { algorithms } from "./algorithms.ts";
import type { Balancer, SlotView } from "./balancer.ts";

interface Choosing {
  readonly balancer: Balancer;
  readonly view: SlotView;
  readonly next: (candidates: readonly number[], key?: number) => number;
}

function choosing(algorithm: BalanceAlgorithm, weights: readonly number[], seed = 1): Choosing {
  const random = createPrng(seed);
  const balancer = algorithms[algorithm](() => random.ratio());
  const view = {
    active: new Int32Array(weights.length),
    weight: Int32Array.from(weights),
    identity: Uint32Array.from(weights, (_weight, slot) => fnv1a32(`web-${slot + 1}`)),
  };
  return {
    balancer,
    view,
    next: (candidates, key = 0) =>
      balancer.choose(Int32Array.from([...candidates, 999, 999]), candidates.length, view, key),
  };
}

function everySlot(count: number): number[] {
  return Array.from({ length: count }, (_unused, slot) => slot);
}

function counts(chosen: readonly number[], slots: number): number[] {
  return everySlot(slots).map((slot) => chosen.filter((each) => each === slot).length);
}

const subset = fc
  .uniqueArray(fc.nat(11), { minLength: 1 })
  .map((slots) => slots.sort((a, b) => a - b));

for (const algorithm of balanceAlgorithms) {
  test(`${algorithm} chooses a candidate, whoever the candidates are`, () => {
    const calls = fc.array(fc.tuple(subset, fc.integer()), { minLength: 1 });
    const weights = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(calls, weights, fc.integer(), (asked, weighted, seed) => {
        const { next } = choosing(algorithm, weighted, seed);
        for (const [candidates, key] of asked)
          assert.ok(candidates.includes(next(candidates, key)));
      }),
    );
  });
}

test("round robin: nobody is more than one turn ahead while the candidates stay", () => {
  fc.assert(
    fc.property(subset, subset, fc.nat(100), fc.integer(), (before, candidates, turns, seed) => {
      const { next } = choosing("round-robin", Array(12).fill(1), seed);
      for (let turn = 0; turn < 7; turn++) next(before);
      const chosen = Array.from({ length: turns }, () => next(candidates));
      const each = candidates.map((slot) => chosen.filter((other) => other === slot).length);
      assert.ok(Math.max(...each) - Math.min(...each) <= 1);
    }),
  );
});

test("round robin: workers begin at different instances", () => {
  const first = everySlot(50).map((seed) =>
    choosing("round-robin", [1, 1, 1], seed).next([0, 1, 2]),
  );
  assert.equal(new Set(first).size, 3);
});

test("random: each candidate gets its equal part", () => {
  const { next } = choosing("random", [1, 9, 1, 1]);
  const chosen = Array.from({ length: 30_000 }, () => next([0, 1, 3]));
  for (const slot of [0, 1, 3]) {
    const part = chosen.filter((each) => each === slot).length / chosen.length;
    assert.ok(Math.abs(part - 1 / 3) < 0.02, `${slot}: ${part}`);
  }
});

test("weighted: 5, 1, 1 gives a a b a c a a", () => {
  const { next } = choosing("weighted", [5, 1, 1]);
  const chosen = Array.from({ length: 14 }, () => "abc"[next([0, 1, 2])]);
  assert.equal(chosen.join(""), "aabacaaaabacaa");
});

test("weighted: every round gives each instance exactly its weight", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(weights, (weighted) => {
      const { next } = choosing("weighted", weighted);
      const slots = everySlot(weighted.length);
      const round = weighted.reduce((sum, weight) => sum + weight, 0);
      for (let rounds = 0; rounds < 2; rounds++) {
        const chosen = Array.from({ length: round }, () => next(slots));
        assert.deepEqual(counts(chosen, weighted.length), weighted);
      }
    }),
  );
});

test("weighted: a slot that is lent anew owes nothing for the one before", () => {
  const { next, balancer } = choosing("weighted", [100, 1]);
  assert.equal(next([0, 1]), 0);
  assert.equal(next([0]), 0);
  balancer.forget(0);
  balancer.forget(1);
  assert.equal(next([0, 1]), 0);
});

test("least request: the fewest attempts for the weight, found by sorting as well", () => {
  const instance = fc.record({ active: fc.nat(20), weight: fc.integer({ min: 1, max: 8 }) });
  fc.assert(
    fc.property(fc.array(instance, { minLength: 12, maxLength: 12 }), subset, (all, candidates) => {
      const { next, view } = choosing(
        "least-request",
        all.map((each) => each.weight),
      );
      view.active.set(all.map((each) => each.active));
      const load = (slot: number) => {
        const { active, weight } = all[slot] ?? { active: 0, weight: 1 };
        return (active + 1) / weight;
      };
      assert.equal(load(next(candidates)), Math.min(...candidates.map(load)));
    }),
  );
});

test("least request: equals take turns", () => {
  const { next } = choosing("least-request", [1, 1, 1]);
  assert.deepEqual(
    counts(
      Array.from({ length: 9 }, () => next([0, 1, 2])),
      3,
    ),
    [3, 3, 3],
  );
});

test("source hash: when an instance leaves, only its clients move, and to all the others", () => {
  fc.assert(
    fc.property(
      fc.nat(11),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 12, maxLength: 12 }),
      (gone, weights) => {
        const { next } = choosing("source-hash", weights);
        const left = everySlot(12).filter((slot) => slot !== gone);
        const movedTo = new Set<number>();
        for (let key = 0; key < 600; key++) {
          const before = next(everySlot(12), key);
          const after = next(left, key);
          if (before !== gone) assert.equal(after, before);
          else movedTo.add(after);
        }
        assert.ok(movedTo.size >= 4, `moved to ${movedTo.size} others`);
      },
    ),
    { numRuns: 30 },
  );
});

test("source hash: an instance gets its weight's part of the clients", () => {
  const weights = [1, 1, 2, 4];
  const { next } = choosing("source-hash", weights);
  const clients = 40_000;
  const chosen = Array.from({ length: clients }, (_unused, key) => next([0, 1, 2, 3], key));
  for (const [slot, count] of counts(chosen, 4).entries()) {
    const expected = (clients * (weights[slot] ?? 0)) / 8;
    assert.ok(Math.abs(count / expected - 1) < 0.05, `${slot}: ${count} of ${expected}`);
  }
});

test("source hash: every worker leads a client to the same instance", () => {
  const one = choosing("source-hash", [1, 1, 1], 1);
  const other = choosing("source-hash", [1, 1, 1], 2);
  for (let key = 0; key < 100; key++) {
    assert.equal(one.next([0, 1, 2], key), other.next([0, 1, 2], key));
  }
});
