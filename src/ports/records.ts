// Small named values that survive `kill -9` and power loss: which processes run, which version of
// the file is in force, what an operator asked for. One writer at a time (the holder of the term).

export interface Records {
  /** The value; undefined when there is none. A torn or foreign file is refused, never returned. */
  read(key: string): unknown;
  /** All keys with this prefix, sorted. */
  list(prefix: string): readonly string[];
  /**
   * Replaces the value atomically: a reader, or a crash at any point, sees the old or the new one.
   * Keys are slash-separated words of letters, digits, dash, dot and underscore; values are JSON of
   * at most 1 MiB. Throws NINES_STATE_WRITE when the disk refuses; the old value then still stands.
   */
  write(key: string, value: unknown): void;
  /** Removes it; nothing happens when it is not there. */
  remove(key: string): void;
}
