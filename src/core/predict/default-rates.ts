// From what was measured, what the file says and what is assumed, one set of rates.
//
// What the file says wins: its writer knows more. Then what was measured here, from five failures
// on and only while Laplace's test does not object: a mean time between failures of something that
// gets better or worse is the mean of nothing. Else an assumption, taken to be right within a
// factor of three. None of the assumptions is a measurement of your service; they are round figures
// near published ones, so that a first prediction has the right order, and each is printed as what
// it is.

import { assert } from "../base/assert.ts";
import { fitExponential } from "../model/reliability/poisson.ts";
import { laplaceTrend } from "../model/reliability/trend.ts";
import type { Chance, Duration, Rate, Rates, ServiceRates, Source, Uncertain } from "./rates.ts";

/** What the file says of one cause; times in milliseconds. */
export interface CauseSaid {
  /** Mean time between two failures of one thing. */
  readonly everyMs?: number;
  readonly repairMs?: number;
}

export const serviceCauses = ["crash", "hang", "gray", "endpoint"] as const;
export const sharedCauses = ["machine", "zone", "gatewayWorker", "gateway", "control"] as const;
export type ServiceCause = (typeof serviceCauses)[number];
export type SharedCause = (typeof sharedCauses)[number];

export interface ServiceRatesSaid extends Partial<Record<ServiceCause, CauseSaid>> {
  readonly commonCause?: number;
  readonly startFails?: number;
  readonly startMs?: number;
}

export interface RatesSaid extends ServiceRatesSaid, Partial<Record<SharedCause, CauseSaid>> {}

/** What was seen of one cause of one service. */
export interface Seen {
  /** When each failure came, in hours since watching began, in order. */
  readonly atHours: readonly number[];
  /** How long it was watched. */
  readonly hours: number;
  /** How many instances were watched at once, on average. */
  readonly instances: number;
}

export interface ServiceSeen {
  readonly crash?: Seen;
  readonly hang?: Seen;
  readonly endpoint?: Seen;
  /** Starts after a crash, each to its first passed check. */
  readonly startsMs: readonly number[];
}

const hoursPerDay = 24;
const msPerHour = 3_600_000;
const failuresMin = 5;
const confidence = 0.9;
/** Below it, a constant rate is no longer believed. */
const trendPValueMin = 0.05;
const assumedWithin = 3;

interface Assumed {
  readonly everyDays: number;
  readonly reason: string;
  readonly repair?: {
    readonly kind: Duration["kind"];
    readonly meanMs: number;
    readonly reason: string;
  };
}

const minute = 60_000;

/** What is assumed of each cause, and why. docs/reference/predict.md prints it. */
export const assumed: Readonly<Record<ServiceCause | SharedCause, Assumed>> = {
  crash: { everyDays: 30, reason: "an assumption: a process ends once a month" },
  hang: {
    everyDays: 90,
    repair: {
      kind: "lognormal",
      meanMs: 30 * minute,
      reason: "an assumption: half an hour until a person ends it",
    },
    reason: "an assumption: a third as often as crashes",
  },
  gray: {
    everyDays: 365,
    repair: {
      kind: "lognormal",
      meanMs: 30 * minute,
      reason: "an assumption: half an hour until a person ends it",
    },
    reason:
      "an assumption: once a year; that checks miss failures, and that these break the most, is " +
      "seen (Huang et al., Gray Failure, HotOS 2017), but nobody tells how often",
  },
  endpoint: {
    everyDays: 60,
    repair: {
      kind: "lognormal",
      meanMs: 10 * minute,
      reason: "an assumption: until its own keeper has restarted it",
    },
    reason: "an assumption: gone every two months",
  },
  machine: {
    everyDays: 180,
    repair: { kind: "lognormal", meanMs: 60 * minute, reason: "an assumption: an hour" },
    reason: "servers crash at least twice a year (Dean, keynote of LADIS 2009)",
  },
  zone: {
    everyDays: 730,
    repair: { kind: "lognormal", meanMs: 120 * minute, reason: "an assumption: two hours" },
    reason: "an assumption: power or network fails every two years",
  },
  gatewayWorker: { everyDays: 90, reason: "an assumption: less often than a service's processes" },
  gateway: { everyDays: 3650, reason: "an assumption: its processes watch each other" },
  control: {
    everyDays: 90,
    repair: {
      kind: "fixed",
      meanMs: 5_000,
      reason: "an assumption: started again by systemd within seconds",
    },
    reason: "an assumption: less often than a service's processes",
  },
};

export const assumedChances = {
  commonCause: {
    value: 0.05,
    reason:
      "an assumption: beta is 0.5 to 10 % for channels of hardware (IEC 61508-6, table D.4); " +
      "instances of one program are more alike than most of them",
  },
  startFails: { value: 0.01, reason: "an assumption: one start in a hundred" },
} as const;

export const assumedStart = {
  meanMs: 2_000,
  reason: "an assumption: two seconds until the first passed check",
} as const;

/** Standard deviation / mean of times that people are part of. */
const repairVariation = 1;

export function ratesOf(given: {
  readonly services: readonly string[];
  readonly said: RatesSaid;
  readonly saidOf: Readonly<Record<string, ServiceRatesSaid>>;
  readonly seen: Readonly<Record<string, ServiceSeen>>;
}): Rates {
  const { said, saidOf, seen } = given;
  const shared = (cause: SharedCause) =>
    rateOf(cause, said[cause], `predict.rates.${cause}.every`, undefined);
  const repair = (cause: SharedCause) =>
    repairOf(cause, said[cause], `predict.rates.${cause}.repair`);
  return {
    services: Object.fromEntries(
      given.services.map((name) => [name, serviceRates(name, said, saidOf[name], seen[name])]),
    ),
    machine: shared("machine"),
    machineRepair: repair("machine"),
    zone: shared("zone"),
    zoneRepair: repair("zone"),
    gatewayWorker: shared("gatewayWorker"),
    gateway: shared("gateway"),
    control: shared("control"),
    controlRepair: repair("control"),
  };
}

