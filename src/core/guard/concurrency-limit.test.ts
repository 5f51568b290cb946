// Overload, its end, a service that becomes slower, and the bounds: against a server with a queue
// in which clients wait no longer than a second.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { importPlanted, type PlantedFault } from "../../../test/planted.fixture.ts";
import { createPrng, type Random } from "../base/prng.ts";
import {
  ConcurrencyLimit,
  defaultConcurrency,
  priorities,
  type Priority,
  proven,
} from "./concurrency-limit.ts";

const FILE = "src/core/guard/concurrency-limit.js";
const PATIENCE_MS = 1_000;

interface Phase {
  readonly forMs: number;
  /** Of what the server can do. */
  readonly load: number;
  /** Of one request, on average. */
  readonly serviceMs: number;
  /** Of the requests that are of high priority; the others are normal. */
  readonly highRatio?: number;
}

interface Told {
  /** Answers within the clients' patience, as a share of what the server could do. */
  readonly goodput: number;
  readonly highLost: number;
  /** 99th percentile, of those that were let in. */
  readonly highMs: number;
  readonly shed: number;
  readonly arrived: number;
}

const exponential = (random: Random, mean: number): number => -mean * Math.log(1 - random.ratio());

/** How long requests take: the same mean each. */
const kinds = {
  even: (_random: Random, mean: number): number => mean,
  random: exponential,
  /** Nine of ten are quick. */
  mixed: (random: Random, mean: number): number =>
    exponential(random, random.ratio() < 0.1 ? mean * 7.3 : mean * 0.3),
};

interface LiveOptions {
  readonly isLimited?: boolean;
  /** Clients leave after so long, and the server goes on with what they asked. */
  readonly leaveMs?: number;
  readonly Limit?: typeof ConcurrencyLimit;
}

/** A server that does `slots` requests at a time, in the order they come, and its clients. */
function live(
  slots: number,
  phases: readonly Phase[],
  kind: keyof typeof kinds = "random",
  { isLimited = true, leaveMs = Infinity, Limit = ConcurrencyLimit }: LiveOptions = {},
): readonly Told[] {
  const random = createPrng(7);
  const limit = new Limit(defaultConcurrency, 0);
  /** When each slot is free again. */
  const free = new Float64Array(slots);
  /** Under way, those that are answered or left first at the end. */
  const underWay: {
    readonly beganMs: number;
    readonly endsMs: number;
    readonly isLeft: boolean;
  }[] = [];
  let nowMs = 0;
  return phases.map(({ forMs, load, serviceMs, highRatio = 0 }) => {
    const untilMs = nowMs + forMs;
    const highMs: number[] = [];
    const count = { good: 0, highLost: 0, shed: 0, arrived: 0 };
    while (nowMs < untilMs) {
      nowMs += exponential(random, serviceMs / slots / load);
      for (let next = underWay.at(-1); next !== undefined; next = underWay.at(-1)) {
        if (next.endsMs > nowMs) break;
        underWay.pop();
        const { beganMs, endsMs, isLeft } = next;
        if (isLeft) limit.abandoned(beganMs, endsMs);
        else limit.answered(beganMs, endsMs);
        if (!isLeft && endsMs - beganMs <= PATIENCE_MS) count.good++;
      }
      const priority: Priority = random.ratio() < highRatio ? "high" : "normal";
      count.arrived++;
      if (isLimited && !limit.admits(priority, nowMs)) {
        count.shed++;
        if (priority === "high") count.highLost++;
        continue;
      }
      limit.began(nowMs);
      let slot = 0;
      for (let other = 1; other < slots; other++) {
        if ((free[other] as number) < (free[slot] as number)) slot = other;
      }
      const doneMs = Math.max(nowMs, free[slot] as number) + kinds[kind](random, serviceMs);
      free[slot] = doneMs;
      const endsMs = Math.min(doneMs, nowMs + leaveMs);
      let at = underWay.length;
      while (at > 0 && (underWay[at - 1] as { endsMs: number }).endsMs < endsMs) at--;
      underWay.splice(at, 0, { beganMs: nowMs, endsMs, isLeft: endsMs < doneMs });
      if (priority === "high") highMs.push(doneMs - nowMs);
    }
    highMs.sort((a, b) => a - b);
    const { good, ...counts } = count;
    return {
      ...counts,
      goodput: good / ((forMs * slots) / serviceMs),
      highMs: highMs[Math.floor(highMs.length * 0.99)] ?? 0,
    };
  });
}

