// Thousands of years of a deployment: many lifetimes, one after another, each from a seed of its
// own, and what they say together.
//
// Lifetimes are independent, so the spread of their means is the uncertainty of the whole
// (Student's interval over the lifetimes). Where outages are few their number is what is uncertain,
// and Poisson's bounds on it are taken where they are wider; where there were none, or no incident
// even, one that was not seen may last as long as the slowest repair, and so an upper bound
// remains, and never a certain 100 %. Of each lifetime of up to fifty years its sums are kept,
// beside a sample of times and the worst: some kilobytes for a thousand years.

import type { Incident } from "../../src/core/incident/incident.ts";
import { timesOf } from "../../src/core/incident/incident.ts";
import { NinesError } from "../../src/core/base/errors.ts";
import { createPrng } from "../../src/core/base/prng.ts";
import { minutesPerYear } from "../../src/core/model/availability.ts";
import { estimateMean } from "../../src/core/model/montecarlo/estimate.ts";
import { chiSquareQuantile } from "../../src/core/model/numeric/quantiles.ts";
import type { PredictedService } from "../../src/core/predict/deployment.ts";
import type { Rates } from "../../src/core/predict/rates.ts";
import type { Boundary } from "../world/event-loop.ts";
import { type Blame, blames } from "./blame.ts";
import { emptySums, type Outage, type Sums } from "./ledger.ts";
import { Lifetime, live, settlesMs, type Subject } from "./lifetime.ts";
import { alwaysUnserved, loadOf, type LoadedYears, unservedMs } from "./load.ts";
import { Sample, type Spread } from "./sample.ts";

export interface YearsOptions extends Subject {
  /** Simulated years of all lifetimes together. */
  readonly years: number;
  readonly seed: number;
  readonly boundary: Boundary;
  /** Of the intervals; 0.99 by default. */
  readonly confidence?: number;
  /** Default true; see LifetimeOptions. */
  readonly passesOver?: boolean;
  /** Told after each lifetime how many years are done. */
  readonly onProgress?: (years: number) => void;
}

export interface Bounds {
  readonly value: number;
  readonly lower: number;
  readonly upper: number;
}

/** An outage, and how to see it again. */
export interface WorstOutage extends Outage {
  /** Of its lifetime. */
  readonly seed: number;
  readonly sentence: string;
}

export interface ServiceYears {
  readonly name: string;
  readonly instances: number;
  readonly needed: number;
  /** Share of the time that it was down, and of the requests that were lost while it was up. */
  readonly unavailability: Bounds;
  /** Share of the time with fewer than needed in traffic. */
  readonly down: Bounds;
  /** Share of the time with less than full strength. */
  readonly belowFull: Bounds;
  /** Share of all requests that were lost. */
  readonly unanswered: Bounds;
  readonly outages: number;
  /** By the account of control. */
  readonly incidents: number;
  readonly detectMs: Spread | undefined;
  readonly transferMs: Spread | undefined;
  readonly recoverMs: Spread | undefined;
  /** Share of the time that each is to blame for, of `unavailability`. */
  readonly byBlame: Readonly<Record<Blame, number>>;
  /** Longest first. */
  readonly worst: readonly WorstOutage[];
  /** Undefined where the load is not known. */
  readonly load: LoadedYears | undefined;
}

export interface YearsResult {
  readonly years: number;
  readonly lifetimes: number;
  readonly seed: number;
  readonly confidence: number;
  /** Faults that hit somebody. */
  readonly faults: number;
  readonly services: readonly ServiceYears[];
}

const msPerYear = minutesPerYear * 60_000;
const lifetimesMin = 40;
/** Longer ones would lose the fractions of their milliseconds. */
const lifetimeYearsMax = 50;
const yearsMax = 1_000_000;
const worstMax = 8;
/** From so many on, the spread of the lifetimes tells how uncertain outages are. */
const outagesMany = 50;
const sayMax = 4;

