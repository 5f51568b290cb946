// A load test as a person reads it: before it starts, a line a step, a chart, and what it comes to.
//
// Pure: reports in, text out. The chart's height is logarithmic, since a knee is where latency
// leaves one order of magnitude for the next.

import { sayDuration } from "../../core/base/duration.ts";
import { sayPercent } from "../../core/base/percent.ts";
import type { LoadFit } from "../../core/predict/load-fit.ts";
import { type Limits, type Plan, type StepReport, kneeOf, ratesOf, repeatsMax } from "./steps.ts";
import type { Target } from "./target.ts";

export interface LoadReport {
  readonly service: string;
  /** When it ended; ISO 8601 in UTC. */
  readonly at: string;
  readonly through: Target["through"];
  readonly method: string;
  readonly path: string;
  /** That took traffic when it began, and when it ended; null when nobody could tell. */
  readonly instances: number;
  readonly instancesAfter: number | null;
  readonly steps: readonly StepReport[];
  readonly kneePerSecond: number | null;
  /** null when there is none, for the reason that a note gives. */
  readonly fit: LoadFit | null;
  readonly notes: readonly string[];
}

export interface Announced {
  readonly target: Target;
  readonly plan: Plan;
  readonly limits: Limits;
  readonly timeoutMs: number;
  readonly connectionsMax: number;
}

/** Said before the first request: what will be sent, how much at most, and when it stops. */
export function announce({ target, plan, limits, timeoutMs, connectionsMax }: Announced): string {
  const rates = ratesOf(plan);
  const repeated = rates.slice(-repeatsMax);
  const all = [...rates, ...repeated];
  const requests = all.reduce((sum, one) => sum + (one * plan.durationMs) / 1000, 0);
  const longestMs = all.length * (plan.durationMs + timeoutMs);
  const shownAt = target.addresses.map(({ host, port }) => `${host}:${port}`).join(", ");
  const way = target.through === "gateway" ? `through the gateway at ${shownAt}` : `at ${shownAt}`;
  return [
    `Sends ${target.method} ${target.path} to ${target.service} ${way}, as clients who do not know`,
    `of each other: ${rate(plan.fromPerSecond)}/s up to ${rate(plan.toPerSecond)}/s in ` +
      `${rates.length} steps of ${sayDuration(plan.durationMs)}, ${rate(requests)} requests and ` +
      `${sayDuration(longestMs)} at most,`,
    `over ${connectionsMax} connections at most. It stops at the first step that twice has more than ` +
      `${sayPercent(limits.errorRatioMax)}`,
    `errors, over ${sayDuration(limits.latency.limitMs)} for ${sayPercent(limits.latency.ratio)}, ` +
      "or fewer answers than requests; Ctrl-C stops it at once.",
  ].join("\n");
}

const heads = ["asked/s", "answered/s", "errors", "mean", "p50", "p90", "p99"] as const;
const columnWidths = [9, 12, 8, 9, 9, 9, 9] as const;

export function stepHead(): string {
  return heads.map((head, column) => head.padStart(columnWidths[column] ?? 0)).join("");
}

export function stepLine(step: StepReport, isRepeated: boolean): string {
  const cells = [
    rate(step.offeredPerSecond),
    rate(step.answeredPerSecond),
    sayPercent(step.errorRatio),
    latency(step.meanMs),
    latency(step.p50Ms),
    latency(step.p90Ms),
    latency(step.p99Ms),
  ];
  const line = cells.map((cell, column) => cell.padStart(columnWidths[column] ?? 0)).join("");
  if (step.tooMuch === null) return line;
  return `${line}   ${step.tooMuch}${isRepeated ? "; once more" : ""}`;
}

export function renderResult(report: LoadReport, width: number): string {
  const lines: string[] = [];
  if (report.steps.length > 1) lines.push("", ...chart(report.steps, width));
  lines.push("", ...conclusions(report));
  return `${lines.join("\n")}\n`;
}

