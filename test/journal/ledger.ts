// What a test has asked of a journal and been told by it: the other side of each promise.
//
// Payloads and snapshots follow from their sequence alone wherever that is possible, so that what a
// start finds can be judged by a few numbers.

import assert from "node:assert/strict";
import { createPrng } from "../../src/core/base/prng.ts";
import type { Journal, Snapshot } from "../../src/state/journal/journal.ts";

/** What was known at one moment, for instance when the power went. */
export interface Known {
  /** Records handed to the journal so far. */
  readonly submitted: number;
  /** The last one that it called durable. */
  readonly durable: number;
  /** What the newest snapshot that it confirmed goes through; 0: none, -1: it may be lost. */
  readonly snapshot: number;
  /** Whether `close` had resolved and nothing was opened since. */
  readonly closed: boolean;
}

export class Ledger {
  readonly #records: Uint8Array[] = [];
  /** For each record, the last one of the append that it came with. */
  readonly #ends: number[] = [];
  #durable = 0;
  #snapshot = 0;
  closed = false;

  /** What is known of a journal that a start has shown to end at `last`. */
  static after(before: Ledger, last: number): Ledger {
    const after = new Ledger();
    after.#records.push(...before.#records.slice(0, last));
    after.#ends.push(...before.#ends.slice(0, last));
    after.#durable = last;
    return after;
  }

  get submitted(): number {
    return this.#records.length;
  }

  /** The records of one append, and the sequence of the last. */
  submit(records: readonly Uint8Array[]): number {
    const end = this.#records.length + records.length;
    for (const record of records) {
      this.#records.push(record.slice());
      this.#ends.push(end);
    }
    return end;
  }

  /** The journal has refused the last ones. */
  takeBack(records: number): void {
    this.#records.length -= records;
    this.#ends.length -= records;
  }

  noteDurable(through: number): void {
    assert.ok(through <= this.submitted, "nothing is durable that was not handed over");
    this.#durable = Math.max(this.#durable, through);
  }

  noteSnapshot(through: number): void {
    this.#snapshot = through;
  }

  known(journal: Journal | undefined): Known {
    if (journal !== undefined) this.noteDurable(journal.durableThrough);
    return {
      submitted: this.submitted,
      durable: this.#durable,
      snapshot: this.#snapshot,
      closed: this.closed,
    };
  }

  /** Whether these bytes are what was handed over as this record. */
  holds(sequence: number, bytes: Uint8Array): boolean {
    const record = this.#records[sequence - 1];
    return record !== undefined && sameBytes(record, bytes);
  }

  /** Whether a log may end here: not between two records of one append. */
  endsAt(sequence: number): boolean {
    return sequence === 0 || this.#ends[sequence - 1] === sequence;
  }
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** The content of a snapshot through this record. */
export function snapshotContent(through: number): Uint8Array {
  const random = createPrng(through * 7_919 + 1);
  const content = new Uint8Array(random.below(3_000));
  for (let at = 0; at < content.length; at++) content[at] = random.below(256);
  return content;
}

/** Whether a snapshot holds exactly what belongs to it. */
export async function isOfItsSequence(snapshot: Snapshot): Promise<boolean> {
  const expected = snapshotContent(snapshot.through);
  let read = 0;
  for await (const chunk of snapshot.read()) {
    if (!sameBytes(chunk, expected.subarray(read, read + chunk.length))) return false;
    read += chunk.length;
  }
  return read === expected.length;
}
