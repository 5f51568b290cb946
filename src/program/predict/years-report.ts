// What `nines simulate --json` prints: stable fields, each with its meaning, from which
// docs/reference/simulate.md is written. Fields may be added; none is renamed or given another
// meaning.

import type { Blame } from "../../../sim/years/blame.ts";
import type { LoadedYears } from "../../../sim/years/load.ts";
import type { Spread } from "../../../sim/years/sample.ts";
import type { Bounds, ServiceYears, YearsResult } from "../../../sim/years/simulate-years.ts";
import { sayPercent } from "../../core/base/percent.ts";
import { minutesPerYear } from "../../core/model/availability.ts";
import type { PredictedGateway } from "../../core/predict/deployment.ts";
import type { Interval, ServicePrediction } from "../../core/predict/predict.ts";
import { type Part, partOfCause } from "./years-difference.ts";

export interface YearsReport {
  readonly service: string;
  readonly instances: number;
  readonly needed: number;
  readonly years: number;
  readonly lifetimes: number;
  readonly seed: number;
  readonly confidence: number;
  readonly unavailability: Bounds;
  readonly minutesPerYear: Bounds;
  readonly down: Bounds;
  readonly belowFull: Bounds;
  readonly unanswered: Bounds;
  readonly outagesPerYear: number;
  readonly incidentsPerYear: number;
  readonly detectMs: Spread | null;
  readonly transferMs: Spread | null;
  readonly recoverMs: Spread | null;
  readonly blames: readonly { readonly blame: Blame; readonly minutesPerYear: number }[];
  readonly worst: readonly {
    readonly lastedMs: number;
    readonly sentence: string;
    readonly replay: string;
  }[];
  readonly load: LoadedYears | null;
  readonly model: Interval | null;
  readonly modelTimes: {
    readonly detectMs: number;
    readonly transferMs: number;
    readonly recoverMs: number;
  } | null;
  readonly modelParts: readonly { readonly part: Part; readonly minutesPerYear: number }[];
  readonly cautions: readonly string[];
}

export const yearsFields: Readonly<Record<keyof YearsReport, string>> = {
  service: "whose it is",
  instances: "how many there are, backups and standbys included",
  needed: "with fewer than so many in traffic, it is down",
  years: "how many were simulated",
  lifetimes: "in so many lives of a deployment, each from a seed of its own",
  seed: "from which all chance comes: the same seed, the same years",
  confidence: "with which each `lower` and `upper` holds",
  unavailability:
    "the share of the time that it was down, and of the requests that were lost while it was up, an overload's with them",
  minutesPerYear: "the same as minutes of a year of 365 days",
  down: "the share of the time with fewer than needed in traffic",
  belowFull: "the share of the time with less than full strength",
  unanswered:
    "the share of all its requests that were lost, also those that the rest answered while it was down",
  outagesPerYear: "times that it went down, a year",
  incidentsPerYear: "incidents, by the account that control keeps, a year",
  detectMs: "t1 of the incidents: mean, quantiles and the longest; `null` without any",
  transferMs: "t2",
  recoverMs: "t3",
  blames: "what the unavailability is made of, in minutes a year, largest first",
  worst: "the longest outages: how long, what failed, and the words for `--replay`",
  load: "how its answers fare by the queueing model over all states; `null` where the load is not known",
  model: "the unavailability that `nines model` says",
  modelTimes: "the means of t1, t2 and t3 that it says",
  modelParts: "what it says that each part takes, in minutes a year; parts may overlap",
  cautions: "what is to be borne in mind with these figures",
};

const msPerHour = 3_600_000;

export function yearsReport(
  result: YearsResult,
  models: readonly ServicePrediction[],
  gateway: PredictedGateway | undefined,
): readonly YearsReport[] {
  const { years, lifetimes, seed, confidence } = result;
  return result.services.map((one): YearsReport => {
    const { name, instances, needed, unavailability, down, belowFull, unanswered } = one;
    const model = models.find((each) => each.name === name);
    return {
      service: name,
      instances,
      needed,
      years,
      lifetimes,
      seed,
      confidence,
      unavailability,
      minutesPerYear: inMinutes(unavailability),
      down,
      belowFull,
      unanswered,
      outagesPerYear: one.outages / years,
      incidentsPerYear: one.incidents / years,
      detectMs: one.detectMs ?? null,
      transferMs: one.transferMs ?? null,
      recoverMs: one.recoverMs ?? null,
      blames: blamesOf(one),
      worst: one.worst.map(({ lastedMs, sentence, seed: own, atMs }) => {
        return { lastedMs, sentence, replay: `${own}@${(atMs / msPerHour).toFixed(4)}` };
      }),
      load: one.load ?? null,
      model: model?.unavailability ?? null,
      modelTimes: model === undefined ? null : timesOf(model),
      modelParts: model === undefined ? [] : partsOf(model),
      cautions: cautionsOf(one, gateway),
    };
  });
}

function inMinutes({ value, lower, upper }: Bounds): Bounds {
  const of = (share: number): number => share * minutesPerYear;
  return { value: of(value), lower: of(lower), upper: of(upper) };
}

function blamesOf({ byBlame }: ServiceYears): YearsReport["blames"] {
  const shares = Object.entries(byBlame) as [Blame, number][];
  return shares
    .map(([blame, share]) => ({ blame, minutesPerYear: share * minutesPerYear }))
    .filter((one) => one.minutesPerYear > 0)
    .sort((a, b) => b.minutesPerYear - a.minutesPerYear);
}

function timesOf({ times }: ServicePrediction): YearsReport["modelTimes"] {
  const { detectMs, transferMs, recoverMs } = times;
  return { detectMs, transferMs, recoverMs };
}

function partsOf({ contributions, overloaded }: ServicePrediction): YearsReport["modelParts"] {
  const minutes = new Map<Part, number>();
  if (overloaded > 0) minutes.set("load", overloaded * minutesPerYear);
  for (const { cause, unavailability } of contributions) {
    const part = partOfCause[cause];
    minutes.set(part, (minutes.get(part) ?? 0) + unavailability * minutesPerYear);
  }
  return [...minutes].map(([part, each]) => ({ part, minutesPerYear: each }));
}

const neverDrawn =
  "failures come at constant rates, whatever the age of what fails, and none of them makes an " +
  "instance slow: it is well, wrong, hung or gone";

function cautionsOf(
  { load, byBlame }: ServiceYears,
  gateway: PredictedGateway | undefined,
): readonly string[] {
  const cautions: string[] = [];
  if (load !== undefined && load.utilisation >= 1) {
    cautions.push(
      `rho is ${load.utilisation.toFixed(2)} with all ${load.places} in traffic: the load is more ` +
        `than they serve, whatever works; ${sayPercent(byBlame.load)} of the requests count as lost`,
    );
  }
  const [first, ...more] = gateway?.machines ?? [];
  if (first !== undefined && more.length > 0) {
    cautions.push(
      `the file has the gateway on ${more.length + 1} machines; here it runs on ${first} alone, ` +
        "and what its failures take is too much",
    );
  }
  return [...cautions, neverDrawn];
}