export async function simulateYears(options: YearsOptions): Promise<YearsResult> {
  const { years, seed, deployment, rates, confidence = 0.99 } = options;
  if (!(years > 0 && years <= yearsMax)) {
    const what = `--years must be above 0 and at most ${yearsMax.toLocaleString("en")}.`;
    throw new NinesError("NINES_MODEL_INPUT", what);
  }
  const lifetimes = Math.max(lifetimesMin, Math.ceil(years / lifetimeYearsMax));
  const repairMs = slowestRepairMs(rates);
  const tallies = deployment.services.map((service) => new Tally(service, seed, repairMs));
  let faults = 0;
  for (let number = 1; number <= lifetimes; number++) {
    const own = lifetimeSeed(seed, number);
    const lifetime = await live({
      ...options,
      seed: own,
      lastsMs: (years / lifetimes) * msPerYear,
      onOutage: (outage) => tallyOf(tallies, outage.service)?.outage(outage, own),
      onIncident: (incident) => tallyOf(tallies, incident.service)?.incident(incident),
    });
    faults += lifetime.strikes;
    for (const { service, sums } of lifetime.ledgers) tallyOf(tallies, service.name)?.lived(sums);
    options.onProgress?.((years * number) / lifetimes);
  }
  const services = tallies.map((tally) => tally.result(confidence));
  return { years, lifetimes, seed, confidence, faults, services };
}

/** What happened around one moment of one lifetime, as the trace tells it. */
export async function replay(
  options: Subject & { readonly seed: number; readonly atMs: number; readonly boundary: Boundary },
): Promise<string> {
  const { atMs } = options;
  const untilMs = atMs + replayAfterMs;
  const lifetime = new Lifetime({ ...options, trace: true, lastsMs: untilMs - settlesMs });
  await lifetime.run();
  return lifetime.world.trace.printBetween(atMs - replayBeforeMs, untilMs);
}

const replayBeforeMs = 10_000;
const replayAfterMs = 120_000;

function lifetimeSeed(seed: number, number: number): number {
  return createPrng(seed)
    .stream(`lifetime ${number}`)
    .below(2 ** 32);
}

function tallyOf(tallies: readonly Tally[], service: string): Tally | undefined {
  return tallies.find((one) => one.service.name === service);
}

/** One service over all lifetimes. */
class Tally {
  readonly service: PredictedService;
  readonly #lives: Sums[] = [];
  readonly #detect: Sample;
  readonly #transfer: Sample;
  readonly #recover: Sample;
  readonly #worst: WorstOutage[] = [];
  #outages = 0;
  #incidents = 0;
  /** What an outage may last that was not seen. */
  #longestMs: number;

  constructor(service: PredictedService, seed: number, repairMs: number) {
    this.service = service;
    this.#longestMs = repairMs;
    const random = createPrng(seed).stream(`times of ${service.name}`);
    this.#detect = new Sample(random.stream("detect"));
    this.#transfer = new Sample(random.stream("transfer"));
    this.#recover = new Sample(random.stream("recover"));
  }

  lived(sums: Sums): void {
    this.#lives.push(sums);
  }

  incident(incident: Incident): void {
    const { detectMs, transferMs, recoverMs, totalMs } = timesOf(incident);
    this.#incidents++;
    this.#longestMs = Math.max(this.#longestMs, totalMs ?? 0);
    if (detectMs !== undefined) this.#detect.add(detectMs);
    if (transferMs !== undefined) this.#transfer.add(transferMs);
    if (recoverMs !== undefined) this.#recover.add(recoverMs);
  }

  outage(outage: Outage, seed: number): void {
    this.#outages++;
    const last = this.#worst.at(-1);
    if (this.#worst.length === worstMax && outage.lastedMs <= (last?.lastedMs ?? 0)) return;
    this.#worst.push({ ...outage, seed, sentence: sayStrikes(outage) });
    this.#worst.sort((a, b) => b.lastedMs - a.lastedMs);
    if (this.#worst.length > worstMax) this.#worst.pop();
  }

  result(confidence: number): ServiceYears {
    const { name, instances, needed } = this.service;
    const whole = this.#whole();
    const bounds = (of: (sums: Sums) => number): Bounds => this.#bounds(of, confidence);
    const unserved = (sums: Sums): number => unservedMs(this.service, sums);
    const always = alwaysUnserved(this.service);
    return {
      name,
      instances: instances.length,
      needed,
      unavailability: this.#bounds(
        (sums) => (sums.timeMs - sums.upMs + sums.lostMs + unserved(sums)) / sums.timeMs,
        confidence,
        always,
      ),
      down: bounds(({ timeMs, upMs }) => (timeMs - upMs) / timeMs),
      belowFull: bounds(({ timeMs, wholeMs }) => (timeMs - wholeMs) / timeMs),
      unanswered: this.#bounds(
        (sums) => (sums.unansweredMs + unserved(sums)) / sums.timeMs,
        confidence,
        always,
      ),
      outages: this.#outages,
      incidents: this.#incidents,
      detectMs: this.#detect.spread(),
      transferMs: this.#transfer.spread(),
      recoverMs: this.#recover.spread(),
      byBlame: { ...shares(whole), load: unserved(whole) / whole.timeMs },
      worst: this.#worst,
      load: loadOf(this.service, whole),
    };
  }

