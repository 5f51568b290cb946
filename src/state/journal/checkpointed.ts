// State that survives: an application's own state in memory, each change of it in the journal
// first, and now and then a checkpoint, so that a start reads one snapshot and a short log.
//
// The application describes a state machine: an empty state, `apply`, and how the state is taken
// apart into items for a snapshot and put together again. After Schneider's state machine approach
// (1990): when the changes are the same and `apply` depends on nothing else, so are the states.
// What `apply` returns is the answer to the change: a change that must be refused ("not enough
// money") is recorded like any other, and refused again whenever it is replayed.
//
// - A change is applied once it is durable, in the order of the journal. Nobody ever sees state
//   that a crash could take back.
// - What is applied is what was written, decoded: state that lives and state that was recovered
//   come from the same bytes, so a change that does not survive its encoding fails at once.
// - `apply` must not throw. If it does, the state may be half changed and is worth nothing; every
//   call rejects from then on. The change is in the journal: mend `apply`, start anew, none is
//   lost.
// - A checkpoint stops nobody. A failed one is told and tried again; the log is kept meanwhile.
//
// Rejected: applying before the write is done (readers would act on what may never have been),
// writing the new state and not the change (cost grows with the state).

import { assert } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import { packItems, unpackItems } from "./items.ts";
import type { Journal, SnapshotInfo } from "./journal.ts";

export interface StateMachine<State, Change, Answer, Item> {
  /** The state before any change. */
  readonly empty: () => State;
  /** Changes the state; depends on nothing but its arguments, and does not throw. */
  readonly apply: (state: State, change: Change) => Answer;
  /**
   * Takes the state apart. The items are drawn bit by bit while changes go on: they are to be of
   * the moment of the call (CopyOnWriteMap.freeze, or a copy; in a generator before the first
   * `yield`), or such that applying the later changes again does no harm.
   */
  readonly save: (state: State) => Iterable<Item>;
  /** Puts an item back into a state that began empty. */
  readonly load: (state: State, item: Item) => void;
}

/** How changes and items become bytes and come back. */
export interface Codec {
  readonly encode: (value: unknown) => Uint8Array;
  /** The bytes are valid only during the call. */
  readonly decode: (bytes: Uint8Array) => unknown;
}

export interface CheckpointOptions {
  /** A checkpoint after this many changes; default 100,000. */
  readonly checkpointChanges?: number;
  /** A checkpoint this long after the last one, if anything has changed; default 10 minutes. */
  readonly checkpointMs?: number;
  /** Told of each checkpoint: what was written, or why not. */
  readonly onCheckpoint?: (outcome: SnapshotInfo | Error) => void;
}

/** What opening did, for the log of the program. */
export interface Restored {
  /** The changes up to this one came from the snapshot; 0: there was none. */
  readonly snapshotThrough: number;
  /** The changes after it, replayed from the log. */
  readonly replayed: number;
}

export interface Opening<State, Change, Answer, Item> extends CheckpointOptions {
  /** Holds nothing but this machine's changes; closed by `close`. */
  readonly journal: Journal;
  readonly machine: StateMachine<State, Change, Answer, Item>;
  readonly codec: Codec;
  readonly clock: Clock;
}

const DEFAULT_CHANGES = 100_000;
const DEFAULT_MS = 10 * 60_000;

export class Checkpointed<State, Change, Answer = void, Item = unknown> {
  /** Read it as you like; only `apply` changes it. */
  readonly state: State;
  readonly restored: Restored;
  readonly #opening: Opening<State, Change, Answer, Item>;
  #appliedThrough: number;
  #snapshotThrough: number;
  /** A failed checkpoint counts as well: the next one comes after as many changes again. */
  #triedThrough: number;
  #checkpointing: Promise<SnapshotInfo> | undefined;
  #timer: Timer | undefined;
  #failure: Error | undefined;

  private constructor(
    opening: Opening<State, Change, Answer, Item>,
    state: State,
    restored: Restored,
  ) {
    this.#opening = opening;
    this.state = state;
    this.restored = restored;
    this.#snapshotThrough = restored.snapshotThrough;
    this.#triedThrough = restored.snapshotThrough;
    this.#appliedThrough = restored.snapshotThrough + restored.replayed;
    this.#startTimer();
  }

