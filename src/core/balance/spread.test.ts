// How each algorithm spreads a stream of requests over unequal instances, beside what theory says:
// a queue a instance on virtual time, Poisson arrivals, and one algorithm that sees what it sees.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrng } from "../base/prng.ts";
import { type BalanceAlgorithm, balanceAlgorithms } from "../route/table.ts";
import { NOBODY } from "./balancer.ts";
import { everySlot, World } from "./candidates.fixture.ts";

interface Server {
  readonly weight: number;
  /** Mean time of an answer; exponential. */
  readonly serviceMs: number;
  /** Fails at once instead. */
  readonly failing?: boolean;
  /** In the tier from then on. */
  readonly fromMs?: number;
}

interface Spread {
  /** Share of the requests, by instance. */
  readonly share: readonly number[];
  /** Most attempts at once, by instance. */
  readonly most: readonly number[];
}

/** Plays `requests` with `perMs` arrivals a millisecond; each instance answers one at a time. */
function play(
  algorithm: BalanceAlgorithm,
  servers: readonly Server[],
  perMs: number,
  requests: number,
): Spread {
  const random = createPrng(11);
  const exponential = (mean: number): number => -mean * Math.log(1 - random.ratio());
  const world = new World(
    algorithm,
    servers.map(({ weight }) => weight),
  );
  for (const [slot, { fromMs = 0 }] of servers.entries()) if (fromMs > 0) world.leave(slot);
  const share = servers.map(() => 0);
  const most = servers.map(() => 0);
  const freeAtMs = servers.map(() => 0);
  const ends: { atMs: number; slot: number; beganMs: number; failed: boolean }[] = [];
  for (let request = 0, nowMs = 0; request < requests; request++) {
    nowMs += exponential(1 / perMs);
    ends.sort((one, other) => one.atMs - other.atMs);
    while ((ends[0]?.atMs ?? Infinity) <= nowMs) {
      const end = ends.shift();
      if (end === undefined) break;
      world.nowMs = end.atMs;
      world.end(end.slot, end.atMs - end.beganMs, end.failed);
    }
    world.nowMs = nowMs;
    for (const [slot, { fromMs = 0 }] of servers.entries()) if (nowMs >= fromMs) world.join(slot);
    const slot = world.choose(random.below(2 ** 32));
    const server = servers[slot];
    assert.ok(slot !== NOBODY && server !== undefined);
    world.start(slot);
    share[slot] = (share[slot] ?? 0) + 1 / requests;
    most[slot] = Math.max(most[slot] ?? 0, world.view.active[slot] ?? 0);
    const failed = server.failing === true;
    const beginsMs = Math.max(nowMs, freeAtMs[slot] ?? 0);
    const atMs = failed ? nowMs + 0.01 : beginsMs + exponential(server.serviceMs);
    if (!failed) freeAtMs[slot] = atMs;
    ends.push({ atMs, slot, beganMs: nowMs, failed });
  }
  return { share, most };
}

const equal: readonly Server[] = Array<Server>(4).fill({ weight: 1, serviceMs: 10 });

test("equal instances get equal shares, whatever the algorithm; `first` fills the first", () => {
  for (const algorithm of balanceAlgorithms) {
    const { share } = play(algorithm, equal, 0.2, 4_000);
    if (algorithm === "first") assert.ok((share[0] ?? 0) > 0.999);
    else
      for (const each of share)
        assert.ok(Math.abs(each - 0.25) < 0.06, `${algorithm} ${String(share)}`);
  }
});

test("weights 4, 2, 1, 1: those that follow weights give an eighth for each unit", () => {
  const servers = [4, 2, 1, 1].map((weight) => ({ weight, serviceMs: 2 }));
  for (const algorithm of ["weighted", "rendezvous", "maglev"] as const) {
    const { share } = play(algorithm, servers, 0.2, 4_000);
    for (const [slot, { weight }] of servers.entries()) {
      assert.ok(Math.abs((share[slot] ?? 0) - weight / 8) < 0.03, `${algorithm} ${String(share)}`);
    }
  }
});

test("one of four is five times slower: who counts or measures sends it about its capacity", () => {
  const servers = equal.map((each, slot) => (slot === 0 ? { ...each, serviceMs: 50 } : each));
  // 80% of what all four can do together: the slow one can do a sixteenth of that.
  const play80 = (algorithm: BalanceAlgorithm): Spread => play(algorithm, servers, 0.256, 6_000);
  for (const algorithm of ["least-request", "p2c", "least-time", "peak-ewma"] as const) {
    const { share, most } = play80(algorithm);
    assert.ok((share[0] ?? 1) < 0.13, `${algorithm} sends it ${share[0]}`);
    assert.ok((most[0] ?? 999) <= 30, `${algorithm} lets ${most[0]} wait there`);
  }
  const { most } = play80("round-robin");
  assert.ok((most[0] ?? 0) > 200, "in turn, its queue grows without end");
});

test("the least of all has a shorter longest queue than two choices, and those than random", () => {
  const servers = Array<Server>(16).fill({ weight: 1, serviceMs: 10 });
  const longest = (algorithm: BalanceAlgorithm): number =>
    Math.max(...play(algorithm, servers, 1.36, 8_000).most);
  const [least, two, random] = [longest("least-request"), longest("p2c"), longest("random")];
  assert.ok(least <= two && two < random / 2, `${least}, ${two} and ${random}`);
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
    const { most } = play(algorithm, servers, 0.24, 4_000);
    const others = Math.max(...everySlot(3).map((slot) => most[slot] ?? 0));
    assert.ok((most[3] ?? 999) <= others + 2, `${algorithm}: ${most[3]} beside ${others}`);
  }
});

test("who fails fast draws no more than its share", () => {
  const servers = equal.map((each, slot) => (slot === 0 ? { ...each, failing: true } : each));
  for (const algorithm of ["least-request", "least-time", "peak-ewma"] as const) {
    const { share } = play(algorithm, servers, 0.2, 4_000);
    // Of two choices one that always looks idle wins every pair that it is in: half of them.
    const most = algorithm === "peak-ewma" ? 0.55 : 0.3;
    assert.ok((share[0] ?? 1) < most, `${algorithm}: ${share[0]} of the requests`);
  }
});
