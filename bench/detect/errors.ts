// Which instance answers errors: the worker's outlier detector beside a limit of errors in a row
// that does not look at the others, which is what proxies have. The histories are generated, five
// instances each; at the end one of them fails always or half of the time.

import { createPrng, type Random } from "../../src/core/base/prng.ts";
import { Outlier } from "../../src/core/detect/outlier.ts";
import { type Figure, figure, median } from "../shared/figures.ts";
import { alarmsAgainst, delayAgainst } from "./against.ts";

const SEED = 1;
const INSTANCES = 5;
const PER_SECOND = 200;
const WELL_MS = 60_000;
const FAILED_MS = 30_000;
/** As at Nines' defaults. */
const IN_A_ROW = 5;

interface ErrorWorld {
  readonly name: string;
  readonly sentence: string;
  /** Share of errors among the answers of instances that are well. */
  readonly ratio: (nowMs: number) => number;
  /** Share of errors of the one that fails. */
  readonly failing: number;
}

const often = (everyMs: number, forMs: number, nowMs: number): boolean => nowMs % everyMs < forMs;

export const errorWorlds: readonly ErrorWorld[] = [
  {
    name: "rare errors",
    sentence: "One answer in 100 is an error; then one instance answers nothing else.",
    ratio: () => 0.01,
    failing: 1,
  },
  {
    name: "bad requests",
    sentence: "For two seconds in 15, four requests in five fail, whoever takes them.",
    ratio: (nowMs) => (often(15_000, 2_000, nowMs) ? 0.8 : 0.01),
    failing: 1,
  },
  {
    name: "backend",
    sentence: "For one second in 20 everything fails.",
    ratio: (nowMs) => (often(20_000, 1_000, nowMs) ? 1 : 0.01),
    failing: 1,
  },
  {
    name: "now and then",
    sentence: "One instance fails half of the time, and seldom often in a row.",
    ratio: () => 0.01,
    failing: 0.5,
  },
];

interface ErrorHistory {
  readonly world: string;
  readonly answers: readonly {
    readonly atMs: number;
    readonly instance: number;
    readonly isError: boolean;
  }[];
  readonly failing: number;
  readonly failsAtMs: number;
  readonly endsAtMs: number;
}

/** Takes an answer; tells whom it blames now, and forgets what it held against them. */
type ErrorDetector = (instance: number, isError: boolean, nowMs: number) => readonly number[];

function outlier(): ErrorDetector {
  const detector = new Outlier();
  return (instance, isError, nowMs) => {
    if (isError) detector.bad(instance);
    else detector.good(instance);
    const blamed = new Set(detector.sweep(nowMs, INSTANCES).map(({ slot }) => slot));
    if (detector.isOutlier(instance, IN_A_ROW)) blamed.add(instance);
    for (const slot of blamed) detector.forget(slot);
    return [...blamed];
  };
}

function limit(inARow: number): () => ErrorDetector {
  return () => {
    const runs = Array.from({ length: INSTANCES }, () => 0);
    return (instance, isError) => {
      runs[instance] = isError ? (runs[instance] ?? 0) + 1 : 0;
      if ((runs[instance] ?? 0) < inARow) return [];
      runs[instance] = 0;
      return [instance];
    };
  };
}

interface Summary {
  readonly falseAlarms: number;
  readonly falseAlarmsPerHour: number;
  readonly medianDelayMs: number;
}

export function errorFigures(historiesPerWorld: number): readonly Figure[] {
  const random = createPrng(SEED);
  const histories = errorWorlds.flatMap((world) =>
    Array.from({ length: historiesPerWorld }, (_, index) =>
      generate(world, random.stream(`${world.name} ${index}`)),
    ),
  );
  const of = (create: () => ErrorDetector) => summary(create, histories);
  const ours = of(outlier);
  const rare = leastWith((inARow) => of(limit(inARow)).falseAlarms <= ours.falseAlarms);
  const quick = leastWith((inARow) => of(limit(inARow)).medianDelayMs > ours.medianDelayMs) - 1;
  console.log(`For outlier, a limit as rare is ${rare} errors in a row, as quick ${quick}.`);
  const told = { outlier: ours, [`${IN_A_ROW} in a row`]: of(limit(IN_A_ROW)) };
  return [
    delayAgainst("outlier", ours, "a limit as rare", of(limit(rare))),
    alarmsAgainst("outlier", ours, "a limit as quick", of(limit(quick))),
    ...Object.entries(told).flatMap(([name, { medianDelayMs, falseAlarmsPerHour }]) => [
      figure({ name: `${name}: median delay`, value: medianDelayMs, unit: "ms" }),
      figure({ name: `${name}: false alarms an hour`, value: falseAlarmsPerHour, unit: "alarms" }),
    ]),
  ];
}

function generate(world: ErrorWorld, random: Random): ErrorHistory {
  const failsAtMs = WELL_MS * (0.8 + 0.2 * random.ratio());
  const endsAtMs = failsAtMs + FAILED_MS;
  const failing = Math.floor(random.ratio() * INSTANCES);
  const answers: ErrorHistory["answers"][number][] = [];
  for (let atMs = 0; atMs < endsAtMs; ) {
    atMs += (-Math.log(1 - random.ratio()) * 1_000) / PER_SECOND;
    const instance = Math.floor(random.ratio() * INSTANCES);
    const failed = instance === failing && atMs >= failsAtMs;
    const ratio = failed ? world.failing : world.ratio(atMs);
    answers.push({ atMs, instance, isError: random.ratio() < ratio });
  }
  return { world: world.name, answers, failing, failsAtMs, endsAtMs };
}

function summary(create: () => ErrorDetector, histories: readonly ErrorHistory[]): Summary {
  const courses = histories.map((history) => followErrors(create(), history));
  const falseAlarms = courses.reduce((sum, course) => sum + course.falseAlarms, 0);
  const hours = histories.reduce((sum, { failsAtMs }) => sum + failsAtMs, 0) / 3_600_000;
  return {
    falseAlarms,
    falseAlarmsPerHour: falseAlarms / hours,
    medianDelayMs: median(courses.map(({ delayMs }) => delayMs)),
  };
}

function followErrors(
  detect: ErrorDetector,
  history: ErrorHistory,
): { readonly falseAlarms: number; readonly delayMs: number } {
  const { failing, failsAtMs, endsAtMs } = history;
  let falseAlarms = 0;
  for (const { atMs, instance, isError } of history.answers) {
    for (const blamed of detect(instance, isError, atMs)) {
      if (blamed === failing && atMs >= failsAtMs)
        return { falseAlarms, delayMs: atMs - failsAtMs };
      falseAlarms++;
    }
  }
  return { falseAlarms, delayMs: endsAtMs - failsAtMs };
}

/** The least limit of which it holds; what it is asked about only ever turns true. */
function leastWith(holds: (inARow: number) => boolean): number {
  let inARow = 1;
  while (inARow < 10_000 && !holds(inARow)) inARow++;
  return inARow;
}
