// Bytes that arrived too early: the beginning of a head, or requests sent before their turn.
//
// Most connections never need one. It starts at the bytes' first unused one and is given up when
// empty.

const GROWTH_BYTES = 1024;

export class Stash {
  bytes: Buffer = EMPTY;
  from = 0;
  to = 0;

  get length(): number {
    return this.to - this.from;
  }

  /** Returns whether the indices of the bytes before have changed. */
  add(source: Buffer, from: number, to: number): boolean {
    const count = to - from;
    const moves = this.to + count > this.bytes.length && this.from > 0;
    if (this.to + count > this.bytes.length) {
      const larger = Buffer.allocUnsafe(roundUp(2 * this.length + count));
      this.bytes.copy(larger, 0, this.from, this.to);
      this.to -= this.from;
      this.from = 0;
      this.bytes = larger;
    }
    source.copy(this.bytes, this.to, from, to);
    this.to += count;
    return moves;
  }

  /** The first bytes up to index `from` are used. Indices of the others stay as they are. */
  consume(from: number): void {
    this.from = from;
    if (from === this.to) this.clear();
  }

  clear(): void {
    this.bytes = EMPTY;
    this.from = 0;
    this.to = 0;
  }
}

const EMPTY = Buffer.alloc(0);

function roundUp(byteCount: number): number {
  return Math.ceil(byteCount / GROWTH_BYTES) * GROWTH_BYTES;
}