  /** Loads the newest snapshot, replays what came after it. */
  static async open<State, Change, Answer = void, Item = unknown>(
    opening: Opening<State, Change, Answer, Item>,
  ): Promise<Checkpointed<State, Change, Answer, Item>> {
    const { journal, machine, codec } = opening;
    const state = machine.empty();
    const snapshot = await journal.latestSnapshot();
    if (snapshot !== undefined) {
      await unpackItems(snapshot.read(), (item) => machine.load(state, codec.decode(item) as Item));
    }
    const snapshotThrough = snapshot?.through ?? 0;
    const replayed = await journal.replay({ from: snapshotThrough + 1 }, (bytes, sequence) => {
      applyOrSay(() => machine.apply(state, codec.decode(bytes) as Change), sequence);
    });
    return new Checkpointed(opening, state, { snapshotThrough, replayed });
  }

  /** The changes up to this one are in `state`. */
  get appliedThrough(): number {
    return this.#appliedThrough;
  }

  /** Why no change is taken any more; undefined as long as all is well. */
  get failure(): Error | undefined {
    return this.#failure ?? this.#opening.journal.failure;
  }

  /**
   * Makes a change durable, applies it, and resolves with the answer of `apply`. Rejects as the
   * journal's `append` does, and with NINES_JOURNAL_APPLY when `apply` threw.
   */
  async change(change: Change): Promise<Answer> {
    if (this.#failure !== undefined) throw this.#failure;
    const { journal, codec } = this.#opening;
    const bytes = codec.encode(change);
    const sequence = await journal.append(bytes);
    // Changes that were under way when `apply` threw are in the journal, and applied by nobody
    // here.
    if (this.#failure !== undefined) throw this.#failure;
    assert(sequence === this.#appliedThrough + 1, "changes are applied in the journal's order");
    const answer = this.#apply(bytes, sequence);
    this.#appliedThrough = sequence;
    this.#checkpointWhenDue();
    return answer;
  }

  /**
   * Writes a snapshot of the state and drops what it makes needless. One at a time: while one is
   * being written, resolves with that one.
   */
  checkpoint(): Promise<SnapshotInfo> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.#checkpointing ??= this.#writeCheckpoint().finally(() => {
      this.#checkpointing = undefined;
    });
    return this.#checkpointing;
  }

  /** Waits for a checkpoint that is being written, then closes the journal. Twice does nothing. */
  async close(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    await this.#checkpointing?.catch(() => undefined); // told by onCheckpoint
    await this.#opening.journal.close();
  }

  #apply(bytes: Uint8Array, sequence: number): Answer {
    const { machine, codec } = this.#opening;
    try {
      return applyOrSay(() => machine.apply(this.state, codec.decode(bytes) as Change), sequence);
    } catch (error) {
      this.#failure = error as Error;
      throw error;
    }
  }

  async #writeCheckpoint(): Promise<SnapshotInfo> {
    const { journal, machine, codec } = this.#opening;
    const through = this.#appliedThrough;
    this.#triedThrough = through;
    const chunks = packItems(encodeAll(machine.save(this.state), codec));
    try {
      // Begun here and now, also where `save` is a generator: its moment is `through`.
      const first = chunks.next();
      const info = await journal.checkpoint({ through, chunks: goOn(first, chunks) });
      this.#snapshotThrough = info.through;
      return info;
    } finally {
      chunks.return(undefined);
    }
  }

  #checkpointWhenDue(): void {
    const { checkpointChanges = DEFAULT_CHANGES } = this.#opening;
    if (this.#appliedThrough - this.#triedThrough >= checkpointChanges) this.#checkpointNow();
  }

  #checkpointNow(): void {
    if (this.#checkpointing !== undefined || this.failure !== undefined) return;
    const { onCheckpoint } = this.#opening;
    this.checkpoint().then(
      (info) => onCheckpoint?.(info),
      (error: Error) => onCheckpoint?.(error),
    );
  }

  #startTimer(): void {
    const { clock, checkpointMs = DEFAULT_MS } = this.#opening;
    this.#timer = clock.after(checkpointMs, () => {
      if (this.#appliedThrough > this.#snapshotThrough) this.#checkpointNow();
      this.#startTimer();
    });
  }
}

function* encodeAll<Item>(items: Iterable<Item>, codec: Codec): Generator<Uint8Array> {
  for (const item of items) yield codec.encode(item);
}

function* goOn<Value>(first: IteratorResult<Value>, rest: Iterable<Value>): Generator<Value> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}

function applyOrSay<Answer>(apply: () => Answer, sequence: number): Answer {
  try {
    return apply();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = `Change ${sequence} cannot be applied: ${reason}`;
    throw new NinesError("NINES_JOURNAL_APPLY", what, { cause });
  }
}
