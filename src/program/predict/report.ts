// What `nines model --json` prints: stable fields, each with its meaning, from which
// docs/reference/predict.md is written. Fields may be added; none is renamed or given another
// meaning. Unavailability, not availability: the nines are in its digits.

import { minutesPerYear } from "../../core/model/availability.ts";
import { meanOf } from "../../core/predict/default-rates.ts";
import type { Deployment, PredictedService } from "../../core/predict/deployment.ts";
import type { Interval, ServicePrediction } from "../../core/predict/predict.ts";
import type { Cause, Duration, Rates, Source, Uncertain } from "../../core/predict/rates.ts";

export interface RateReport {
  readonly what: string;
  /** Mean time between two failures of one thing; null for probabilities and times. */
  readonly everyMs: number | null;
  /** Failures an hour, a probability, or milliseconds. */
  readonly value: number;
  readonly lower: number;
  readonly upper: number;
  readonly source: Source["kind"];
  readonly reason: string;
}

export interface ModelReport {
  readonly service: string;
  readonly mode: string;
  readonly instances: number;
  readonly needed: number;
  readonly unavailability: Interval;
  readonly minutesPerYear: Interval;
  readonly down: number;
  readonly unnoticed: number;
  readonly overloaded: number;
  readonly failuresPerYear: number;
  readonly detectMs: number;
  readonly transferMs: number;
  readonly recoverMs: number;
  readonly contributions: readonly {
    readonly cause: Cause;
    readonly minutesPerYear: number;
  }[];
  readonly changes: readonly {
    readonly change: string;
    readonly unavailabilityLess: Interval;
    readonly minutesPerYearLess: Interval;
  }[];
  readonly cautions: readonly string[];
  readonly rates: readonly RateReport[];
}

export const modelFields: Readonly<Record<keyof ModelReport, string>> = {
  service: "whose it is",
  mode: "who of it takes traffic: `active-active`, `primary-standby` or `hot-standby`",
  instances: "how many there are, backups and standbys included",
  needed: "with fewer than so many in traffic, it is down",
  unavailability: "the share of its requests that is not served: `value`, and bounds of 90 %",
  minutesPerYear: "the same as minutes of a year of 365 days",
  down: "of the unavailability, the time with fewer than needed in traffic",
  unnoticed: "of the rest, requests that meet what has failed and nobody has noticed yet",
  overloaded: "of what is left, requests that are more than all in traffic serve",
  failuresPerYear: "failures of its instances that Nines sees, in a year",
  detectMs: "t1 of such a failure, on average: until it is seen",
  transferMs: "t2: until traffic goes elsewhere",
  recoverMs: "t3: until the instance is back",
  contributions: "minutes a year that would be gained if a cause never happened, largest first",
  changes: "what changes would buy, best first; negative where one does harm",
  cautions: "what is to be borne in mind with these figures",
  rates:
    "what went in: `value` with bounds of 90 %, whether `measured`, `file` or `default`, and why",
};

export function modelReport(
  prediction: ServicePrediction,
  deployment: Deployment,
  rates: Rates,
): ModelReport {
  const { name, instances, needed, unavailability, down, unnoticed, overloaded, times } =
    prediction;
  const service = deployment.services.find((one) => one.name === name) as PredictedService;
  return {
    service: name,
    mode: service.mode,
    instances,
    needed,
    unavailability,
    minutesPerYear: inMinutes(unavailability),
    down,
    unnoticed,
    overloaded,
    failuresPerYear: times.perYear,
    detectMs: times.detectMs,
    transferMs: times.transferMs,
    recoverMs: times.recoverMs,
    contributions: prediction.contributions.map(({ cause, unavailability: share }) => ({
      cause,
      minutesPerYear: share * minutesPerYear,
    })),
    changes: prediction.gains.map(({ what, gained }) => ({
      change: what,
      unavailabilityLess: gained,
      minutesPerYearLess: inMinutes(gained),
    })),
    cautions: prediction.cautions,
    rates: rateReports(service, deployment, rates),
  };
}

function inMinutes({ value, lower, upper }: Interval): Interval {
  const minutes = (share: number) => share * minutesPerYear;
  return { value: minutes(value), lower: minutes(lower), upper: minutes(upper) };
}

/** Those that this service's figures are made of. */
function rateReports(
  { name, instances, throughGateway }: PredictedService,
  { gateway }: Deployment,
  rates: Rates,
): readonly RateReport[] {
  const own = rates.services[name];
  if (own === undefined) return [];
  const hasProcess = instances.some(({ kind }) => kind === "process");
  const hasEndpoint = instances.some(({ kind }) => kind === "endpoint");
  const hasGateway = throughGateway && gateway !== undefined;
  const when = (shown: boolean, ...made: readonly RateReport[]) => (shown ? made : []);
  return [
    ...when(hasProcess, rateReport("crash", own.crash)),
    ...when(hasEndpoint, rateReport("endpoint", own.endpoint)),
    ...when(hasEndpoint, timeReport("endpoint, until back", own.endpointRepair)),
    rateReport("hang", own.hang),
    timeReport("hang, until it ends by itself", own.hangRepair),
    rateReport("gray", own.gray),
    timeReport("gray, until a person ends it", own.grayRepair),
    ...when(hasProcess, chanceReport("commonCause, of crashes", own.commonCause)),
    ...when(hasProcess, chanceReport("startFails, of starts", own.startFails)),
    ...when(hasProcess, timeReport("start, until its first passed check", own.start)),
    rateReport("machine", rates.machine),
    timeReport("machine, until back", rates.machineRepair),
    rateReport("zone", rates.zone),
    timeReport("zone, until back", rates.zoneRepair),
    ...when(hasGateway, rateReport("gatewayWorker", rates.gatewayWorker)),
    ...when(hasGateway, rateReport("gateway", rates.gateway)),
    rateReport("control", rates.control),
    timeReport("control, until back", rates.controlRepair),
  ];
}

const msPerHour = 3_600_000;

function rateReport(what: string, rate: Uncertain): RateReport {
  return { ...chanceReport(what, rate), everyMs: msPerHour / rate.value };
}

function chanceReport(what: string, { value, lower, upper, source }: Uncertain): RateReport {
  const [kind, reason] = [source.kind, reasonOf(source)];
  return { what, everyMs: null, value, lower, upper, source: kind, reason };
}

function timeReport(what: string, time: Duration): RateReport {
  return chanceReport(what, meanOf(time));
}

function reasonOf(source: Source): string {
  switch (source.kind) {
    case "file":
      return source.key;
    case "default":
      return source.reason;
    case "measured": {
      const hours = source.hours === 0 ? "" : ` in ${Math.round(source.hours)} h`;
      return `${source.events} were seen here${hours}`;
    }
  }
}
