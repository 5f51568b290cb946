// From outcomes to figures. Failures are summed over the rounds, ratios are of all requests, times
// of single events are the worst, distributions are medians of the rounds.

import { type Figure, figure, median } from "../shared/figures.ts";
import type { Outcome } from "./scenario.ts";
import { failuresOf, longestGapMs, percentile, repeatedPosts, slowerThan } from "./traffic.ts";

export type Outcomes = readonly Outcome[];

interface Measure {
  readonly unit: string;
  readonly bar?: number;
  /** How rounds become one value. */
  readonly over: "sum" | "median" | "worst";
}

export function measured(
  name: string,
  outcomes: Outcomes,
  measure: Measure,
  pick: (outcome: Outcome) => number,
): Figure {
  const { unit, bar, over } = measure;
  const values = outcomes.map(pick);
  const sum = () => values.reduce((total, value) => total + value, 0);
  const combined = { sum, median: () => median(values), worst: () => Math.max(...values) };
  const value = values.length === 0 ? undefined : combined[over]();
  const note = whyMissing(outcomes, value);
  return figure({ name, value, unit, ...(bar === undefined ? {} : { bar }), ...note });
}

function whyMissing(outcomes: Outcomes, value: number | undefined): { readonly note?: string } {
  if (outcomes.length === 0) return { note: "not measured: not installed, or it failed" };
  return Number.isFinite(value) ? {} : { note: "it did not happen while the load ran" };
}

/** Requests that failed, which none may. */
export function noneFailed(name: string, outcomes: Outcomes): Figure {
  const measure = { unit: "requests", bar: 0, over: "sum" } as const;
  return measured(`${name}: failed`, outcomes, measure, ({ answers }) => {
    return failuresOf(answers).length;
  });
}

export function failedGets(name: string, outcomes: Outcomes): Figure {
  const measure = { unit: "requests", bar: 0, over: "sum" } as const;
  return measured(`${name}: failed GETs`, outcomes, measure, ({ answers }) => {
    return failuresOf(answers).filter(({ method }) => method === "GET").length;
  });
}

/** What may be lost with an instance: POSTs that it had been sent, and nothing else. */
export function onlyItsPostsFailed(name: string, outcomes: Outcomes): readonly Figure[] {
  const none = { unit: "requests", bar: 0, over: "sum" } as const;
  return [
    failedGets(name, outcomes),
    measured(
      `${name}: failed POSTs that it had not been sent`,
      outcomes,
      none,
      ({ wronglyLostPosts }) => wronglyLostPosts,
    ),
    measured(`${name}: POSTs that ran twice`, outcomes, none, ({ received }) => {
      return repeatedPosts(received);
    }),
  ];
}

/** Share of all requests that were answered later than that. */
export function slowShare(
  name: string,
  outcomes: Outcomes,
  limit: { readonly overMs: number; readonly barPercent?: number },
): Figure {
  const all = outcomes.flatMap(({ answers }) => answers);
  const value = all.length === 0 ? undefined : (slowerThan(all, limit.overMs) / all.length) * 100;
  return figure({
    name: `${name}: over ${limit.overMs} ms, of all`,
    value,
    unit: "%",
    ...(limit.barPercent === undefined ? {} : { bar: limit.barPercent }),
    ...whyMissing(outcomes, value),
  });
}

/** One of the scenario's own measurements. */
export function own(name: string, key: string, outcomes: Outcomes, measure: Measure): Figure {
  return measured(`${name}: ${key}`, outcomes, measure, ({ extra }) => extra[key] ?? Number.NaN);
}

/** What is told of every contender and scenario. */
export function times(prefix: string, outcomes: Outcomes): readonly Figure[] {
  const ms = { unit: "ms", over: "median" } as const;
  return [
    measured(`${prefix}: over 200 ms`, outcomes, { unit: "requests", over: "median" }, (outcome) =>
      slowerThan(outcome.answers, 200),
    ),
    measured(`${prefix}: p99`, outcomes, ms, ({ answers }) => percentile(answers, 0.99)),
    measured(`${prefix}: longest gap`, outcomes, ms, ({ answers }) => longestGapMs(answers)),
  ];
}

/** Failures that are told, not judged. */
export function failed(prefix: string, outcomes: Outcomes): Figure {
  const measure = { unit: "requests", over: "sum" } as const;
  return measured(`${prefix}: failed`, outcomes, measure, ({ answers }) => {
    return failuresOf(answers).length;
  });
}
