// What a target that hangs costs: one deadline a run, whoever waits and whatever was asked of it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../ports/clock.ts";
import { type Target, TargetError } from "../../ports/target.ts";
import { withDeadline } from "./deadline.ts";
import { redundancyOf } from "./look.ts";
import { passedOn } from "./passed-on.ts";
import { rebalance } from "./rebalance.ts";
import { restore } from "./restore.ts";
import { runBackup } from "./run-backup.ts";
import { verify } from "./scrub.ts";
import {
  master,
  MemoryPlace,
  newDisks,
  noise,
  settings,
  shardFiles,
  TestSource,
  type TestTree,
  TestWorld,
} from "./vault.fixture.ts";
import { openVault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";
import { leaseMs, type VaultWorld } from "./world.ts";

const opening = { master, create: false, withIndex: true };
const options = { master, service: "shop", subjectOf: () => undefined };
const timeoutMs = 120_000;
const tree: TestTree = Object.fromEntries(
  Array.from({ length: 24 }, (_, at) => [`file-${10 + at}`, noise(at, 3_000)]),
);
const never = new Promise<never>(() => {});

/** Time passes when nothing else can happen: then it is as late as the next timer is due. */
class IdleClock implements Clock {
  nowMs = 0;
  readonly #timers = new Map<object, { readonly dueMs: number; readonly run: () => void }>();
  #isWatched = false;

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return 1_800_000_000_000 + this.nowMs;
  }

  after(delayMs: number, run: () => void): Disposable {
    const timer = { [Symbol.dispose]: () => void this.#timers.delete(timer) };
    this.#timers.set(timer, { dueMs: this.nowMs + delayMs, run });
    if (!this.#isWatched) void this.#watch();
    return timer;
  }

  async #watch(): Promise<void> {
    this.#isWatched = true;
    while (this.#timers.size > 0) {
      const before = [...this.#timers.keys()];
      for (let turns = 0; turns < 20; turns++) await turn();
      if (before.some((timer) => !this.#timers.has(timer))) continue;
      const next = [...this.#timers].sort(([, a], [, b]) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      const [timer, { dueMs, run }] = next;
      this.#timers.delete(timer);
      this.nowMs = dueMs;
      run();
    }
    this.#isWatched = false;
  }
}

const isOfPack = (name: string) => name.startsWith("pack/");

/** A vault, and runs on it for which time passes: some of some targets' reads may never end. */
async function backedUp() {
  const world = new TestWorld(await newDisks(3), 1);
  await runBackup(world, settings, new TestSource("data", tree), options);
  const { targets, recorded } = world;
  const begin = (hung: readonly string[], isHung = isOfPack, of = targets) => {
    const clock = new IdleClock();
    const counts = { asked: 0 };
    const bounded = of.map((target) => {
      const read: Target["read"] = (name, ...rest) => {
        if (!hung.includes(target.name) || !isHung(name)) return target.read(name, ...rest);
        counts.asked++;
        return never;
      };
      return withDeadline(passedOn(target, { read }), clock, timeoutMs);
    });
    recorded.length = 0;
    const now: VaultWorld = { ...world, clock, targets: bounded };
    return { now, clock, counts };
  };
  const run = async (...hung: Parameters<typeof begin>) => {
    const begun = begin(...hung);
    return { ...begun, vault: await openVault(begun.now, settings, opening) };
  };
  return { world, begin, run, recorded };
}

describe("a target whose reads never end", () => {
  it("costs one deadline a run, is away from then on, and is asked again in the next", async () => {
    const { run, recorded } = await backedUp();
    const { vault, clock, counts } = await run(["disk-a"]);
    const place = new MemoryPlace();
    const { lost } = await restore(vault, vault.snapshots[0] ?? assert.fail(), place, { path: [] });
    assert.deepEqual(lost, []);
    assert.deepEqual(Object.fromEntries(place.files), tree);
    const verified = await verify(vault);
    assert.deepEqual([verified.lost, verified.missingCount, verified.away], [[], 0, 0]);
    assert.match(verified.sentence, /objects are short of shards until targets are back\.$/);
    assert.equal(clock.nowMs, timeoutMs);
    // As many as were under way at once: nobody asks after that.
    assert.ok(counts.asked > 0 && counts.asked < vault.packs.size / 2, `${counts.asked} reads`);
    const said = recorded.filter(({ kind }) => kind !== "vault.scrubbed");
    const [once, ...others] = said.map(({ sentence }) => sentence);
    assert.match(once ?? "", /^Target disk-a is away: Target disk-a did not read .* within 120 s/);
    assert.deepEqual(others, []);
    const later = await run([]);
    const { sentence } = await verify(later.vault);
    assert.match(sentence, /every shard is there and right\.$/);
  });

  it("loses nothing, even where there are too few others", async () => {
    const { run } = await backedUp();
    const { vault, clock } = await run(["disk-a", "disk-b"]);
    const { lost, away, missing, sentence } = await verify(vault);
    assert.deepEqual(lost, []);
    assert.ok(away >= vault.packs.size);
    assert.match(sentence, /are not to be read until targets are back/);
    assert.match(missing[0]?.reason ?? "", /cannot be read until targets are back: .* is away/);
    assert.ok(clock.nowMs <= 2 * timeoutMs);
    const later = await run([]);
    assert.deepEqual(later.vault.damages, []);
    assert.equal((await verify(later.vault)).missingCount, 0);
  });

  it("has nothing that counts as there from then on, for a backup or a look", async () => {
    const { world, run } = await backedUp();
    await runBackup(world, settings, new TestSource("more", { more: noise(99, 9_000) }), options);
    let first: string | undefined;
    const { vault } = await run(["disk-a", "disk-b"], (name) => {
      if (!name.startsWith("index/")) return false;
      first ??= name.slice(0, 38);
      return !name.startsWith(first);
    });
    const { objects, unreadable, away } = redundancyOf(vault);
    assert.deepEqual([unreadable, away.toSorted()], [objects, ["disk-a", "disk-b"]]);
    // The first index was read before; what it lists is not to be read any more.
    assert.ok(vault.packs.size > 0);
    const later = (await run([])).vault;
    const reader = new VaultReader(later);
    let chunks = 0;
    for (const { root } of later.snapshots) {
      for await (const { content } of reader.entries(root)) {
        for await (const segment of reader.segments(content)) {
          if (segment.kind === "hole") continue;
          chunks++;
          assert.equal(vault.findForReuse(segment.name), undefined);
        }
      }
    }
    assert.ok(chunks > 0);
  });

  it("keeps no rebalance from making what lies there anew, nor from its end", async () => {
    const { world, begin } = await backedUp();
    const four = new TestWorld([...world.disks, ...(await newDisks(1))], 2, world);
    const retiring = { ...settings, retiring: ["disk-a"] };
    const { now } = begin(["disk-a"], isOfPack, four.targets);
    const { mended } = await rebalance(now, retiring, master);
    assert.ok(mended > 0);
    const later = begin([], isOfPack, four.targets);
    // The lease of the first lies where it could not be taken away, and has ended.
    later.clock.nowMs = 2 * leaseMs;
    const { moved } = await rebalance(later.now, retiring, master);
    assert.ok(moved > 0);
    assert.deepEqual(shardFiles(four.disks[0] ?? assert.fail()), []);
  });
});

describe("a call of a target that answers too late", () => {
  const [fast, slow] = ["pack/0a", "pack/0b"];
  const calls: readonly ((target: Target) => Promise<unknown>)[] = [
    (target) => target.put(slow, [Uint8Array.of(1)]),
    (target) => target.read(slow, 0, 1),
    (target) => target.list("pack", ""),
    (target) => target.remove(slow),
    (target) => target.clean(),
    (target) => target.close(),
  ];

  it("is refused with all that wait and all that come later, whichever it is", async () => {
    const [target = assert.fail()] = (await newWorld()).targets;
    const hung = { put: () => never, read: () => never, list: () => never, remove: () => never };
    for (const call of calls) {
      const clock = new IdleClock();
      let asked = 0;
      const freeBytes = async () => ++asked;
      const dead = passedOn(target, { ...hung, clean: () => never, close: () => never, freeBytes });
      const bounded = withDeadline(dead, clock, 1_000);
      const isLate = (error: unknown) =>
        error instanceof TargetError &&
        error.kind === "timeout" &&
        /^Target disk-a did not .* within 1 s$/.test(error.message);
      await Promise.all([
        assert.rejects(call(bounded), isLate),
        assert.rejects(bounded.read(fast, 0, 1), isLate),
      ]);
      await assert.rejects(bounded.freeBytes(), isLate);
      assert.deepEqual([asked, clock.nowMs], [0, 1_000]);
    }
  });

  it("has half of its time left when the process has stood still for all of it", async () => {
    const [target = assert.fail()] = (await newWorld()).targets;
    const due: (() => void)[] = [];
    const clock: Clock = {
      monotonicMs: () => 0,
      wallMs: () => 0,
      after: (_, run) => {
        due.push(run);
        return { [Symbol.dispose]: () => {} };
      },
    };
    let answer: (bytes: Uint8Array) => void = () => {};
    const read = () =>
      new Promise<Uint8Array>((resolve) => {
        answer = resolve;
      });
    const bounded = withDeadline(passedOn(target, { read }), clock, 1_000);
    const reading = bounded.read(slow, 0, 1);
    await turn();
    for (const run of due.splice(0)) run();
    answer(Uint8Array.of(7));
    assert.deepEqual(await reading, Uint8Array.of(7));
    assert.deepEqual(await bounded.list("pack", ""), []);
  });
});

describe("a target that is asked no more at once than it may be", () => {
  const names = Array.from({ length: 9 }, (_, at) => `pack/0${at}`);

  it("holds no more calls than that when it hangs, and costs one deadline", async () => {
    const [target = assert.fail()] = (await newWorld()).targets;
    const clock = new IdleClock();
    let asked = 0;
    const read = () => {
      asked++;
      return never;
    };
    const bounded = withDeadline(passedOn(target, { read }), clock, 1_000, 2);
    const reads = await Promise.allSettled(names.map((name) => bounded.read(name, 0, 1)));
    assert.ok(reads.every(({ status }) => status === "rejected"));
    assert.deepEqual([asked, clock.nowMs], [2, 1_000]);
  });

  it("is waited for from when it is asked, and answers one after the other", async () => {
    const [target = assert.fail()] = (await newWorld()).targets;
    const clock = new IdleClock();
    const read = () =>
      new Promise<Uint8Array>((resolve) => clock.after(800, () => resolve(Uint8Array.of(7))));
    const bounded = withDeadline(passedOn(target, { read }), clock, 1_000, 1);
    await Promise.all(names.map((name) => bounded.read(name, 0, 1)));
    assert.equal(clock.nowMs, names.length * 800);
    assert.deepEqual(await bounded.list("pack", ""), []);
  });
});

async function newWorld(): Promise<TestWorld> {
  return new TestWorld(await newDisks(1), 1);
}
