// How a deploy goes: how many at a time, in which steps of the traffic, and when it has failed.
//
// `maxSurge` and `maxUnavailable` are Kubernetes' (a percentage of the replicas is rounded up for
// the first and down for the second, so that neither promise is broken by rounding; if both come
// out as nothing, one may be missing, or no step could be taken). A canary step is a share of the
// traffic, not of the instances: with three instances, 10% is one instance of the new version that
// is chosen less often.

import { assert } from "../base/assert.ts";

/** A number of instances, or a share of the service's replicas. */
export type Amount = { readonly count: number } | { readonly ratio: number };

export interface DeploySettings {
  /** Instances beyond the replicas while a deploy lasts. */
  readonly maxSurge: Amount;
  /** Instances that may be missing because of it. */
  readonly maxUnavailable: Amount;
  /** A new instance counts once it has been up for so long. */
  readonly minimumHealthyMs: number;
  /** Shares of the traffic, growing, each in (0, 1); none is a deploy without canary steps. */
  readonly canary: readonly number[];
  /** How long each of them lasts. */
  readonly stepTimeMs: number;
  readonly rollback: "automatic" | "manual";
  /** Without progress for so long it has failed. */
  readonly deadlineMs: number;
}

/** One at a time, ten minutes for each, as Kubernetes' Deployment; and back by itself. */
export const defaultDeploy: DeploySettings = {
  maxSurge: { count: 0 },
  maxUnavailable: { count: 1 },
  minimumHealthyMs: 5_000,
  canary: [],
  stepTimeMs: 30_000,
  rollback: "automatic",
  deadlineMs: 600_000,
};

/** Against rounding errors of shares such as 0.1 * 3. */
const epsilon = 1e-9;

export function surgeOf({ maxSurge }: DeploySettings, replicas: number): number {
  if ("count" in maxSurge) return maxSurge.count;
  return Math.max(0, Math.ceil(maxSurge.ratio * replicas - epsilon));
}

export function unavailableOf(settings: DeploySettings, replicas: number): number {
  const { maxUnavailable } = settings;
  const count =
    "count" in maxUnavailable
      ? maxUnavailable.count
      : Math.floor(maxUnavailable.ratio * replicas + epsilon);
  if (count > 0) return Math.min(count, replicas);
  return surgeOf(settings, replicas) > 0 ? 0 : 1;
}

/** What one step of a deploy wants. */
export interface StepPlan {
  /** Extra instances, all of the new version. */
  readonly extra: number;
  /** Of the service's own instances, so many are of the new version; the first in order. */
  readonly replaced: number;
  /** What each of the new version gets of a full instance's traffic, in (0, 1]. */
  readonly share: number;
}

/**
 * The fewest new instances that can take `traffic` of all requests, and what each of them gets:
 * c new ones of share s beside o old ones get s c / (s c + o) of it, so
 *
 *   s = traffic o / (c (1 - traffic)).
 *
 * Extra instances come first; without any old instance there is nothing to share with, and the last
 * of the replicas stays old until the step that wants all.
 */
export function stepPlan(settings: DeploySettings, step: number, replicas: number): StepPlan {
  assert(replicas >= 1, "a service has an instance");
  const surge = surgeOf(settings, replicas);
  const traffic = settings.canary[step];
  if (traffic === undefined) return { extra: surge, replaced: replicas, share: 1 };
  for (let fresh = 1; fresh < surge + replicas; fresh++) {
    const extra = Math.min(fresh, surge);
    const replaced = fresh - extra;
    const share = (traffic * (replicas - replaced)) / (fresh * (1 - traffic));
    if (share <= 1 + epsilon) return { extra, replaced, share: Math.min(1, share) };
  }
  const extra = surge;
  const replaced = replicas - 1;
  const fresh = extra + replaced;
  // One instance and no extra one: no step short of the whole is possible.
  if (fresh === 0) return { extra: 0, replaced: replicas, share: 1 };
  return { extra, replaced, share: 1 };
}
