// How many connections each client address (core/guard/client-address.ts: its group) has at this
// worker, and whether it may have one more.
//
// Whoever may have all of a worker's connections shuts everybody else out with no traffic at all.
// One count an address, made at its first connection and gone with its last, so that there are
// never more counts than connections.

export class Crowds {
  readonly #sizes = new Map<string, number>();
  refused = 0;

  /** Whether one more of the group may stay; it is then counted until `left`. */
  joined(group: string, most: number): boolean {
    const size = this.#sizes.get(group) ?? 0;
    if (size >= most) {
      this.refused++;
      return false;
    }
    this.#sizes.set(group, size + 1);
    return true;
  }

  left(group: string): void {
    const size = this.#sizes.get(group) ?? 0;
    if (size > 1) this.#sizes.set(group, size - 1);
    else this.#sizes.delete(group);
  }
}