const calm = { forMs: 10_000, load: 0.5, highRatio: 0.1 };
const overload = { forMs: 20_000, load: 3, highRatio: 0.1 };

for (const [slots, serviceMs, kind] of [
  [1, 5, "random"],
  [8, 20, "even"],
  [8, 20, "random"],
  [8, 20, "mixed"],
  [50, 50, "random"],
] as const) {
  describe(`a service that does ${slots} at a time, ${serviceMs} ms each, ${kind}`, () => {
    const [warm, during, after, slower, slowAndOver] = live(
      slots,
      [
        { ...calm, serviceMs },
        { ...overload, serviceMs },
        { ...calm, serviceMs },
        { ...calm, serviceMs: 4 * serviceMs },
        { ...overload, serviceMs: 4 * serviceMs },
      ],
      kind,
    ) as [Told, Told, Told, Told, Told];

    test("bears three times what it can do, and is at once as before when that ends", () => {
      assert.ok(during.goodput >= 0.9, `does ${during.goodput} of what it can`);
      assert.ok(warm.shed <= warm.arrived * 0.03, `${warm.shed} of ${warm.arrived}`);
      assert.ok(after.shed <= after.arrived * 0.03, `${after.shed} of ${after.arrived}`);
    });

    test("answers what is important, and as quickly as a short queue lets it", () => {
      const important = during.arrived * overload.highRatio;
      const lostMax = kind === "mixed" ? 0.08 : 0.04;
      assert.ok(during.highLost <= important * lostMax, `${during.highLost} of ${important}`);
      assert.ok(during.highMs <= 3 * warm.highMs, `${during.highMs} ms, ${warm.highMs} before`);
    });

    test("is believed when it has become slower, in calm and under overload", () => {
      assert.ok(slower.shed <= slower.arrived * 0.03, `${slower.shed} of ${slower.arrived}`);
      assert.ok(slowAndOver.goodput >= 0.85, `${slowAndOver.goodput}`);
    });
  });
}

describe("of requests that take equally long", () => {
  const phases = [calm, overload].map((phase) => ({ ...phase, serviceMs: 20 }));

  /** 99 % of what is important is answered within so many times 20 ms. */
  const highRatio = (Limit = ConcurrencyLimit): number =>
    (live(8, phases, "even", { Limit })[1]?.highMs ?? NaN) / 20;

  test("what is important waits for little more than the next place", () => {
    assert.ok(highRatio() <= 2.2, `${highRatio()} times what one takes`);
  });

  /** The client of each leaves after 35 ms. */
  const goodput = (Limit = ConcurrencyLimit): number =>
    live(8, phases, "even", { leaveMs: 35, Limit })[1]?.goodput ?? NaN;

  test("those whose clients soon leave are not replaced before they are done", () => {
    assert.ok(goodput() >= 0.9, `${goodput()}`);
  });

  test("one of these is broken when the others fill the queue, or who leaves makes room", async () => {
    const filled = { name: "", file: FILE, find: "!isLeft ||", replace: "true ||" };
    await importPlanted<Module>(FILE, filled, (module) => {
      assert.ok(highRatio(module.ConcurrencyLimit) > 2.3);
    });
    const left = "this.#abandoned.push({ beganMs, leftMs: nowMs });";
    const gone = { name: "", file: FILE, find: left, replace: "this.#leave(nowMs);" };
    await importPlanted<Module>(FILE, gone, (module) => {
      assert.ok(goodput(module.ConcurrencyLimit) < 0.75);
    });
  });
});

