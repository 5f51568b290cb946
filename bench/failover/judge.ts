// From outcomes to figures: which promise each scenario stands for, and whether it was kept.
// Failures are summed over the rounds, times are medians, one-off durations are the worst.

import { type Figure, figure, median } from "../shared/figures.ts";
import type { Failure, LoadResult } from "./load.ts";

export interface Outcome extends LoadResult {
  /** Failed POSTs that no killed instance had been sent: they should have been tried elsewhere. */
  readonly wronglyLostPosts: number;
  /** Figures of this scenario alone. */
  readonly extra: Readonly<Record<string, number>>;
}

/** By "contender: scenario", one outcome a round. */
export type Results = Map<string, Outcome[]>;

export interface ScenarioNames {
  readonly shared: readonly string[];
  readonly ninesOnly: readonly string[];
}

export interface Measured {
  readonly results: Results;
  /** Largest worker's share of 128 kept connections, each time they were opened. */
  readonly shares: readonly number[];
  /** In ms, from the death of control to the next one. */
  readonly keeperDelays: readonly number[];
  readonly scenarios: ScenarioNames;
}

export function judge(measured: Measured): readonly Figure[] {
  const { results, shares, keeperDelays, scenarios } = measured;
  const own = [...scenarios.shared, ...scenarios.ninesOnly];
  const of = (contender: string, name: string) => results.get(`${contender}: ${name}`) ?? [];
  return [
    ...own.flatMap((name) => [
      ...promises(name, of("nines", name)),
      ...durations(name, of("nines", name)),
    ]),
    worst("control kill -9", "restarted", "instances", 0, of("nines", "control kill -9")),
    worst("worker SIGSTOP", "replacedMs", "ms", 1000, of("nines", "worker SIGSTOP")),
    figure({
      name: "largest share of 128 kept connections",
      value: shares.length === 0 ? undefined : Math.max(...shares),
      unit: "x",
      bar: 1.3,
    }),
    figure({
      name: "control kill -9 under its keeper: back after",
      value: keeperDelays.length === 0 ? undefined : Math.max(...keeperDelays),
      unit: "ms",
      bar: 2000,
    }),
    ...["haproxy", "nginx"].flatMap((peer) =>
      scenarios.shared.flatMap((name) => [
        told(`${peer}: ${name}: failed`, failuresOf(of(peer, name))?.length),
        ...durations(`${peer}: ${name}`, of(peer, name)),
      ]),
    ),
  ];
}

function failuresOf(outcomes: readonly Outcome[]): readonly Failure[] | undefined {
  return outcomes.length === 0 ? undefined : outcomes.flatMap(({ failures }) => failures);
}

/** What a scenario promises of its requests. */
function promises(name: string, outcomes: readonly Outcome[]): readonly Figure[] {
  const failures = failuresOf(outcomes);
  const promise = (what: string, value: number | undefined) =>
    figure({ name: `${name}: ${what}`, value, unit: "requests", bar: 0, ...unmeasured(value) });
  if (name.startsWith("instance")) {
    const gets = failures?.filter(({ method }) => method === "GET").length;
    const posts = outcomes.reduce((sum, { wronglyLostPosts }) => sum + wronglyLostPosts, 0);
    return [
      promise("failed GETs", gets),
      promise("failed POSTs that it had not been sent", failures && posts),
    ];
  }
  if (!name.startsWith("worker")) return [promise("failed", failures?.length)];
  // A killed worker takes what was in flight on it: those connections break. Anything else is ours.
  const broken = failures?.filter(({ kind }) => kind === "reset" || kind === "closed").length;
  const refused = failures?.filter(({ kind }) => kind === "refused").length;
  const other = failures && failures.length - (broken ?? 0) - (refused ?? 0);
  return [
    promise("refused", refused),
    promise("lost though not in flight on it", other),
    told(`${name}: lost in flight on it`, broken),
  ];
}

function durations(prefix: string, outcomes: readonly Outcome[]): readonly Figure[] {
  const middle = (what: string, unit: string, pick: (outcome: Outcome) => number): Figure => {
    const value = outcomes.length === 0 ? undefined : median(outcomes.map(pick));
    return told(`${prefix}: ${what}`, value, unit);
  };
  return [
    middle("over 200 ms", "requests", ({ over200Ms }) => over200Ms),
    middle("p99", "ms", ({ p99Ms }) => p99Ms),
    middle("longest gap", "ms", ({ longestGapMs }) => longestGapMs),
  ];
}

function worst(
  scenario: string,
  key: string,
  unit: string,
  bar: number,
  outcomes: readonly Outcome[],
): Figure {
  const values = outcomes.map(({ extra }) => extra[key] ?? Number.NaN);
  const value = values.length === 0 ? undefined : Math.max(...values);
  return figure({ name: `${scenario}: ${key}`, value, unit, bar, ...unmeasured(value) });
}

function told(name: string, value: number | undefined, unit = "requests"): Figure {
  return figure({ name, value, unit, ...unmeasured(value) });
}

function unmeasured(value: number | undefined): { readonly note?: string } {
  return value === undefined ? { note: "not measured: not installed, or it failed" } : {};
}
