// A change of what runs, a few instances at a time: whom to replace, or to let go, now?
//
// What takes no traffic changes at once: nothing is lost by it, and a broken version is what one
// wants to be rid of; unless the new version is on trial, then only as many at a time as may try
// it, since what is down for another reason would come back by itself. Of those that serve, as many
// as can be spared: so a new version that does not get ready stops the change where it is, and the
// old ones go on.
//
// Invariant: whoever serves is only taken while `wanted - maxUnavailable` others are well. What is
// missing for other reasons counts, too: a change waits for an instance that has failed. Rejected:
// starting the successor beside its predecessor. They share an ordinal, and with it a port and a
// data folder; two programs in one folder are worse than n - 1 of n for a while. Who wants n all
// along has extra ordinals for the time of the change (`deploy.maxSurge`).

export interface RollingInstance {
  readonly id: string;
  /** Its process was started otherwise than it would be now, or is not wanted any more. */
  readonly outdated: boolean;
  /** It may have traffic: it was ready, and is not known to be down. */
  readonly serving: boolean;
  /** It can be counted on. An adopted one serves before anybody knows that it is well. */
  readonly well: boolean;
  /** It ends already. */
  readonly ending: boolean;
}

export interface DisruptionBudget {
  /** Instances that there should be. */
  readonly wanted: number;
  /** So many of them may be missing for a change. */
  readonly maxUnavailable: number;
  /** So many that are not well may be of the new version, or on their way to it. */
  readonly trials: number;
}

/** Those of one service to replace or to let go now, in the order given. */
export function replaceNow(
  instances: readonly RollingInstance[],
  { wanted, maxUnavailable, trials }: DisruptionBudget,
): readonly string[] {
  const well = instances.filter((instance) => instance.well && !instance.ending).length;
  let spare = well - (wanted - maxUnavailable);
  let trying = instances.filter((one) => one.ending || !(one.outdated || one.well)).length;
  const chosen: string[] = [];
  for (const { id, outdated, serving, ending } of instances) {
    if (!outdated || ending || (serving ? spare <= 0 : trying >= trials)) continue;
    if (serving) spare--;
    trying++;
    chosen.push(id);
  }
  return chosen;
}
