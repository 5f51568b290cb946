// A plan as a person reads it: what is needed, what to take and why, why nothing cheaper, what more
// would buy, and what to write into the file. Or what stands in the way.
//
// Pure: a report in, text out. An availability has as many digits as tell it from 100 %.

import { sayDuration } from "../../core/base/duration.ts";
import { sayPercent } from "../../core/base/percent.ts";
import { minutesPerYear, sayAvailability } from "../../core/model/availability.ts";
import type { BurdenName } from "../../core/predict/plan.ts";
import { causeWords } from "./account.ts";
import type { ChoiceReport, PlanReport, ReasonedReport } from "./plan-report.ts";

export function renderPlan(report: PlanReport): string {
  const lines = [...question(report), ""];
  if (report.chosen === null) lines.push(...obstacles(report));
  else lines.push(...answer(report, report.chosen));
  if (report.cautions.length > 0) {
    lines.push("", "To bear in mind:", ...report.cautions.map((one) => `  ${one}`));
  }
  return `${lines.join("\n")}\n`;
}

function question({ service, needed, neededWhy }: PlanReport): readonly string[] {
  const least = needed === 1 ? "one instance" : `${needed} instances`;
  return [`${service} needs ${least} in traffic: ${neededWhy}.`];
}

function answer(report: PlanReport, chosen: ReasonedReport): readonly string[] {
  const target = sayAvailability(report.unavailabilityMax);
  const lines = [
    `The cheapest for ${target}:`,
    `  ${sayChoice(chosen)}`,
    ...availability(report, chosen),
    `  ${money(chosen.costMonthly)} a month; ${sayLargest(chosen)}`,
  ];
  if (report.latencyMs !== null) lines.push(`  ${sayLatency(report, report.latencyMs)}`);
  if (report.simulated !== null) lines.push(`  ${saySimulated(report.simulated, chosen)}`);
  if (report.cheaper.length > 0) {
    lines.push("", "Cheaper, and not enough:", ...table(report.cheaper, sayLargest));
  }
  if (report.dearer.length > 0) {
    lines.push("", "What more would buy:", ...table(report.dearer, () => ""));
  }
  return [...lines, "", ...changeOf(report)];
}

function availability(
  { interval, unavailabilityMax }: PlanReport,
  { unavailability }: ReasonedReport,
): readonly string[] {
  const said = `  ${sayAvailability(unavailability)}, ${downtime(unavailability)} a year`;
  if (interval === null || interval.lower === interval.upper) return [said];
  const [least, most] = [downtime(interval.lower), downtime(interval.upper)];
  const bounded = `${said}, ${least} to ${most} with 90 %`;
  if (interval.upper <= unavailabilityMax) return [bounded];
  const worst = `  where the rates are at their worst only ${sayAvailability(interval.upper)}`;
  return [bounded, worst];
}

function sayLatency(
  { latency, needed }: PlanReport,
  { withAll, withNeeded }: NonNullable<PlanReport["latencyMs"]>,
): string {
  const share = sayPercent(latency?.ratio ?? 0);
  return (
    `${share} of the answers within ${sayDuration(withAll)} with all of them, within ` +
    `${sayDuration(withNeeded)} with only ${needed}`
  );
}

function saySimulated(
  { unavailability, years, seed, confidence }: NonNullable<PlanReport["simulated"]>,
  chosen: ReasonedReport,
): string {
  const { value, lower, upper } = unavailability;
  const agrees = chosen.unavailability >= lower && chosen.unavailability <= upper;
  const least = sayAvailability(upper);
  const bounds = lower === 0 ? `at least ${least}` : `${least} to ${sayAvailability(lower)}`;
  const said = value === 0 ? bounds : `${sayAvailability(value)}, ${bounds}`;
  return (
    `simulated for ${years.toLocaleString("en")} years (seed ${seed}): ` +
    `${said} with ${sayPercent(confidence)}; ` +
    `the model ${agrees ? "agrees" : "is outside of that, and the simulation is to be believed"}`
  );
}