function conclusions(report: LoadReport): readonly string[] {
  const { service, steps, fit, instances } = report;
  const knee = kneeOf(steps);
  const over = steps.find(({ tooMuch }) => tooMuch !== null);
  const lines: string[] = [];
  if (knee === undefined && over !== undefined) {
    lines.push(
      `${service} does not keep up with ${rate(over.offeredPerSecond)}/s: ${over.tooMuch}.`,
    );
  }
  if (knee !== undefined) {
    const until =
      over === undefined
        ? "more was not asked"
        : `at ${rate(over.offeredPerSecond)}/s ${over.tooMuch ?? ""}`;
    const [asked, slow] = [rate(knee.offeredPerSecond), sayDuration(knee.p99Ms)];
    lines.push(`${service} keeps up with ${asked}/s (99% within ${slow}); ${until}.`);
  }
  if (fit !== null) lines.push(...sayFit(fit, instances));
  return [...lines, ...report.notes.map((note) => `Note: ${note}.`)];
}

function sayFit(fit: LoadFit, instances: number): readonly string[] {
  const each = rate(fit.capacityPerInstance);
  const all =
    instances === 1 ? "" : `, ${rate(fit.capacityPerInstance * instances)}/s of ${instances}`;
  const base = `an answer that waits for nobody takes ${sayDuration(fit.base.meanMs)}`;
  if (!fit.isCapacityReached) {
    return [`Capacity: ${each}/s or more of an instance${all}; ${base}.`];
  }
  const slots = fit.slotsPerInstance === 1 ? "one slot" : `${fit.slotsPerInstance} slots`;
  return [
    `Capacity: ${each}/s of an instance${all}: about ${slots} for ${latency(fit.serviceTimeMs)} ` +
      `each; ${base}. Latencies fit within ${sayPercent(fit.errorRatio)}.`,
  ];
}

const rowsOfChart = 9;
const columnsPerStep = 6;
const axisWidth = 9;
/** Drawn in this order, so that the larger quantile shows where two meet. */
const marks = [
  ["p50Ms", "·"],
  ["p90Ms", "o"],
  ["p99Ms", "#"],
] as const;

/** The latest steps that the width has room for. */
export function chart(steps: readonly StepReport[], width: number): readonly string[] {
  const room = Math.max(2, Math.floor((width - axisWidth - 2) / columnsPerStep));
  const shown = steps.slice(-room);
  const values = shown.flatMap((step) => [step.p50Ms, step.p99Ms]).filter((ms) => ms > 0);
  if (values.length === 0) return [];
  const bottom = Math.log(Math.min(...values));
  const span = Math.max(Math.log(Math.max(...values)) - bottom, Math.LN2);
  const rowOf = (ms: number): number =>
    ms <= 0 ? 0 : Math.round(((Math.log(ms) - bottom) / span) * (rowsOfChart - 1));
  const rows = Array.from({ length: rowsOfChart }, () => shown.map(() => ""));
  for (const [at, step] of shown.entries()) {
    for (const [field, mark] of marks) {
      const row = rows[rowOf(step[field])];
      if (row !== undefined) row[at] = mark;
    }
  }
  const lines = rows.map((cells, row) => {
    const value = latency(Math.exp(bottom + (span * row) / (rowsOfChart - 1)));
    const label = row % 4 === 0 ? value : "";
    const drawn = cells.map((cell) => cell.padStart(columnsPerStep)).join("");
    return `${label.padStart(axisWidth)} ${row % 4 === 0 ? "┤" : "│"}${drawn}`.trimEnd();
  });
  const axis = `${" ".repeat(axisWidth)} └${"─".repeat(shown.length * columnsPerStep)}`;
  const rates = shown.map((step) => compact(step.offeredPerSecond).padStart(columnsPerStep));
  const legend = `${" ".repeat(axisWidth + 2)}requests asked a second;  · p50  o p90  # p99`;
  return [...lines.reverse(), axis, `${" ".repeat(axisWidth + 2)}${rates.join("")}`, legend];
}

/** "1.4k": six columns have to hold it. */
function compact(perSecond: number): string {
  return perSecond < 1000 ? rate(perSecond) : `${Number((perSecond / 1000).toPrecision(3))}k`;
}

function rate(perSecond: number): string {
  return perSecond < 100
    ? `${Number(perSecond.toPrecision(3))}`
    : Math.round(perSecond).toLocaleString("en");
}

/** Three digits, where a sentence would take one or two. */
function latency(ms: number): string {
  if (ms < 1000) return `${Number(ms.toPrecision(3))} ms`;
  return `${Number((ms / 1000).toPrecision(3))} s`;
}
