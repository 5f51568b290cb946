// `npm run bench:balance`: what choosing costs with 10,000 instances in one service, for every
// algorithm, while a tenth of the instances changes each second.
//
// The dispatcher runs as in a worker, on virtual time: 20,000 requests a second, 200 of them under
// way at once. Each is chosen, started, awaited, answered and finished. Each second 250 instances
// refuse a connection and are ejected, those of the second before are probed and readmitted, and
// one table makes 250 drain and takes 250 back: a thousand changes. The figure is the CPU time of
// all of that divided by the requests, tables included; beside it what a table takes alone, and
// what is allocated for a request while nothing changes (numbers that are handed from function to
// function; no objects). Then what becomes of the requests (spread.ts).

import { hashes } from "../../src/core/balance/algorithms.ts";
import { createPrng } from "../../src/core/base/prng.ts";
import { createDispatcher } from "../../src/core/dispatch/create-dispatcher.ts";
import { type Dispatcher, outcome } from "../../src/core/dispatch/dispatcher.ts";
import {
  type BalanceAlgorithm,
  type BalanceRule,
  balanceAlgorithms,
  plainRule,
  plainService,
  type TableInstance,
  type TableService,
} from "../../src/core/route/table.ts";
import { type Figure, figure, median, printFigures } from "../shared/figures.ts";
import { spreadFigures } from "./spread.ts";

const INSTANCES = 10_000;
const REQUESTS_PER_SECOND = 20_000;
const UNDER_WAY = 200;
const CHANGES_OF_A_KIND = 250;
const EJECT_EVERY = REQUESTS_PER_SECOND / CHANGES_OF_A_KIND;
/** The promise: of choosing with all state updates, microseconds a request. */
const BAR_US = 2;
const NONE_TRIED = new Int32Array(1);

/** The table of a second: of each forty instances one drains, another one each time. */
function tableOf(second: number): TableService {
  const instances = Array.from({ length: INSTANCES }, (_unused, index): TableInstance => {
    const isDraining = index % (INSTANCES / CHANGES_OF_A_KIND) === second % 10;
    return {
      id: `web-${index + 1}`,
      host: "10.0.0.1",
      port: 1024 + index,
      weight: 1 + (index % 4),
      backup: false,
      verdict: isDraining ? "draining" : "up",
      generation: 1,
      share: 1,
    };
  });
  return { ...plainService, name: "web", instances };
}

class Run {
  readonly dispatcher: Dispatcher;
  readonly #rule: BalanceRule;
  readonly #slots = new Int32Array(UNDER_WAY).fill(-1);
  readonly #beganMs = new Float64Array(UNDER_WAY);
  readonly #random = createPrng(7);
  #requests = 0;
  /** Requests that found nobody. */
  refused = 0;

  constructor(rule: BalanceRule) {
    this.#rule = rule;
    this.dispatcher = createDispatcher(tableOf(0), 0, {
      random: () => this.#random.ratio(),
      onEjection: () => {},
    });
  }

  get nowMs(): number {
    return (this.#requests * 1000) / REQUESTS_PER_SECOND;
  }

  requests(count: number, isEjecting: boolean): void {
    const { dispatcher } = this;
    for (let request = 0; request < count; request++) {
      const turn = this.#requests++;
      const { nowMs } = this;
      this.#end(turn % UNDER_WAY, nowMs);
      const key = Math.imul(turn, 0x9e3779b1);
      const slot = dispatcher.choose(this.#rule, nowMs, key, NONE_TRIED, 0, true);
      if (slot < 0) {
        this.refused++;
        continue;
      }
      dispatcher.started(slot, nowMs);
      if (isEjecting && turn % EJECT_EVERY === 0) {
        dispatcher.finished(slot, nowMs, outcome.connectFailed, 0, false);
        continue;
      }
      dispatcher.awaits(slot, nowMs);
      this.#slots[turn % UNDER_WAY] = slot;
      this.#beganMs[turn % UNDER_WAY] = nowMs;
    }
  }

  #end(index: number, nowMs: number): void {
    const slot = this.#slots[index] as number;
    if (slot < 0) return;
    this.#slots[index] = -1;
    const latencyMs = nowMs - (this.#beganMs[index] as number);
    this.dispatcher.answering(slot, nowMs, latencyMs, latencyMs, true);
    this.dispatcher.finished(slot, nowMs, outcome.answered, latencyMs, false);
  }
}

function cpuMicroseconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

interface Measured {
  readonly requestUs: number;
  readonly swapMs: number;
  readonly bytes: number;
  readonly refused: number;
}

function measure(algorithm: BalanceAlgorithm, seconds: number): Measured {
  const run = new Run({ ...plainRule(algorithm), loadFactor: hashes(algorithm) ? 1.25 : 0 });
  const tables = Array.from({ length: seconds + 2 }, (_unused, second) => tableOf(second));
  const perSecond: number[] = [];
  const swaps: number[] = [];
  for (let second = 1; second <= seconds + 1; second++) {
    const table = tables[second] as TableService;
    const swapUs = cpuMicroseconds(() => run.dispatcher.update(table, run.nowMs));
    const requestsUs = cpuMicroseconds(() => run.requests(REQUESTS_PER_SECOND, true));
    // The first second warms up, and builds what is built once.
    if (second === 1) continue;
    swaps.push(swapUs / 1000);
    perSecond.push((swapUs + requestsUs) / REQUESTS_PER_SECOND);
  }
  const quiet = Array.from({ length: 9 }, () => {
    const before = process.memoryUsage().heapUsed;
    run.requests(5_000, false);
    return (process.memoryUsage().heapUsed - before) / 5_000;
  });
  return {
    requestUs: median(perSecond),
    swapMs: median(swaps),
    bytes: Math.max(0, median(quiet)),
    refused: run.refused,
  };
}

const quick = process.argv.includes("--quick");
const figures: Figure[] = [];
for (const algorithm of balanceAlgorithms) {
  const { requestUs, swapMs, bytes, refused } = measure(algorithm, quick ? 5 : 15);
  figures.push(
    figure({ name: `${algorithm}, a request`, value: requestUs, unit: "us", bar: BAR_US }),
    figure({ name: `${algorithm}, a table`, value: swapMs, unit: "ms" }),
    figure({ name: `${algorithm}, allocated for a request`, value: bytes, unit: "bytes" }),
    figure({ name: `${algorithm}, refused`, value: refused, unit: "requests", bar: 0 }),
  );
}
figures.push(...spreadFigures(quick ? 10_000 : 100_000));
printFigures("balance", figures);
process.exitCode = figures.every(({ ok }) => ok) ? 0 : 1;
