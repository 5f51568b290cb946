// A small world of workers that accept from one socket. Who gets the next connection is up to an
// adversary: always the lowest number that listens, or by lot.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPrng } from "../base/prng.ts";
import {
  initialShare,
  LOOK_MS,
  nextShare,
  type PeerLoad,
  REPORT_STALE_MS,
  type Share,
  type WorkerLoad,
} from "./accept-share.ts";

interface Worker {
  open: number;
  kept: number;
  accepted: number;
  share: Share;
  /** Hung since: it neither accepts nor reports. */
  hungAtMs: number;
}

type Winner = (listening: readonly number[]) => number;
const greedy: Winner = (listening) => listening[0] ?? 0;

class World {
  nowMs = 0;
  pauses = 0;
  readonly workers: Worker[];

  constructor(count: number) {
    this.workers = Array.from({ length: count }, () => ({
      open: 0,
      kept: 0,
      accepted: 0,
      share: initialShare,
      hungAtMs: Infinity,
    }));
  }

  listening(): number[] {
    return [...this.workers.keys()].filter((index) => {
      const worker = this.worker(index);
      return !worker.share.paused && worker.hungAtMs > this.nowMs;
    });
  }

  worker(index: number): Worker {
    const worker = this.workers[index];
    assert.ok(worker !== undefined);
    return worker;
  }

  accept(winner: Winner): Worker {
    // A silence lasts one look.
    if (this.listening().length === 0) this.advance(LOOK_MS);
    const listening = this.listening();
    assert.ok(listening.length > 0, "somebody listens");
    const index = winner(listening);
    const worker = this.worker(index);
    worker.open++;
    worker.accepted++;
    this.decide(index);
    return worker;
  }

  decide(index: number): void {
    const worker = this.worker(index);
    const next = nextShare(worker.share, load(worker), this.peers(index), this.nowMs);
    if (next.paused && !worker.share.paused) this.pauses++;
    worker.share = next;
  }

  peers(index: number): PeerLoad[] {
    const peers: PeerLoad[] = [];
    for (const [other, worker] of this.workers.entries()) {
      if (other === index) continue;
      const { open, kept, accepted, share, hungAtMs } = worker;
      const atMs = Math.min(this.nowMs, hungAtMs);
      peers.push({ open, kept, accepted, paused: share.paused, worker: other, atMs });
    }
    return peers;
  }

  /** Time passes; paused workers look at the board. */
  advance(durationMs: number): void {
    for (const until = this.nowMs + durationMs; this.nowMs < until; ) {
      // Nobody looks, and nothing changes by itself.
      const isAnyPaused = this.workers.some(({ share }) => share.paused);
      this.nowMs = isAnyPaused ? Math.min(this.nowMs + LOOK_MS, until) : until;
      for (const [index, worker] of this.workers.entries()) {
        if (worker.share.paused && worker.hungAtMs > this.nowMs) this.decide(index);
      }
    }
  }
}

function load(worker: Worker): WorkerLoad {
  const { open, kept, accepted, share } = worker;
  return { open, kept, accepted, paused: share.paused };
}

const workerCount = fc.integer({ min: 2, max: 8 });

function assertEven(world: World, connections: number): void {
  const share = connections / world.workers.length;
  for (const worker of world.workers) {
    assert.ok(worker.open <= 1.3 * share, `${worker.open} of a share of ${share}`);
  }
}

test("128 keep-alive connections: nobody holds over 1.3 times its share, in a burst or not", () => {
  const gapMs = fc.constantFrom(0, 0.05, 1, 20, 300);
  fc.assert(
    fc.property(workerCount, gapMs, fc.boolean(), fc.integer(), (count, gap, lots, seed) => {
      const world = new World(count);
      const random = createPrng(seed);
      const winner = lots
        ? (listening: readonly number[]) => listening[random.below(listening.length)] ?? 0
        : greedy;
      for (let connection = 0; connection < 128; connection++) {
        const worker = world.accept(winner);
        world.advance(gap);
        // In a burst the first exchanges end long after; one by one, before the next comes.
        if (gap >= 1) worker.kept++;
      }
      assertEven(world, 128);
    }),
  );
});

