// Work that comes back by itself, and its word that it would only repeat itself.
//
// Intuition: a loop that checks a healthy instance every second does the same thing 86,400 times a
// day. Whoever owns time (the simulator, which has a thousand years to get through) may pass over
// that, if the loop says so: the loop alone knows what its next turn depends on.
//
// A fixed point is claimed for the world as it is: whoever passes over time must have let every
// turn happen once since the world changed last, in what it heeds, and must leave each its turn
// before the next change, so that what looks back at the latest turn finds it. Wrong claims are
// found by comparing runs that pass over time with runs that do not (sim/years). Nothing of this
// runs in production.

export interface Rest {
  /** The work comes back after this time, and does the same again. */
  readonly everyMs: number;
  /** So long ago its latest turn began. */
  readonly agoMs: number;
  /**
   * It stays so until the turn after this time, which changes what is its own alone: nobody needs a
   * turn before that one. Absent: until something else happens.
   */
  readonly forMs?: number;
  /**
   * What happens to these instances alone can change the next turn; with none, only what happens to
   * this work itself. Absent: whatever happens anywhere.
   */
  readonly heeds?: readonly string[];
  /**
   * A turn is over after this time, and then known to this work alone: before the next change
   * nobody needs another. Absent: others look back at the latest turn.
   */
  readonly lastsMs?: number;
}

export interface Recurring {
  /** Undefined while its next turn may change something. */
  atRest(): Rest | undefined;
  /** Whole turns, `byMs` long together, were passed over: its memory of the latest moves along. */
  passedOver(byMs: number): void;
}
