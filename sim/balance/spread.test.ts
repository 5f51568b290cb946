// How requests spread over instances that are not equal, beside what theory says of it: shares,
// queues, who comes new, who warms up, and who fails fast.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BalanceAlgorithm, balanceAlgorithms } from "../../src/core/route/table.ts";
import { playStream, type Server, shareBetween, theory } from "./queues.ts";

const equal: readonly Server[] = Array<Server>(4).fill({ weight: 1, serviceMs: 10 });

test("equal instances get equal shares, whatever the algorithm; `first` fills the first", () => {
  for (const algorithm of balanceAlgorithms) {
    const { share } = playStream({ algorithm, servers: equal, perMs: 0.2, requests: 4_000 });
    if (algorithm === "first") assert.ok((share[0] ?? 0) > 0.999);
    else
      for (const each of share)
        assert.ok(Math.abs(each - 0.25) < 0.06, `${algorithm} ${String(share)}`);
  }
});

test("weights 4, 2, 1, 1: those that follow weights give an eighth for each unit", () => {
  const servers = [4, 2, 1, 1].map((weight) => ({ weight, serviceMs: 2 }));
  for (const algorithm of ["weighted", "rendezvous", "maglev"] as const) {
    const { share } = playStream({ algorithm, servers, perMs: 0.2, requests: 4_000 });
    for (const [slot, { weight }] of servers.entries()) {
      assert.ok(Math.abs((share[slot] ?? 0) - weight / 8) < 0.03, `${algorithm} ${String(share)}`);
    }
  }
});

test("one of four is five times slower: who counts or measures sends it about its capacity", () => {
  const servers = equal.map((each, slot) => (slot === 0 ? { ...each, serviceMs: 50 } : each));
  // 80% of what all four can do together: the slow one can do a sixteenth of that.
  const play = (algorithm: BalanceAlgorithm) =>
    playStream({ algorithm, servers, perMs: 0.256, requests: 6_000 });
  for (const algorithm of ["least-request", "p2c", "least-time", "peak-ewma"] as const) {
    const { share, most } = play(algorithm);
    assert.ok((share[0] ?? 1) < 0.13, `${algorithm} sends it ${share[0]}`);
    assert.ok((most[0] ?? 999) <= 30, `${algorithm} lets ${most[0]} wait there`);
  }
  assert.ok((play("round-robin").most[0] ?? 0) > 200, "in turn, its queue grows without end");
});

test("mean times are what theory says: by lot, of two choices, and near one queue for all", () => {
  const servers = Array<Server>(16).fill({ weight: 1, serviceMs: 10 });
  const load = 0.85;
  const mean = (algorithm: BalanceAlgorithm): number =>
    playStream({ algorithm, servers, perMs: 1.6 * load, requests: 60_000 }).meanMs / 10;
  const near = (measured: number, expected: number, ratio: number): void =>
    assert.ok(Math.abs(measured / expected - 1) < ratio, `${measured} beside ${expected}`);
  near(mean("random"), theory.byLot(load), 0.15);
  near(mean("p2c"), theory.twoChoices(load), 0.15);
  const least = mean("least-request");
  const best = theory.oneQueue(load, 16);
  assert.ok(least > 0.95 * best && least < 1.5 * best, `${least} beside ${best}`);
});

test("no herd on a newcomer: it never has many more attempts than the others", () => {
  const servers = equal.map((each, slot) => (slot === 3 ? { ...each, fromMs: 5_000 } : each));
  for (const algorithm of [
    "least-request",
    "least-time",
    "p2c",
    "peak-ewma",
    "weighted",
  ] as const) {
    const { most } = playStream({ algorithm, servers, perMs: 0.24, requests: 4_000 });
    const others = Math.max(...most.slice(0, 3));
    assert.ok((most[3] ?? 999) <= others + 2, `${algorithm}: ${most[3]} beside ${others}`);
  }
});

test("slow start is smooth: in each tenth of it the newcomer gets what its ramp says", () => {
  const servers = equal.map((each, slot) => (slot === 3 ? { ...each, fromMs: 5_000 } : each));
  const ramp = { slowStartMs: 20_000, perMs: 1, requests: 30_000 };
  const quick = servers.map((each) => ({ ...each, serviceMs: 0.5 }));
  for (const algorithm of ["weighted", "round-robin", "random"] as const) {
    const played = playStream({ algorithm, servers: quick, ...ramp });
    for (let tenth = 0; tenth < 10; tenth++) {
      const fromMs = 5_000 + tenth * 2_000;
      const share = shareBetween(played, 3, fromMs, fromMs + 2_000);
      const part = 0.1 + 0.9 * (tenth / 10 + 0.05);
      assert.ok(
        Math.abs(share - part / 4) < 0.04,
        `${algorithm}, tenth ${tenth}: ${share} beside ${part / 4}`,
      );
    }
  }
});

test("who fails fast draws no more than its share", () => {
  const servers = equal.map((each, slot) => (slot === 0 ? { ...each, failing: true } : each));
  for (const algorithm of ["least-request", "least-time", "peak-ewma"] as const) {
    const { share } = playStream({ algorithm, servers, perMs: 0.2, requests: 4_000 });
    // Of two choices one that always looks idle wins every pair that it is in: half of them.
    const most = algorithm === "peak-ewma" ? 0.55 : 0.3;
    assert.ok((share[0] ?? 1) < most, `${algorithm}: ${share[0]} of the requests`);
  }
});