test("short-lived connections pause nobody", () => {
  const perSecond = fc.constantFrom(50, 400, 2000);
  const lifeMs = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(workerCount, perSecond, lifeMs, fc.integer(), (count, rate, life, seed) => {
      const world = new World(count);
      const random = createPrng(seed);
      const ends: { atMs: number; worker: Worker }[] = [];
      let warm = 0;
      for (let nowMs = 0; nowMs < 4000; nowMs += 1000 / rate) {
        world.advance(nowMs - world.nowMs);
        while ((ends[0]?.atMs ?? Infinity) <= nowMs) {
          const ended = ends.shift();
          if (ended !== undefined) ended.worker.open--;
        }
        const worker = world.accept((listening) => listening[random.below(listening.length)] ?? 0);
        ends.push({ atMs: nowMs + life, worker });
        if (nowMs < 1000) warm = world.pauses;
      }
      assert.ok(world.pauses - warm <= 4, `${world.pauses - warm} pauses in 3 s`);
    }),
    { numRuns: 20 },
  );
});

test("a worker ahead of the others waits until they have caught up", () => {
  const world = new World(2);
  Object.assign(world.worker(0), { open: 20, kept: 20, accepted: 20 });
  world.accept(greedy);
  assert.deepEqual(world.listening(), [1]);
  for (let connection = 0; connection < 20; connection++) world.accept(greedy).kept++;
  world.advance(10);
  assert.deepEqual(world.listening(), [0, 1]);
});

test("one connection does not stop and start a worker", () => {
  const world = new World(2);
  Object.assign(world.worker(0), { open: 5, kept: 5, accepted: 5 });
  world.accept(greedy);
  world.accept(greedy).kept++;
  world.advance(10);
  assert.deepEqual(world.listening(), [1], "still more than half the slack ahead");
});

test("a worker alone never pauses, nor one whose peers all hang", () => {
  const own = { open: 100, kept: 100, accepted: 100, paused: false };
  const idle = { worker: 2, open: 0, kept: 0, accepted: 0, paused: false, atMs: 1000 };
  const paused = (peers: readonly PeerLoad[], nowMs: number) =>
    nextShare(initialShare, own, peers, nowMs).paused;
  assert.equal(paused([], 1000), false);
  assert.equal(paused([idle], 1000), true);
  assert.equal(paused([idle], 1000 + REPORT_STALE_MS), true);
  assert.equal(paused([idle], 1001 + REPORT_STALE_MS), false);
});

test("a paused worker listens again when the last one that listened hangs", () => {
  const world = new World(2);
  Object.assign(world.worker(0), { open: 20, kept: 20, accepted: 20 });
  world.accept(greedy);
  world.worker(1).hungAtMs = world.nowMs;
  world.advance(REPORT_STALE_MS + 20);
  assert.deepEqual(world.listening(), [0]);
});

test("an old gap that short-lived connections cannot close is tolerated", () => {
  const world = new World(2);
  Object.assign(world.worker(0), { open: 30, kept: 30, accepted: 30 });
  world.accept(greedy).open--;
  let accepted = 0;
  while (world.listening().length < 2) {
    world.accept(greedy).open--;
    world.advance(1);
    accepted++;
    assert.ok(accepted < 300, "the paused worker is let back in");
  }
  const before = world.pauses;
  for (let connection = 0; connection < 100; connection++) world.accept(greedy).open--;
  assert.equal(world.pauses, before, "and the gap pauses nobody again");
  for (let connection = 0; connection < 8; connection++) world.accept(() => 0).kept++;
  assert.ok(world.pauses > before, "until it grows");
});

test("when all have paused on old reports, the next look of each lets somebody listen", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(200), { minLength: 2, maxLength: 8 }), (loads) => {
      const world = new World(loads.length);
      for (const [index, open] of loads.entries()) {
        const share = { ...initialShare, paused: true };
        Object.assign(world.worker(index), { open, kept: open, accepted: open, share });
      }
      world.advance(LOOK_MS);
      assert.ok(world.listening().length > 0);
    }),
  );
});

test("lines left behind by an earlier boot pause nobody, whatever their time says", () => {
  const nowMs = 60_000;
  const ghosts = [nowMs + 1e9, Number.NaN, -Infinity].map(
    (atMs, index): PeerLoad => ({
      worker: 60 + index,
      atMs,
      open: 0,
      kept: 0,
      accepted: 0,
      paused: false,
    }),
  );
  const own: WorkerLoad = { open: 50, kept: 50, accepted: 50, paused: false };
  const peer: PeerLoad = { ...own, worker: 2, atMs: nowMs };
  assert.equal(nextShare(initialShare, own, [peer, ...ghosts], nowMs).paused, false);
});
