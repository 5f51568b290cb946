// How many connections each client address has at this worker, and whether it may have one more.
//
// Whoever may have all of a worker's connections shuts everybody else out with no traffic at all.
// One count an address, made at its first connection and gone with its last, so that there are
// never more counts than connections.

import { addressGroup } from "../../core/guard/client-address.ts";

export class Crowds {
  readonly #sizes = new Map<string, number>();
  refused = 0;

  get addresses(): number {
    return this.#sizes.size;
  }

  /** Whether a connection from `address` may stay; it is then counted until `left`. */
  joined(address: string, most: number): boolean {
    const group = addressGroup(address);
    const size = this.#sizes.get(group) ?? 0;
    if (size >= most) {
      this.refused++;
      return false;
    }
    this.#sizes.set(group, size + 1);
    return true;
  }

  left(address: string): void {
    const group = addressGroup(address);
    const size = this.#sizes.get(group) ?? 0;
    if (size > 1) this.#sizes.set(group, size - 1);
    else this.#sizes.delete(group);
  }
}
