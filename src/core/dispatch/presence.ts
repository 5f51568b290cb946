// Whether an instance takes traffic as one worker sends it, and how often that has changed. The
// state of one service.
//
// Three decide it: control's verdict in the table, this worker's own ejections, and a silence of a
// second and more for which it was avoided. Clients do not care which one; so all their changes are
// remembered here together, and a return waits for core/guard/flap-damping.ts whoever would have
// it. What a person asked for (a drain, a restart, a smaller service) is no change, nor is the
// first coming.
//
// Rejected: damping in each of the three by itself. Each then allows three changes a minute, and
// the traffic saw seven.

import { type Changes, mayReturn, neverChanged, withChange } from "../guard/flap-damping.ts";

/**
 * Control counts the same minutes from when it says so, a worker from when it hears it: so much
 * sooner than ours is soon enough.
 */
const HEARD_LATER_MS_MAX = 500;

interface Known {
  readonly taking: boolean;
  /** It left on somebody's word, or has never been here: its coming is no return. */
  readonly isAsked: boolean;
  readonly changes: Changes;
}

const unseen: Known = { taking: false, isAsked: true, changes: neverChanged };

export class Presences {
  readonly #bySlot: Known[] = [];

  isTaking(slot: number): boolean {
    return this.#of(slot).taking;
  }

  left(slot: number, nowMs: number, isAsked: boolean): void {
    const { changes } = this.#of(slot);
    // A silence is known for an absence when it ends: its begin may lie before the last change.
    const atMs = Math.max(nowMs, changes.lastMs);
    const counted = isAsked ? changes : withChange(changes, atMs);
    this.#bySlot[slot] = { taking: false, isAsked, changes: counted };
  }

  returned(slot: number, nowMs: number): void {
    const { isAsked, changes } = this.#of(slot);
    const counted = isAsked ? changes : withChange(changes, nowMs);
    this.#bySlot[slot] = { taking: true, isAsked: false, changes: counted };
  }

  /** Whether its return would be one too many: of a return that control says, a little earlier. */
  flaps(slot: number, nowMs: number, isControls: boolean): boolean {
    const { isAsked, changes } = this.#of(slot);
    return !isAsked && !mayReturn(changes, nowMs + (isControls ? HEARD_LATER_MS_MAX : 0));
  }

  changes(slot: number): Changes {
    return this.#of(slot).changes;
  }

  /** The slot is another instance's now. */
  forget(slot: number): void {
    this.#bySlot[slot] = unseen;
  }

  #of(slot: number): Known {
    return this.#bySlot[slot] ?? unseen;
  }
}
