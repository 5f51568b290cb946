// Simulated years as a person reads them: how available, how certain that is, what was to blame,
// how fast things were found and mended, the worst, and what the model says.
//
// Pure: reports in, text out.

import type { Blame } from "../../../sim/years/blame.ts";
import type { Spread } from "../../../sim/years/sample.ts";
import { sayDuration } from "../../core/base/duration.ts";
import { sayPercent } from "../../core/base/percent.ts";
import { sayAvailability } from "../../core/model/availability.ts";
import type { YearsReport } from "./years-report.ts";

export const blameWords: Readonly<Record<Blame, string>> = {
  machine: "a machine or a zone that failed",
  gateway: "the gateway's own processes",
  commonCause: "one cause that ended all instances",
  overlap: "failures that met",
  single: "single failures, until they were found and mended",
  nobody: "comings and goings without any fault",
};

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
  const { value, upper } = unavailability;
  const said = value === 0 ? `at least ${sayAvailability(upper)}` : sayAvailability(value);
  const [least, most] = [minutesPerYear.lower, minutesPerYear.upper].map(sayMinutes);
  return [
    `${service} was available for ${said} of ${years.toLocaleString("en")} simulated years: ` +
      `${sayMinutes(minutesPerYear.value)} a year were lost ` +
      `(${least} to ${most} with ${sayPercent(confidence)}).`,
    `${lifetimes.toLocaleString("en")} lifetimes from seed ${seed}; ` +
      `${sayCount(report.incidentsPerYear)} incidents a year, ${sayCount(report.outagesPerYear)} ` +
      `with fewer than ${report.needed} of ${report.instances} in traffic.`,
  ];
}

function strength({ belowFull, unanswered }: YearsReport): readonly string[] {
  return [
    `At full strength for ${sayAvailability(belowFull.value)} of the time; ` +
      `${sayAvailability(unanswered.value)} of the requests were answered.`,
  ];
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
    return [`  ${name.padEnd(26)}${each.map((ms) => sayDuration(ms).padStart(10)).join("")}`];
  };
  const rows = [
    ...row("t1, until it is found", detectMs),
    ...row("t2, until traffic moves", transferMs),
    ...row("t3, until full strength", recoverMs),
  ];
  if (rows.length === 0) return ["There was no incident."];
  const head = ["mean", "50 %", "90 %", "99 %", "longest"].map((one) => one.padStart(10)).join("");
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

function besideModel({ model, unavailability, blames }: YearsReport): readonly string[] {
  if (model === null) return [];
  const { value, lower, upper } = unavailability;
  const said = `The model says ${sayAvailability(model.value)}`;
  if (model.value >= lower && model.value <= upper) return [`${said}, which agrees.`];
  const more = value > model.value;
  const [largest] = blames;
  const mostly =
    largest === undefined ? "" : ` What was lost is mostly ${blameWords[largest.blame]}.`;
  const why = more
    ? "the loops take longer to find, move or mend than its formulas have it, or failures meet more often"
    : "here workers notice and try again what it takes for lost";
  return [`${said}; ${more ? "more" : "less"} was lost here: ${why}.${mostly}`];
}

function sayMinutes(minutes: number): string {
  if (minutes === 0) return "0 min";
  return sayDuration(minutes * 60_000);
}

function sayCount(count: number): string {
  return Number(count.toPrecision(2)).toLocaleString("en");
}

function sayMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : sayDuration(ms);
}