test("an overload that lasts does not teach it to queue", () => {
  const lasting = { ...overload, serviceMs: 20, forMs: 60_000 };
  const [, , late] = live(8, [{ ...calm, serviceMs: 20 }, lasting, lasting]) as [Told, Told, Told];
  assert.ok(late.goodput >= 0.9, `${late.goodput}`);
  assert.ok(late.highMs <= 250, `${late.highMs} ms`);
});

test("without it a service under overload does next to nothing of use", () => {
  const phases = [calm, overload].map((phase) => ({ ...phase, serviceMs: 20 }));
  const [, during] = live(1, phases, "random", { isLimited: false });
  assert.ok(during !== undefined && during.goodput < 0.3, `${during?.goodput}`);
});

/**
 * A service that does one request after another, 200 ms each, and goes on with those that nobody
 * waits for any more: clients leave after a second, and 50 come in one. Answers of the last of two
 * minutes.
 */
function answeredInTime(Limit = ConcurrencyLimit): number {
  const limit = new Limit(defaultConcurrency, 0);
  const serviceMs = 200;
  /** Under way, in the order they came: when each is answered, if its client still waits then. */
  const underWay: { readonly cameMs: number; readonly endsMs: number }[] = [];
  let freeMs = 0;
  let inTime = 0;
  for (let nowMs = 0; nowMs < 120_000; nowMs += 20) {
    while (underWay[0] !== undefined) {
      const { cameMs, endsMs } = underWay[0];
      const leavesMs = cameMs + PATIENCE_MS;
      if (Math.min(endsMs, leavesMs) > nowMs) break;
      underWay.shift();
      if (endsMs > leavesMs) limit.abandoned(cameMs, nowMs);
      else limit.answered(cameMs, nowMs);
      if (endsMs <= leavesMs && nowMs >= 60_000) inTime++;
    }
    if (!limit.admits("low", nowMs)) continue;
    limit.began(nowMs);
    freeMs = Math.max(freeMs, nowMs) + serviceMs;
    underWay.push({ cameMs: nowMs, endsMs: freeMs });
  }
  return inTime;
}

test("a service whose clients all give up in its queue is let catch up", () => {
  const inTime = answeredInTime();
  assert.ok(inTime >= 0.8 * 300, `${inTime} answers of 300 that it can give in a minute`);
});

const settings = { min: 3, max: 40, tolerance: 1.5 };

test("its bounds hold whatever comes, and it counts who waits", () => {
  const step = fc.record({
    gapMs: fc.double({ min: 0, max: 500, noNaN: true }),
    what: fc.constantFrom("begin", "answer", "fail", "give up", "abandon"),
    priority: fc.constantFrom(...priorities),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (walk) => {
      const limit = new ConcurrencyLimit(settings, 0);
      let nowMs = 0;
      const began: number[] = [];
      let abandoned = 0;
      for (const { gapMs, what, priority } of walk) {
        nowMs += gapMs;
        if (what === "begin") {
          if (!limit.admits(priority, nowMs)) continue;
          limit.began(nowMs);
          began.push(nowMs);
        } else {
          const beganMs = began.shift();
          if (beganMs === undefined) continue;
          if (what === "answer") limit.answered(beganMs, nowMs);
          else if (what === "fail") limit.failed(beganMs, nowMs);
          else if (what === "give up") limit.gaveUp(nowMs);
          else limit.abandoned(beganMs, nowMs);
          if (what === "abandon") abandoned++;
        }
        assert.ok(limit.waiting >= began.length && limit.waiting <= began.length + abandoned);
        assert.ok(limit.limit >= settings.min && limit.limit <= settings.max);
        assert.ok(limit.baselineMs >= 0 && Number.isFinite(limit.baselineMs));
      }
    }),
  );
});

