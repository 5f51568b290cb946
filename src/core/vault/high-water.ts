// Whether all targets together have gone back in time.
//
// Targets that an attacker, or a restored image, has put back to an older state are consistent in
// themselves: every hash is right, and the newest snapshots are simply not there. Only somebody who
// has seen them can tell. So this machine keeps one small mark beside its own state, of the newest
// snapshot that it has written or read. The newest snapshot is never pruned, so it must be there.

export interface HighWater {
  readonly vault: string;
  readonly sequence: number;
  readonly snapshot: string;
  /** Domains of erased subjects: their keys stay dead, whatever comes back. */
  readonly erased: readonly string[];
}

/** The mark after these domains were erased. */
export function withErased(
  mark: HighWater | undefined,
  vault: string,
  domainIds: readonly string[],
): HighWater {
  const before = mark?.vault === vault ? mark : { vault, sequence: 0, snapshot: "", erased: [] };
  return { ...before, erased: [...new Set([...before.erased, ...domainIds])] };
}

/** The mark after these snapshots were seen. */
export function raised(
  mark: HighWater | undefined,
  vault: string,
  snapshots: readonly { readonly id: string; readonly sequence: number }[],
): HighWater | undefined {
  let newest = mark?.vault === vault ? mark : undefined;
  for (const { id, sequence } of snapshots) {
    if (sequence <= (newest?.sequence ?? 0)) continue;
    newest = { vault, sequence, snapshot: id, erased: newest?.erased ?? [] };
  }
  return newest;
}

export interface SeenTargets {
  readonly snapshots: readonly { readonly sequence: number }[];
  /** Objects that are there and cannot be read, each with why. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** " while disk-a cannot be reached"; "" where all can. */
  readonly whileAway: string;
}

/**
 * What is missing, as a sentence; undefined when nothing is. Only where all targets answer does it
 * say that they went back: what is not seen may lie on one that is away.
 */
export function findRollback(
  mark: HighWater | undefined,
  vault: string,
  { snapshots, unreadable, whileAway }: SeenTargets,
): string | undefined {
  if (mark === undefined || mark.vault !== vault) return undefined;
  const newest = snapshots.reduce((most, { sequence }) => Math.max(most, sequence), 0);
  if (newest >= mark.sequence) return undefined;
  const known = `snapshot ${mark.snapshot.slice(0, 8)}, number ${mark.sequence}`;
  const found = newest === 0 ? "there is none on them" : `the newest on them is number ${newest}`;
  const why = unreadable.get(mark.snapshot);
  if (why === undefined && whileAway === "") {
    return `The targets are as they were before: this machine knows of ${known}, and ${found}.`;
  }
  const because = why === undefined ? "" : ` ${why}.`;
  return `The newest that this machine knows of, ${known}, cannot be read${whileAway}.${because}`;
}
