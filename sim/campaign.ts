// Many runs, one after another, and what is said of them.

import { faultMenu } from "./faults/menu.ts";
import { type RunOptions, type RunResult, simulate } from "./run.ts";

export interface Campaign {
  readonly runs: number;
  readonly failed: RunResult | undefined;
  readonly simulatedMs: number;
  readonly events: number;
  readonly checks: number;
  readonly requests: number;
  readonly faults: ReadonlyMap<string, number>;
  /** Over all runs: the shortest, the fewest. */
  readonly leastMs: number;
  readonly leastFaults: number;
  readonly leastServices: number;
}

/** Runs the seeds in order and stops at the first that fails. */
export async function campaign(
  seeds: Iterable<number>,
  options: RunOptions & { readonly onRun?: (result: RunResult) => void },
): Promise<Campaign> {
  const results: RunResult[] = [];
  const faults = new Map<string, number>();
  for (const seed of seeds) {
    const { trace, ...rest } = await simulate(seed, options);
    const failed = rest.failure !== undefined;
    // A trace is large: only that of the failure is kept.
    results.push({ ...rest, trace: failed ? trace : () => "" });
    for (const [name, count] of rest.faults) faults.set(name, (faults.get(name) ?? 0) + count);
    options.onRun?.(rest as RunResult);
    if (failed) break;
  }
  return summarize(results, faults);
}

function summarize(results: readonly RunResult[], faults: ReadonlyMap<string, number>): Campaign {
  const sum = (of: (result: RunResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const least = (of: (result: RunResult) => number): number => Math.min(...results.map(of));
  return {
    runs: results.length,
    failed: results.find((result) => result.failure !== undefined),
    simulatedMs: sum((result) => result.simulatedMs),
    events: sum((result) => result.events),
    checks: sum((result) => result.checks),
    requests: sum((result) => result.requests),
    faults,
    leastMs: least((result) => result.simulatedMs),
    leastFaults: least((result) => strikes(result.faults)),
    leastServices: least((result) => result.services),
  };
}

function strikes(faults: ReadonlyMap<string, number>): number {
  return [...faults.values()].reduce((total, count) => total + count, 0);
}

/** The summary that `npm run sim` prints; `tookMs` is real time. */
export function printCampaign(result: Campaign, tookMs: number): string {
  const hours = result.simulatedMs / 3_600_000;
  const lines = [
    `${result.runs} runs of at least ${(result.leastMs / 60_000).toFixed(1)} simulated minutes, ` +
      `${result.leastServices} services and ${result.leastFaults} faults`,
    `simulated       ${hours.toFixed(1)} hours in ${(tookMs / 1000).toFixed(1)} s: ` +
      `${Math.round(result.simulatedMs / tookMs)} times real time`,
    `events a run    ${Math.round(result.events / result.runs)} (mean)`,
    `requests        ${result.requests}`,
    `checks          ${result.checks}`,
    `faults          ${strikes(result.faults)}`,
  ];
  for (const { name, sentence } of faultMenu) {
    const count = result.faults.get(name) ?? 0;
    lines.push(`  ${name.padEnd(27)}${String(count).padStart(7)}  ${sentence}`);
  }
  return lines.join("\n");
}

/** What a failed run prints: the promise, the seed, the trace, and how to see it again. */
export function printFailure(failed: RunResult, traceLines: number): string {
  return [
    failed.trace(traceLines),
    "",
    `seed ${failed.seed} broke a promise at ${(failed.simulatedMs / 1000).toFixed(3)} s`,
    `  ${failed.failure?.what ?? ""}`,
    `again:  npm run sim -- --seed=${failed.seed}`,
  ].join("\n");
}