  #whole(): Sums {
    const whole = emptySums();
    for (const sums of this.#lives) {
      whole.timeMs += sums.timeMs;
      whole.upMs += sums.upMs;
      for (const [blame, ms] of sums.byBlame) addTo(whole.byBlame, blame, ms);
      for (const [working, ms] of sums.byWorking) addTo(whole.byWorking, working, ms);
    }
    return whole;
  }

  /** `always` of it is lost whatever happens, and is not uncertain by the number of outages. */
  #bounds(of: (sums: Sums) => number, confidence: number, always = 0): Bounds {
    const lives = this.#lives;
    let at = 0;
    const trials = { trials: lives.length, seed: 1, confidence };
    const mean = estimateMean(trials, () => of(lives[at++] as Sums));
    const fewer = poissonFactors(this.#outages, confidence);
    // None was seen, or none that cost anything: that there is none is not said by that.
    const often = Math.max(0, mean.value - always);
    const wasSeen = this.#outages > 0 && often > 0;
    const { timeMs } = this.#whole();
    const unseen = wasSeen ? 0 : (countMost(0, confidence) * this.#longestMs) / timeMs;
    const lower = Math.min(mean.lower, mean.value - often * (1 - fewer.lower));
    const upper = Math.max(mean.upper, mean.value + often * (fewer.upper - 1), always + unseen);
    const value = Math.min(1, mean.value);
    return { value, lower: Math.max(0, lower), upper: Math.min(1, upper) };
  }
}

/** How far the number of outages may be from what was counted; 1 for many. */
function poissonFactors(count: number, confidence: number) {
  if (count === 0 || count >= outagesMany) return { lower: 1, upper: 1 };
  const least = chiSquareQuantile((1 - confidence) / 2, 2 * count) / 2;
  return { lower: least / count, upper: countMost(count, confidence) / count };
}

/** So many may come, on average, where `count` came. */
function countMost(count: number, confidence: number): number {
  return chiSquareQuantile((1 + confidence) / 2, 2 * (count + 1)) / 2;
}

/** The longest mean time until something is mended, of all that the deployment shares. */
function slowestRepairMs({ services, machineRepair, zoneRepair, controlRepair }: Rates): number {
  const own = Object.values(services).flatMap((one) => {
    return [one.start, one.hangRepair, one.endpointRepair, one.grayRepair];
  });
  const repairs = [machineRepair, zoneRepair, controlRepair, ...own];
  return Math.max(...repairs.map(({ meanMs }) => meanMs));
}

function addTo<Key>(map: Map<Key, number>, key: Key, ms: number): void {
  map.set(key, (map.get(key) ?? 0) + ms);
}

function shares({ timeMs, byBlame }: Sums): Record<Blame, number> {
  const names = Object.keys(blames) as Blame[];
  const each = names.map((blame) => [blame, (byBlame.get(blame) ?? 0) / timeMs] as const);
  return Object.fromEntries(each) as Record<Blame, number>;
}

function sayStrikes({ strikes }: Outage): string {
  if (strikes.length === 0) return "no fault was upon it";
  const said = [...new Set(strikes.map(({ sentence }) => sentence))];
  const more = said.length > sayMax ? `, and ${said.length - sayMax} more faults` : "";
  return `${said.slice(0, sayMax).join(", ")}${more}`;
}