function table<One extends ChoiceReport>(
  choices: readonly One[],
  why: (one: One) => string,
): readonly string[] {
  const rows = choices.map((one) => [
    money(one.costMonthly),
    sayAvailability(one.unavailability),
    sayChoice(one),
    why(one),
  ]);
  const widths = [0, 1].map((column) => {
    return Math.max(...rows.map((row) => (row[column] ?? "").length));
  });
  return rows.flatMap(([cost = "", availability = "", choice = "", reason = ""]) => {
    const left = `  ${cost.padStart(widths[0] ?? 0)}  ${availability.padEnd(widths[1] ?? 0)}  `;
    const below = reason === "" ? [] : [`${" ".repeat(left.length)}${reason}`];
    return [`${left}${choice}`, ...below];
  });
}

/** "4 instances on 2 machines in 2 zones with a gateway on each, checked every 2 s" */
function sayChoice({ instances, machines, zones, gateways, checkIntervalMs }: ChoiceReport) {
  const count = (number: number, one: string) =>
    number === 1 ? `one ${one}` : `${number} ${one}s`;
  const where = zones === 1 ? "" : ` in ${zones} zones`;
  const isEach = gateways === machines;
  const gateway = gateways === 1 ? "" : ` with a gateway on ${isEach ? "each" : gateways}`;
  const checks = checkIntervalMs === 0 ? "" : `, checked every ${sayDuration(checkIntervalMs)}`;
  return `${count(instances, "instance")} on ${count(machines, "machine")}${where}${gateway}${checks}`;
}

/** "missing are mostly machines that fail (44%)" */
function sayLargest({ unavailability, burdens }: ReasonedReport): string {
  const [largest] = burdens;
  if (largest === undefined) return "";
  const share = sayPercent(Math.min(1, largest.unavailability / unavailability));
  return `${sayBurden(largest.what)}: ${share} of what is missing`;
}

function sayBurden(what: BurdenName): string {
  if (what === "oneGateway") return "the one machine that the gateway is on";
  if (what === "dependencies") return "services that it depends on";
  return causeWords[what];
}

function obstacles(report: PlanReport): readonly string[] {
  const { inTheWay, unavailabilityMax, judged } = report;
  const target = sayAvailability(unavailabilityMax);
  if (inTheWay === null) return [`Nothing is available for ${target}.`];
  const { best, causes, wouldDo, withGateways } = inTheWay;
  const lines = [
    `Nothing reaches ${target}, of ${judged.toLocaleString("en")} that were tried. The best:`,
    ...table([best], () => ""),
    "",
    "What is missing there:",
    ...best.burdens.map(({ what, unavailability }) => {
      return `  ${downtime(unavailability).padStart(12)} a year  ${sayBurden(what)}`;
    }),
  ];
  const named = sayAll(causes.map(sayBurden));
  if (causes.length > 0) {
    lines.push(
      "",
      wouldDo
        ? `It would be reached without ${named}.`
        : `Not even without ${named} would it be reached.`,
    );
  }
  if (withGateways !== null) {
    lines.push(
      "",
      `With gateways on more machines (--gateways ${withGateways.gateways}) it would be reached by`,
      ...table([withGateways], () => ""),
    );
  }
  return lines;
}

function sayAll(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;
}

function changeOf({ change }: PlanReport): readonly string[] {
  if (change === "") return ["The file has all of that already."];
  const lines = change.trimEnd().split("\n");
  return ["To be written into the file:", "", ...lines.map((line) => `  ${line}`)];
}

function downtime(unavailability: number): string {
  const ms = unavailability * minutesPerYear * 60_000;
  return ms < 1 ? "under 1 ms" : sayDuration(ms);
}

function money(amount: number): string {
  return amount.toFixed(2);
}
