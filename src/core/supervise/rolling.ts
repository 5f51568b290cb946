// A change of what runs, one instance at a time: whom to replace now?
//
// What takes no traffic is replaced at once: nothing is lost by it, and a broken version is what
// one wants to be rid of. Of those that serve, one, and only while all are well: so a new version
// that does not get ready stops the change after one instance, and the old ones go on.
//
// Invariant: of `n` instances that serve, at most one is being replaced. Rejected: starting the
// successor beside its predecessor. They share an ordinal, and with it a port and a data folder;
// two programs in one folder are worse than n - 1 of n for a while.

export interface RollingInstance {
  readonly id: string;
  /** Its process was started otherwise than it would be now, or an operator wants it restarted. */
  readonly outdated: boolean;
  /** It may have traffic: it was ready, and is not known to be down. */
  readonly serving: boolean;
  /** Its checks say up. An adopted one serves before anybody knows that it is well. */
  readonly well: boolean;
  /** It ends already, to be started again. */
  readonly ending: boolean;
}

/** The instances to replace now, of one service, given in the order of their ordinals. */
export function replaceNow(instances: readonly RollingInstance[]): readonly string[] {
  const outdated = instances.filter((instance) => instance.outdated && !instance.ending);
  const idle = outdated.filter((instance) => !instance.serving);
  if (idle.length > 0) return idle.map((instance) => instance.id);
  const allWell = instances.every((instance) => instance.well && !instance.ending);
  const first = outdated[0];
  return allWell && first !== undefined ? [first.id] : [];
}