function serviceRates(
  name: string,
  general: RatesSaid,
  own: ServiceRatesSaid | undefined,
  seen: ServiceSeen | undefined,
): ServiceRates {
  const placeOf = (key: keyof ServiceRatesSaid) =>
    own?.[key] === undefined ? `predict.rates.${key}` : `predict.services.${name}.rates.${key}`;
  const saidOf = (cause: ServiceCause) => own?.[cause] ?? general[cause];
  const rate = (cause: ServiceCause) => {
    const counted = cause === "gray" ? undefined : seen?.[cause];
    return rateOf(cause, saidOf(cause), `${placeOf(cause)}.every`, counted);
  };
  const repair = (cause: ServiceCause) =>
    repairOf(cause, saidOf(cause), `${placeOf(cause)}.repair`);
  const chance = (key: "commonCause" | "startFails") =>
    chanceOf(key, own?.[key] ?? general[key], placeOf(key));
  return {
    crash: rate("crash"),
    hang: rate("hang"),
    gray: rate("gray"),
    endpoint: rate("endpoint"),
    commonCause: chance("commonCause"),
    startFails: chance("startFails"),
    start: startOf(own?.startMs ?? general.startMs, placeOf("startMs"), seen?.startsMs ?? []),
    hangRepair: repair("hang"),
    endpointRepair: repair("endpoint"),
    grayRepair: repair("gray"),
  };
}

function rateOf(
  cause: ServiceCause | SharedCause,
  said: CauseSaid | undefined,
  key: string,
  seen: Seen | undefined,
): Rate {
  if (said?.everyMs !== undefined) return exactly(msPerHour / said.everyMs, { kind: "file", key });
  const objection = seen === undefined ? "" : objectionTo(seen);
  if (seen !== undefined && objection === "") return measured(seen);
  const { everyDays, reason } = assumed[cause];
  return roughly(1 / (everyDays * hoursPerDay), `${reason}${objection}`);
}

/** Why what was seen is no rate; empty when it is one. */
function objectionTo({ atHours, hours }: Seen): string {
  const count = atHours.length;
  if (count === 0) return `; none was seen in ${sayHours(hours)}`;
  const said = `${count} ${count === 1 ? "was" : "were"} seen in ${sayHours(hours)}`;
  if (count < failuresMin) return `; ${said}, too few to count`;
  const { statistic, pValue } = laplaceTrend({ times: atHours, end: hours });
  if (pValue >= trendPValueMin) return "";
  const way = statistic > 0 ? "more and more often" : "less and less often";
  return `; ${said}, but ${way} (Laplace ${statistic.toFixed(1)}), so no rate holds`;
}

function measured({ atHours, hours, instances }: Seen): Rate {
  const unitHours = hours * instances;
  const fit = fitExponential({ failures: atHours.length, totalTime: unitHours, confidence });
  return {
    value: atHours.length / unitHours,
    lower: fit.rateLower,
    upper: fit.rateUpper,
    source: { kind: "measured", events: atHours.length, hours },
  };
}

function sayHours(hours: number): string {
  return hours < 48 ? `${Number(hours.toPrecision(2))} h` : `${Math.round(hours / hoursPerDay)} d`;
}

function chanceOf(
  key: "commonCause" | "startFails",
  said: number | undefined,
  place: string,
): Chance {
  if (said !== undefined) return exactly(said, { kind: "file", key: place });
  return roughly(assumedChances[key].value, assumedChances[key].reason);
}

function repairOf(
  cause: ServiceCause | SharedCause,
  said: CauseSaid | undefined,
  key: string,
): Duration {
  const { repair } = assumed[cause];
  assert(repair !== undefined, `${cause} has a time until mended`);
  if (said?.repairMs !== undefined) {
    return durationOf(repair.kind, said.repairMs, { kind: "file", key });
  }
  return durationOf(repair.kind, repair.meanMs, { kind: "default", reason: repair.reason });
}

function startOf(saidMs: number | undefined, place: string, seenMs: readonly number[]): Duration {
  if (saidMs !== undefined) {
    return durationOf("fixed", saidMs, { kind: "file", key: place.replace(/Ms$/, "") });
  }
  if (seenMs.length < failuresMin) {
    return durationOf("fixed", assumedStart.meanMs, {
      kind: "default",
      reason: assumedStart.reason,
    });
  }
  const meanMs = seenMs.reduce((sum, ms) => sum + ms, 0) / seenMs.length;
  return durationOf("fixed", meanMs, { kind: "measured", events: seenMs.length, hours: 0 });
}

function durationOf(kind: Duration["kind"], meanMs: number, source: Source): Duration {
  if (kind === "lognormal") return { kind, meanMs, variation: repairVariation, source };
  return { kind, meanMs, source };
}

/** What the file says is not doubted. */
function exactly(value: number, source: Source): Uncertain {
  return { value, lower: value, upper: value, source };
}

/** The mean of a time, and how well it is known: an assumed one within its factor. */
export function meanOf({ meanMs, source }: Duration): Uncertain {
  return source.kind === "default" ? roughly(meanMs, source.reason) : exactly(meanMs, source);
}

function roughly(value: number, reason: string): Uncertain {
  const source: Source = { kind: "default", reason };
  return { value, lower: value / assumedWithin, upper: value * assumedWithin, source };
}
