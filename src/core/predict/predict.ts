// What `nines model` says: how available each service will be, what takes most of it away, what
// each change would buy, and how certain that is.
//
// What a cause contributes is what would be gained if it never happened; contributions of causes
// that only hurt together overlap, and need not add up. What a change buys is found by solving the
// changed deployment. Both are paired with draws of the rates between their bounds, the same draws
// for all (draw.ts), so that an interval of a gain is one of the gain and not of two guesses.

import { createPrng } from "../base/prng.ts";
import { requireCount } from "../model/checks.ts";
import { changesOf } from "./changes.ts";
import {
  type Deployment,
  type PredictedService,
  placesOf,
  utilisationOf,
  withDependencies,
} from "./deployment.ts";
import { drawRates } from "./draw.ts";
import { type Cause, causes, type Rates } from "./rates.ts";
import { type MeanTimes, type ServiceDown, solve, structureOf } from "./solve.ts";

/** A figure, and the bounds within which 90 % of the draws lie. */
export interface Interval {
  readonly value: number;
  readonly lower: number;
  readonly upper: number;
}

export interface Contribution {
  readonly cause: Cause;
  /** Unavailability that would be gone without it. */
  readonly unavailability: number;
}

export interface Gain {
  /** "one more instance" */
  readonly what: string;
  /** By how much the unavailability falls; negative where the change does harm. */
  readonly gained: Interval;
}

export interface ServicePrediction {
  readonly name: string;
  readonly instances: number;
  readonly needed: number;
  readonly unavailability: Interval;
  /** Fewer than needed in traffic. */
  readonly down: number;
  /** Requests that meet what nobody has noticed yet. */
  readonly unnoticed: number;
  /** Requests that are more than all places serve. */
  readonly overloaded: number;
  readonly times: MeanTimes;
  /** Largest first. */
  readonly contributions: readonly Contribution[];
  /** Best first. */
  readonly gains: readonly Gain[];
  /** What to bear in mind with these figures. */
  readonly cautions: readonly string[];
}

export interface PredictOptions {
  readonly seed?: number;
  /** Draws of the rates for the intervals; 200 by default. */
  readonly draws?: number;
}

export function predict(
  deployment: Deployment,
  rates: Rates,
  options: PredictOptions = {},
): readonly ServicePrediction[] {
  const draws = requireCount(options.draws ?? 200, "the number of draws", 20, 100_000);
  const random = createPrng(options.seed ?? 1);
  const drawn = Array.from({ length: draws }, (_, at) =>
    drawRates(rates, random.stream(`draw ${at}`)),
  );
  return deployment.services.map((service) => {
    const own = withDependencies(deployment, service);
    return predictOne(own, service, rates, drawn);
  });
}

function predictOne(
  deployment: Deployment,
  service: PredictedService,
  rates: Rates,
  drawn: readonly Rates[],
): ServicePrediction {
  const { name, instances, needed } = service;
  const solved = solverOf(deployment, name);
  const before = solved(rates);
  const { unavailability, down, unnoticed, overloaded, times } = before;
  const spread = drawn.map((draw) => solved(draw).unavailability);
  const contributions = causes
    .map((cause) => ({
      cause,
      unavailability: unavailability - solved(rates, cause).unavailability,
    }))
    .filter((one) => one.unavailability > unavailability * 1e-6)
    .sort((a, b) => b.unavailability - a.unavailability);
  const gains = changesOf(deployment, name).map((change): Gain => {
    const changed = solverOf(change.deployment, name);
    const after = (given: Rates) => changed(change.rates(given)).unavailability;
    const gained = drawn.map((draw, at) => (spread[at] as number) - after(draw));
    return { what: change.what, gained: interval(unavailability - after(rates), gained) };
  });
  return {
    name,
    instances: instances.length,
    needed,
    unavailability: interval(unavailability, spread),
    down,
    unnoticed,
    overloaded,
    times,
    contributions,
    gains: gains.sort((a, b) => b.gained.value - a.gained.value),
    cautions: cautionsOf(deployment, service, rates, before),
  };
}

function solverOf(deployment: Deployment, name: string) {
  const structure = structureOf(deployment);
  const at = deployment.services.findIndex((one) => one.name === name);
  return (rates: Rates, without?: Cause) => solve(structure, rates, without)[at] as ServiceDown;
}

function interval(value: number, drawn: readonly number[]): Interval {
  const sorted = drawn.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] as number;
  return { value, lower: Math.min(value, at(0.05)), upper: Math.max(value, at(0.95)) };
}

/** Above this, what is added up is no longer rare. */
const rareMax = 0.1;

function cautionsOf(
  deployment: Deployment,
  service: PredictedService,
  rates: Rates,
  solved: ServiceDown,
): readonly string[] {
  const { name, instances } = service;
  const cautions: string[] = [];
  const machines = new Set(instances.map(({ machine }) => machine));
  const [only] = machines;
  if (machines.size === 1 && instances.length > 1) {
    cautions.push(`all instances are on one machine, ${only}: none survives it`);
  }
  const gateways = deployment.gateway?.machines ?? [];
  if (service.throughGateway && gateways.length === 1 && machines.size > 1) {
    cautions.push(`the gateway is on one machine, ${gateways[0]}: nothing is served without it`);
  }
  if (instances.length > 1 && rates.services[name]?.commonCause.value === 0) {
    cautions.push("commonCause is 0 %: that instances fail independently is a claim");
  }
  const rho = utilisationOf(service);
  if (rho >= 1) {
    const said = `rho is ${rho.toFixed(2)} with all ${placesOf(service).length} in traffic`;
    const share = `${(solved.overloaded * 100).toFixed(0)} % of the requests count as lost`;
    cautions.push(`${said}: the load is more than they serve, whatever works; ${share}`);
  }
  if (solved.unnoticed > rareMax) {
    const share = (solved.unnoticed * 100).toFixed(0);
    cautions.push(`unnoticed failures add up to ${share} %: too many to be added, a bound only`);
  }
  return cautions;
}
