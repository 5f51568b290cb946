// The cheapest of all choices that is good enough, and what the cheaper ones lack.
//
// All choices of a bounded space, in the order of their cost; the first that is good enough is the
// answer. That it is the cheapest needs no property of the model: every cheaper one has been judged
// and found wanting. Of several at the same cost the most available one is taken. Rejected: branch
// and bound by "more of anything is better", since it is not so: two instances that are both needed
// are safer on one machine than on two, and a zone more is one more that can fail.

import { assert } from "../base/assert.ts";
import { requireSize } from "../model/checks.ts";
import type { Costs } from "./costs.ts";

export interface Choice {
  readonly instances: number;
  readonly machines: number;
  /** Over which the machines are spread. */
  readonly zones: number;
  /** Machines that a gateway is on. */
  readonly gateways: number;
  /** Between two checks of an instance; 0: it is not checked. */
  readonly intervalMs: number;
}

export interface Space {
  readonly instancesMin: number;
  readonly instancesMax: number;
  readonly machinesMax: number;
  readonly zonesMax: number;
  readonly gatewaysMax: number;
  readonly intervalsMs: readonly number[];
}

export interface Judged {
  readonly choice: Choice;
  readonly costMonthly: number;
  readonly unavailability: number;
}

export interface Found {
  /** Undefined: nothing in the space is good enough. */
  readonly chosen: Judged | undefined;
  /** Cheaper ones that are each better than all that cost less; ascending. */
  readonly cheaper: readonly Judged[];
  /** Dearer ones that are each clearly better than the last: what more money buys. */
  readonly dearer: readonly Judged[];
  /** The most available of those that were judged. */
  readonly best: Judged;
  readonly judged: number;
}

const choicesMax = 20_000;
const dearerMax = 2;
/** How many are judged after the answer to find what more money buys. */
const judgedAfterMax = 200;
/** Of what the one before leaves out, what the next may leave out. */
const clearlyBetter = 0.9;

export function costOf(choice: Choice, costs: Costs): number {
  const { instances, machines, zones, intervalMs } = choice;
  const checksPerSecond = intervalMs === 0 ? 0 : (instances * 1000) / intervalMs;
  return (
    instances * costs.instanceMonthly +
    machines * costs.machineMonthly +
    zones * costs.zoneMonthly +
    checksPerSecond * costs.checkMonthly
  );
}

/** A machine has an instance, a zone a machine, a gateway a machine. */
export function choicesOf(space: Space): readonly Choice[] {
  const choices: Choice[] = [];
  for (let instances = space.instancesMin; instances <= space.instancesMax; instances++) {
    for (let machines = 1; machines <= Math.min(instances, space.machinesMax); machines++) {
      const gatewaysMax = Math.min(machines, space.gatewaysMax);
      for (let zones = 1; zones <= Math.min(machines, space.zonesMax); zones++) {
        for (let gateways = 1; gateways <= gatewaysMax; gateways++) {
          for (const intervalMs of space.intervalsMs) {
            choices.push({ instances, machines, zones, gateways, intervalMs });
          }
        }
      }
    }
    requireSize(choices.length, choicesMax, "the number of choices");
  }
  return choices;
}

/** Throws NINES_MODEL_TOO_LARGE for a space of more than 20,000 choices. */
export function cheapest(
  space: Space,
  costs: Costs,
  judge: (choice: Choice) => number,
  unavailabilityMax: number,
): Found {
  const priced = choicesOf(space)
    .map((choice) => ({ choice, costMonthly: costOf(choice, costs) }))
    .sort((a, b) => a.costMonthly - b.costMonthly);
  const cheaper: Judged[] = [];
  const dearer: Judged[] = [];
  let chosen: Judged | undefined;
  let best: Judged | undefined;
  let judged = 0;
  let judgedAfter = 0;
  for (const { choice, costMonthly } of priced) {
    const isDearer = chosen !== undefined && costMonthly > chosen.costMonthly;
    if (isDearer && (dearer.length >= dearerMax || judgedAfter >= judgedAfterMax)) break;
    if (isDearer) judgedAfter++;
    const one: Judged = { choice, costMonthly, unavailability: judge(choice) };
    judged++;
    const isBest = best === undefined || one.unavailability < best.unavailability;
    if (isBest) best = one;
    if (isDearer) {
      if (isClearlyBetter(one, dearer.at(-1) ?? chosen)) dearer.push(one);
    } else if (one.unavailability > unavailabilityMax) {
      if (chosen === undefined && isBest) cheaper.push(one);
    } else if (chosen === undefined || one.unavailability < chosen.unavailability) {
      chosen = one;
    }
  }
  assert(best !== undefined, "a space has choices");
  const isCheaper = ({ costMonthly }: Judged) => costMonthly < (chosen?.costMonthly ?? Infinity);
  return { chosen, cheaper: cheaper.filter(isCheaper), dearer, best, judged };
}

/** Than nothing, everything is. */
export function isClearlyBetter(one: Judged, before: Judged | undefined): boolean {
  return one.unavailability <= clearlyBetter * (before?.unavailability ?? Infinity);
}
