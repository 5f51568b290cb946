// What `nines plan --json` prints: stable fields, described for readers in docs/reference/plan.md.
// Fields may be added; none is renamed, removed or given another meaning.

import type { Demand } from "../../core/predict/demand.ts";
import type { BurdenName, Planned, Reasoned } from "../../core/predict/plan.ts";
import type { Interval } from "../../core/predict/predict.ts";
import type { Cause } from "../../core/predict/rates.ts";
import type { Judged } from "../../core/predict/search.ts";

export interface ChoiceReport {
  readonly instances: number;
  readonly machines: number;
  readonly zones: number;
  readonly gateways: number;
  /** 0: it is not checked. */
  readonly checkIntervalMs: number;
  readonly costMonthly: number;
  readonly unavailability: number;
}

export interface ReasonedReport extends ChoiceReport {
  /** What its unavailability is made of, largest first. */
  readonly burdens: readonly {
    readonly what: BurdenName;
    readonly unavailability: number;
  }[];
}

/** What a simulation of the chosen one says. */
export interface SimulatedReport {
  readonly years: number;
  readonly seed: number;
  readonly unavailability: Interval;
  /** Of the interval. */
  readonly confidence: number;
}

export interface PlanReport {
  readonly service: string;
  readonly unavailabilityMax: number;
  /** null: the file's `needed` stands. */
  readonly loadPerSecond: number | null;
  readonly latency: Demand["latency"] | null;
  readonly needed: number;
  /** How that is known. */
  readonly neededWhy: string;
  /** null: nothing within the bounds is good enough. */
  readonly chosen: ReasonedReport | null;
  /** Of the chosen one's unavailability, with rates between their bounds of 90 %. */
  readonly interval: Interval | null;
  /** Of the chosen one: within how long the goal's share is answered. */
  readonly latencyMs: { readonly withAll: number; readonly withNeeded: number } | null;
  readonly cheaper: readonly ReasonedReport[];
  readonly dearer: readonly ChoiceReport[];
  readonly inTheWay: {
    readonly best: ReasonedReport;
    readonly causes: readonly Cause[];
    readonly wouldDo: boolean;
    readonly withGateways: ChoiceReport | null;
  } | null;
  /** null: it was not asked for, or nothing was chosen. */
  readonly simulated: SimulatedReport | null;
  /** What to change in the file; empty where nothing is to be changed. */
  readonly change: string;
  readonly cautions: readonly string[];
  readonly judged: number;
}

type FromSearch = "chosen" | "cheaper" | "dearer" | "inTheWay" | "judged" | "needed";

export function planReport(planned: Planned, rest: Omit<PlanReport, FromSearch>): PlanReport {
  const { chosen, cheaper, dearer, inTheWay, judged, needed } = planned;
  return {
    ...rest,
    needed,
    chosen: chosen === undefined ? null : reasonedReport(chosen),
    cheaper: cheaper.map(reasonedReport),
    dearer: dearer.map(choiceReport),
    inTheWay:
      inTheWay === undefined
        ? null
        : {
            best: reasonedReport(inTheWay.best),
            causes: inTheWay.causes,
            wouldDo: inTheWay.wouldDo,
            withGateways:
              inTheWay.withGateways === undefined ? null : choiceReport(inTheWay.withGateways),
          },
    judged,
  };
}

function choiceReport({ choice, costMonthly, unavailability }: Judged): ChoiceReport {
  const { instances, machines, zones, gateways, intervalMs } = choice;
  return {
    instances,
    machines,
    zones,
    gateways,
    checkIntervalMs: intervalMs,
    costMonthly,
    unavailability,
  };
}

function reasonedReport(one: Reasoned): ReasonedReport {
  return { ...choiceReport(one), burdens: one.burdens };
}
