// The account of one service over one lifetime: for how long it was up, at full strength, down, and
// what its clients lost meanwhile.
//
// What is up is judged by the truth of the simulated world, and not by what control thinks of it:
// so many of its places in traffic are filled by programs that work, behind a gateway that runs,
// and all that it depends on is up as well. While clients call (callers.ts) losses are counted;
// between, what they met last goes on for as long as nothing happens, and is nothing at full
// strength. A service that nobody calls through a route of http is judged by its standing alone.

import type { PredictedService } from "../../src/core/predict/deployment.ts";
import { type Blame, blameOf } from "./blame.ts";
import { callsPerSecond } from "./callers.ts";
import type { Strike } from "./faults.ts";

/** How a service stands at one moment. */
export interface Standing {
  /** Places in traffic that are filled by programs that work. */
  readonly working: number;
  readonly isUp: boolean;
  readonly isWhole: boolean;
}

/** A time for which the service was down. */
export interface Outage {
  readonly service: string;
  readonly atMs: number;
  readonly lastedMs: number;
  readonly strikes: readonly Strike[];
}

export interface Sums {
  timeMs: number;
  upMs: number;
  wholeMs: number;
  /** While it was up: time for which as many requests come in as were lost. */
  lostMs: number;
  /** The same of all requests, while it was down as well. */
  unansweredMs: number;
  /** Down and lost, by what is to blame. */
  readonly byBlame: Map<Blame, number>;
  /** Time by number of places that are filled. */
  readonly byWorking: Map<number, number>;
}

const callMs = 1000 / callsPerSecond;
/** So many calls show how a service fares of whose instances in traffic not all answer. */
const callsMin = 20;
const strikesMax = 32;
/** Two outages this close are one: a service that comes and goes is not up between. */
const sameWithinMs = 1_000;
/** A fault is told of at the moment at which it hits, or a moment after. */
const strikeMs = 1;
const down: Standing = { working: 0, isUp: false, isWhole: false };

export class Ledger {
  readonly service: PredictedService;
  readonly sums: Sums = emptySums();
  /** Clients call it when something happens. */
  readonly #isCalled: boolean;
  readonly #ended: (outage: Outage) => void;
  #standing: Standing = down;
  #sinceMs: number;
  /** Since it was at full strength last. */
  #strikes: Strike[] = [];
  #outage: Outage | undefined;
  #areCalling = false;
  #calls = 0;
  #lost = 0;
  /** What of the requests is lost while nobody calls. */
  #lossShare = 0;

  constructor(
    service: PredictedService,
    isCalled: boolean,
    nowMs: number,
    ended: (outage: Outage) => void,
  ) {
    this.service = service;
    this.#isCalled = isCalled;
    this.#sinceMs = nowMs;
    this.#ended = ended;
  }

  get standing(): Standing {
    return this.#standing;
  }

  struck(strike: Strike): void {
    this.#strikes.push(strike);
    if (this.#strikes.length > strikesMax) this.#strikes.shift();
  }

  /** Whether it stands otherwise than before. */
  stands(standing: Standing, nowMs: number): boolean {
    const before = this.#standing;
    const { working, isUp, isWhole } = standing;
    if (working === before.working && isUp === before.isUp && isWhole === before.isWhole) {
      return false;
    }
    this.settle(nowMs);
    this.happened();
    this.#standing = standing;
    if (isWhole) this.#lossShare = 0;
    if (!this.#isCalled) this.#lossShare = working === 0 ? 1 : 0;
    if (before.isUp && !isUp) this.#goesDown(nowMs);
    // What was before it was at full strength explains nothing that comes.
    if (before.isWhole)
      this.#strikes = this.#strikes.filter(({ atMs }) => atMs >= nowMs - strikeMs);
    return true;
  }

  /** Time has passed in which it stood as it stands. */
  settle(nowMs: number): void {
    const forMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    if (forMs <= 0) return;
    const { working, isUp, isWhole } = this.#standing;
    const { sums } = this;
    sums.timeMs += forMs;
    if (isUp) sums.upMs += forMs;
    else this.#wasDown(forMs);
    if (isWhole) sums.wholeMs += forMs;
    sums.byWorking.set(working, (sums.byWorking.get(working) ?? 0) + forMs);
    if (!this.#areCalling) this.#lose(forMs * this.#lossShare);
  }

  /** Clients call: what they meet counts one by one. */
  callersCame(nowMs: number): void {
    if (!this.#isCalled) return;
    this.settle(nowMs);
    this.#areCalling = true;
    this.happened();
  }

  /** They go: what they met since something happened last goes on, unless all are answered now. */
  callersWent(areAllAnswered: boolean, nowMs: number): void {
    if (!this.#isCalled) return;
    this.settle(nowMs);
    this.#areCalling = false;
    const { working, isWhole } = this.#standing;
    const met = this.#calls === 0 ? 0 : this.#lost / this.#calls;
    this.#lossShare = working === 0 ? 1 : isWhole || areAllAnswered ? 0 : met;
  }

  /** Nothing more is to be learned from calls. */
  get isHeard(): boolean {
    const { working, isWhole } = this.#standing;
    return !this.#isCalled || isWhole || working === 0 || this.#calls >= callsMin;
  }

  /** From now on calls show how it fares as it is now. */
  happened(): void {
    this.#calls = 0;
    this.#lost = 0;
  }

  called(isLost: boolean): void {
    this.#calls++;
    if (!isLost) return;
    this.#lost++;
    this.#lose(callMs);
  }

  /** The lifetime is over. */
  close(nowMs: number): void {
    this.settle(nowMs);
    if (this.#outage !== undefined) this.#ended(this.#outage);
    this.#outage = undefined;
  }

  #lose(ms: number): void {
    if (ms === 0) return;
    this.sums.unansweredMs += ms;
    if (!this.#standing.isUp) return;
    this.sums.lostMs += ms;
    this.#blame(ms);
  }

  #blame(ms: number): void {
    const { byBlame } = this.sums;
    const blame = blameOf(this.#strikes);
    byBlame.set(blame, (byBlame.get(blame) ?? 0) + ms);
  }

  #goesDown(nowMs: number): void {
    const last = this.#outage;
    if (last !== undefined && nowMs - last.atMs - last.lastedMs < sameWithinMs) return;
    if (last !== undefined) this.#ended(last);
    this.#outage = { service: this.service.name, atMs: nowMs, lastedMs: 0, strikes: [] };
  }

  #wasDown(forMs: number): void {
    this.#blame(forMs);
    const outage = this.#outage;
    if (outage === undefined) return;
    const lastedMs = this.#sinceMs - outage.atMs;
    this.#outage = { ...outage, lastedMs, strikes: [...this.#strikes] };
  }
}

export function emptySums(): Sums {
  return {
    timeMs: 0,
    upMs: 0,
    wholeMs: 0,
    lostMs: 0,
    unansweredMs: 0,
    byBlame: new Map(),
    byWorking: new Map(),
  };
}
