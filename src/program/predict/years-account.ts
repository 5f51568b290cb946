// Simulated years as a person reads them: how available, how certain that is, what was to blame,
// how fast things were found and mended, the worst, and what the model says.
//
// Pure: reports in, text out.

import { blames as blameWords } from "../../../sim/years/blame.ts";
import type { Spread } from "../../../sim/years/sample.ts";
import type { Bounds } from "../../../sim/years/simulate-years.ts";
import { sayDuration } from "../../core/base/duration.ts";
import { sayPercent } from "../../core/base/percent.ts";
import { sayAvailability } from "../../core/model/availability.ts";
import { sayDifference } from "./years-difference.ts";
import type { YearsReport } from "./years-report.ts";

export function renderYears(reports: readonly YearsReport[]): string {
  return `${reports.map((one) => renderOne(one).join("\n")).join("\n\n")}\n`;
}

function renderOne(report: YearsReport): readonly string[] {
  const { worst } = report;
  const lines = [...headline(report), ...strength(report), "", ...blamed(report)];
  lines.push("", ...times(report));
  if (report.load !== null) lines.push("", ...queue(report.load));
  if (worst.length > 0) {
    lines.push("", "The longest outages:");
    for (const { lastedMs, sentence, replay } of worst) {
      lines.push(`  ${sayDuration(lastedMs).padStart(12)}  ${sentence} (--replay ${replay})`);
    }
  }
  return [...lines, "", ...besideModel(report)];
}

function headline(report: YearsReport): readonly string[] {
  const { service, unavailability, minutesPerYear, years, lifetimes, seed, confidence } = report;
  const said = sayBounded(unavailability);
  const { value, lower, upper } = minutesPerYear;
  const lost =
    value === 0 ? "nothing was seen to be lost" : `${sayMinutes(value)} a year were lost`;
  const bounds = `${lower === 0 ? "at most" : `${sayMinutes(lower)} to`} ${sayMinutes(upper)}`;
  return [
    `${service} was available for ${said} of ${years.toLocaleString("en")} simulated years: ` +
      `${lost} (${bounds} a year with ${sayPercent(confidence)}).`,
    `${lifetimes.toLocaleString("en")} lifetimes from seed ${seed}; ` +
      `${sayCount(report.incidentsPerYear)} incidents a year, ${sayCount(report.outagesPerYear)} ` +
      `with fewer than ${report.needed} of ${report.instances} in traffic.`,
  ];
}

function strength({ belowFull, unanswered }: YearsReport): readonly string[] {
  return [
    `At full strength for ${sayBounded(belowFull)} of the time; ` +
      `${sayBounded(unanswered)} of the requests were answered.`,
  ];
}

/** Where nothing was lost, what is certain: never 100 %. */
function sayBounded({ value, upper }: Pick<Bounds, "value" | "upper">): string {
  return value === 0 ? `at least ${sayAvailability(upper)}` : sayAvailability(value);
}

function blamed({ blames }: YearsReport): readonly string[] {
  if (blames.length === 0) return ["Nothing was lost."];
  return [
    "What took it away, in a year:",
    ...blames.map(({ blame, minutesPerYear }) => {
      return `  ${sayMinutes(minutesPerYear).padStart(12)}  ${blameWords[blame]}`;
    }),
  ];
}

function times({ detectMs, transferMs, recoverMs }: YearsReport): readonly string[] {
  const row = (name: string, spread: Spread | null): readonly string[] => {
    if (spread === null) return [];
    const each = [spread.mean, spread.p50, spread.p90, spread.p99, spread.most];
    return [`  ${name.padEnd(26)}${each.map((ms) => sayDuration(ms).padStart(12)).join("")}`];
  };
  const rows = [
    ...row("t1, until it is found", detectMs),
    ...row("t2, until traffic moves", transferMs),
    ...row("t3, until full strength", recoverMs),
  ];
  if (rows.length === 0) return ["There was no incident."];
  const head = ["mean", "50 %", "90 %", "99 %", "longest"].map((one) => one.padStart(12)).join("");
  return [`${"Incidents".padEnd(28)}${head}`, ...rows];
}

function queue(load: NonNullable<YearsReport["load"]>): readonly string[] {
  const { loadPerSecond, overloaded, meanMs, p99Ms } = load;
  const each = `${Math.round(loadPerSecond).toLocaleString("en")} requests/s`;
  const lines =
    meanMs === undefined || p99Ms === undefined
      ? []
      : [`At ${each}, answers take ${sayMs(meanMs)} on average, 99 % at most ${sayMs(p99Ms)}.`];
  if (overloaded === 0) return lines;
  return [
    ...lines,
    `More come than those in traffic serve for ${sayPercent(overloaded)} of the time.`,
  ];
}

function besideModel(report: YearsReport): readonly string[] {
  const { model, unavailability, cautions } = report;
  const bear = cautions.length === 0 ? [] : ["", "To bear in mind:", ...cautions.map(indented)];
  if (model === null) return bear;
  const { value, lower, upper } = unavailability;
  const said = `The model says ${sayAvailability(model.value)}`;
  if (model.value >= lower && model.value <= upper) return [`${said}, which agrees.`, ...bear];
  const more = value > model.value ? "more" : "less";
  return [`${said}; ${more} was lost here. ${sayDifference(report)}`.trimEnd(), ...bear];
}

function indented(line: string): string {
  return `  ${line}`;
}

function sayMinutes(minutes: number): string {
  const ms = minutes * 60_000;
  return ms < 1 ? "under 1 ms" : sayDuration(ms);
}

function sayCount(count: number): string {
  return Number(count.toPrecision(2)).toLocaleString("en");
}

function sayMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : sayDuration(ms);
}
