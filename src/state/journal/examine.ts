// What can be said of a journal's folder from outside: what is in it, what of it is damaged, and
// what a repair would do. The types; examine-journal.ts and repair.ts do it.

export interface Damage {
  readonly fileName: string;
  /** Where in the file, in bytes. */
  readonly offset: number;
  /** The first record that it takes; 0 in a snapshot. */
  readonly sequence: number;
  /** What is wrong, as a part of a sentence: "the checksum of the record does not match". */
  readonly what: string;
}

export interface SegmentReport {
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly groups: number;
  readonly records: number;
  /** Where its first group stands in the log; 0 when it has no groups. */
  readonly firstSequence: number;
  readonly lastSequence: number;
}

export interface SnapshotReport {
  readonly fileName: string;
  readonly through: number;
  readonly wallMs: number;
  readonly contentBytes: number;
  readonly whole: boolean;
}

export interface JournalReport {
  readonly segments: readonly SegmentReport[];
  readonly snapshots: readonly SnapshotReport[];
  /** Readable without a gap: through `lastSequence`. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly records: number;
  readonly closedCleanly: boolean;
  /** The unacknowledged last group that a start would cut; no damage. */
  readonly tornTail: { readonly fileName: string; readonly offset: number } | undefined;
  /** In the order of the log; empty: the journal is sound. */
  readonly damages: readonly Damage[];
}

export interface RepairReport {
  /** What was done, or would be: sentences, in order. */
  readonly steps: readonly string[];
  /**
   * Records that were acknowledged and are lost to the journal, from the first on; undefined: none.
   * `through` is the last one that the damaged files still show, 0 when nothing shows it.
   */
  readonly lost: { readonly from: number; readonly through: number } | undefined;
}

/** A record in the dump, or a damage where there should be one. */
export type DumpEntry =
  | {
      readonly kind: "record";
      readonly fileName: string;
      readonly offset: number;
      readonly sequence: number;
      readonly wallMs: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "damage"; readonly damage: Damage };
