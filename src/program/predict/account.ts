// A prediction as a person reads it, and reads it aloud: how available, what takes it away, what
// would buy some, what to bear in mind, and where each rate comes from.
//
// Pure: reports in, text out. Whatever is less than a second of a year is said to be next to
// nothing instead of in digits that nobody believes.

import { sayDuration } from "../../core/base/duration.ts";
import { minutesPerYear, sayAvailability } from "../../core/model/availability.ts";
import type { Interval } from "../../core/predict/predict.ts";
import type { Cause, Source } from "../../core/predict/rates.ts";
import type { ModelReport, RateReport } from "./report.ts";

export const causeWords: Readonly<Record<Cause, string>> = {
  crash: "processes that end",
  hang: "instances that hang",
  gray: "failures that neither checks nor workers see",
  endpoint: "endpoints that are gone",
  commonCause: "ends of all processes at once",
  machine: "machines that fail",
  zone: "zones that fail",
  gatewayWorker: "workers of the gateway that end",
  gateway: "ends of the whole gateway",
  control: "control that is away",
};

export function renderModel(reports: readonly ModelReport[]): string {
  return `${reports.map((one) => renderOne(one).join("\n")).join("\n\n")}\n`;
}

function renderOne(report: ModelReport): readonly string[] {
  const lines = [...headline(report), "", "What takes it away, in a year:"];
  const tell = (minutes: number, words: string) => {
    if (!isNothing(minutes)) lines.push(`  ${sayMinutes(minutes).padStart(12)}  ${words}`);
  };
  tell(report.overloaded * minutesPerYear, "a load of more than all in traffic serve");
  for (const one of report.contributions) tell(one.minutesPerYear, causeWords[one.cause]);
  const [bought, nothing] = divide(report.changes);
  lines.push("", "What would be gained:");
  for (const { change, minutesPerYearLess } of bought) {
    lines.push(`  ${change}: ${sayGain(minutesPerYearLess)}`);
  }
  if (bought.length === 0) lines.push("  nothing by any change that is known here");
  if (nothing.length > 0) {
    lines.push(`  next to nothing: ${nothing.map(({ change }) => change).join("; ")}`);
  }
  if (report.cautions.length > 0) {
    lines.push("", "To bear in mind:", ...report.cautions.map((caution) => `  ${caution}`));
  }
  return [...lines, "", "Rates, of one thing each:", ...report.rates.map(sayRate)];
}

function headline(report: ModelReport): readonly string[] {
  const { service, unavailability, minutesPerYear: minutes, mode, instances, needed } = report;
  const bounds = `${sayMinutes(minutes.lower)} to ${sayMinutes(minutes.upper)} with 90 %`;
  const each = instances === 1 ? "1 instance" : `${instances} instances, ${mode}`;
  const least = needed === 1 ? "when none is in traffic" : `with fewer than ${needed} in traffic`;
  const failures = Number(report.failuresPerYear.toPrecision(2)).toLocaleString("en");
  return [
    `${service} will be available for ${sayAvailability(unavailability.value)} of its requests: ` +
      `${sayMinutes(minutes.value)} a year are lost (${bounds}).`,
    `${each}; down ${least}. ${failures} failures a year, each ${sayTimes(report)}.`,
  ];
}

function sayTimes({ detectMs, transferMs, recoverMs }: ModelReport): string {
  const [t1, t2, t3] = [detectMs, transferMs, recoverMs].map(sayDuration);
  return `seen after ${t1}, traffic elsewhere after another ${t2}, back after ${t3}`;
}

const secondOfYear = 1 / 60;

function isNothing(minutes: number): boolean {
  return Math.abs(minutes) < secondOfYear;
}

type Change = ModelReport["changes"][number];

function divide(changes: readonly Change[]): readonly [readonly Change[], readonly Change[]] {
  const isNone = ({ minutesPerYearLess }: Change) => isNothing(minutesPerYearLess.value);
  return [changes.filter((one) => !isNone(one)), changes.filter(isNone)];
}

/** "+0.0004 %, 3.5 minutes a year less (2 to 8)" */
function sayGain({ value, lower, upper }: Interval): string {
  const share = Number(((Math.abs(value) / minutesPerYear) * 100).toPrecision(2));
  const [sign, way] = value > 0 ? ["+", "less"] : ["-", "more"];
  const bounds = sayBounds(lower, upper);
  return `${sign}${share} %, ${sayMinutes(Math.abs(value))} a year ${way} (${bounds})`;
}

/** "2 to 8", or "1 more to 5 less" where it is not certain that anything is gained. */
function sayBounds(lower: number, upper: number): string {
  const [first, last] = [lower, upper].map((minutes) => sayMinutes(Math.abs(minutes)));
  if (lower < 0 && upper > 0) return `${first} more to ${last} less`;
  return lower < 0 ? `${last} to ${first}` : `${first} to ${last}`;
}

/** "3.5 minutes" below ten of them, else as durations are said. */
function sayMinutes(minutes: number): string {
  if (minutes >= 1 && minutes < 9.95) return `${minutes.toFixed(1)} minutes`;
  if (minutes < secondOfYear) return "under 1 s";
  return sayDuration(minutes * 60_000);
}

const sourceWords: Readonly<Record<Source["kind"], string>> = {
  measured: "measured",
  file: "as the file says",
  default: "assumed",
};

function sayRate({ what, everyMs, value, lower, upper, source, reason }: RateReport): string {
  const bounds = lower === upper ? "" : boundsOf(everyMs, lower, upper);
  const why = source === "default" ? reason.replace(/^an assumption: /, "") : reason;
  return `  ${what}: ${figure(everyMs, value)}${bounds}; ${sourceWords[source]}: ${why}`;
}

function figure(everyMs: number | null, value: number): string {
  if (everyMs !== null) return `one every ${sayEvery(everyMs)}`;
  return value < 1 ? `${Number((value * 100).toPrecision(2))} %` : sayDuration(value);
}

function boundsOf(everyMs: number | null, lower: number, upper: number): string {
  if (everyMs === null) return ` (${figure(null, lower)} to ${figure(null, upper)})`;
  const every = (perHour: number) => sayEvery(3_600_000 / perHour);
  return ` (${every(upper)} to ${every(lower)})`;
}

const dayMs = 86_400_000;

/** Days and years stand alone. */
function sayEvery(ms: number): string {
  if (ms >= 730 * dayMs) return `${Number((ms / dayMs / 365).toPrecision(2))} years`;
  return ms >= 3 * dayMs ? `${Math.round(ms / dayMs)} d` : sayDuration(ms);
}