test("each priority has room beyond the one below it", () => {
  const most = (priority: Priority): number => {
    const limit = new ConcurrencyLimit({ min: 9, max: 9, tolerance: 1.5 }, 0);
    while (limit.admits(priority, 0)) limit.began(0);
    return limit.waiting;
  };
  assert.deepEqual([most("low"), most("normal"), most("high")], [9, 13, 17]);
});

test("what fails at once does not make the service look quick", () => {
  const limit = new ConcurrencyLimit(defaultConcurrency, 0);
  for (let ms = 0; ms < 3_000; ms += 10) {
    limit.began(ms);
    limit.began(ms);
    limit.failed(ms, ms + 1);
    limit.answered(ms, ms + 9);
  }
  assert.ok(Math.abs(limit.baselineMs - 9) < 0.1, `${limit.baselineMs}`);
});

describe("a proof with half as many under way", () => {
  const before = { tookMs: 40, perMs: 1, waiting: 40 };
  const during = (perMs: number, tookMs: number) => ({ tookMs, perMs, waiting: perMs * tookMs });

  test("of as many answers: somebody queued, and less of them is nearer to the truth", () => {
    assert.equal(proven(30, before, during(1, 20)), 20);
    assert.equal(proven(15, before, during(1, 20)), 15, "and it was nearer already");
  });

  test("of half as many answers: nobody queued, and what they took is the truth", () => {
    assert.equal(proven(30, before, during(0.5, 40)), 40);
    assert.equal(proven(10, before, during(0.5, 40)), 20, "twice as much at most, for once");
  });

  test("that let in as many says nothing", () => {
    assert.equal(proven(30, before, during(1, 39)), 30);
  });
});

const planted: readonly PlantedFault[] = [
  {
    name: "the baseline is never put to the proof",
    file: FILE,
    find: "if (--this.#windowsToProof > 0 && wanted >= this.#limit * CUT_RATIO)",
    replace: "if (wanted > 0)",
  },
  {
    name: "a proof always finds a queue",
    file: FILE,
    find: "answers / waiting < 0.5",
    replace: "answers < 9",
  },
  {
    name: "a proof never finds a queue",
    file: FILE,
    find: "answers / waiting < 0.5",
    replace: "answers > 9",
  },
  {
    name: "who is important has no more room than the others",
    file: FILE,
    find: "this.#waiting < this.#room(priority)",
    replace: 'this.#waiting < this.#room("low")',
  },
];

describe("the simulation finds it when", () => {
  for (const fault of planted) {
    test(fault.name, async () => {
      await importPlanted<Module>(FILE, fault, (module) => {
        const slower = { ...overload, serviceMs: 80 };
        const phases = [{ ...calm, serviceMs: 20 }, { ...overload, serviceMs: 20 }, slower, slower];
        const told = live(8, phases, "random", { Limit: module.ConcurrencyLimit });
        const [, during, , late] = told as [Told, Told, Told, Told];
        const isFine =
          during.goodput >= 0.9 &&
          during.highLost <= during.arrived * overload.highRatio * 0.04 &&
          during.highMs <= 20 * 25 &&
          late.goodput >= 0.85;
        assert.ok(!isFine, JSON.stringify([during, late]));
      });
    });
  }
});

test("a limit that nothing but answers can lower lets a service go under for ever", async () => {
  const fault = {
    name: "who gives up tells nothing",
    file: FILE,
    find: "if (forMs >= WINDOW_MS_MAX)",
    replace: "if (forMs < 0)",
  };
  await importPlanted<Module>(FILE, fault, (module) => {
    assert.ok(answeredInTime(module.ConcurrencyLimit) < 30);
  });
});

interface Module {
  readonly ConcurrencyLimit: typeof ConcurrencyLimit;
}
