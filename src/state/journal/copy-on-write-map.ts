// A map that can be read as it was at one moment while it goes on changing: what a snapshot of a
// large state needs, so that taking it stops nobody.
//
// `freeze` costs nothing by itself. From then on the first change to an entry that the reader has
// not seen yet puts the old value aside; the reader passes over what has changed and finds it among
// what was put aside. So each entry of the moment comes exactly once, in no particular order, and
// memory grows by at most the entries that change meanwhile.
//
// Values are replaced, never changed in place: an object that is changed in place is changed in the
// past as well. Rejected: copying the map (stops the program for a tenth of a second a million
// entries), fork (Node has none), persistent trees (every read and write pays, not only snapshots).

interface Cell<Value> {
  value: Value;
  /** The moment whose reader has no use for this cell any more: seen, put aside or younger. */
  doneWith: number;
}

export class CopyOnWriteMap<Key, Value> {
  readonly #cells = new Map<Key, Cell<Value>>();
  /** Counts the moments; the newest is being read while `#putAside` is there. */
  #moment = 0;
  #putAside: [Key, Value][] | undefined;

  get size(): number {
    return this.#cells.size;
  }

  has(key: Key): boolean {
    return this.#cells.has(key);
  }

  get(key: Key): Value | undefined {
    return this.#cells.get(key)?.value;
  }

  set(key: Key, value: Value): this {
    const cell = this.#cells.get(key);
    if (cell === undefined) {
      this.#cells.set(key, { value, doneWith: this.#moment });
    } else {
      this.#keep(key, cell);
      cell.value = value;
    }
    return this;
  }

  delete(key: Key): boolean {
    const cell = this.#cells.get(key);
    if (cell === undefined) return false;
    this.#keep(key, cell);
    return this.#cells.delete(key);
  }

  /** As it is now, in the order in which the keys came. */
  *entries(): IterableIterator<[Key, Value]> {
    for (const [key, cell] of this.#cells) yield [key, cell.value];
  }

  *values(): IterableIterator<Value> {
    for (const cell of this.#cells.values()) yield cell.value;
  }

  /** As it is now, however long the reading takes. A later `freeze` ends an earlier one. */
  freeze(): IterableIterator<[Key, Value]> {
    const putAside: [Key, Value][] = [];
    this.#putAside = putAside;
    this.#moment += 1;
    return this.#read(putAside, this.#moment);
  }

  *#read(putAside: [Key, Value][], moment: number): Generator<[Key, Value]> {
    try {
      for (const [key, cell] of this.#cells) {
        if (this.#moment !== moment) throw new Error("a later freeze ended this one");
        if (cell.doneWith === moment) continue;
        cell.doneWith = moment;
        yield [key, cell.value];
      }
      // Every cell is done with: nothing is put aside any more.
      yield* putAside;
    } finally {
      if (this.#putAside === putAside) this.#putAside = undefined;
    }
  }

  #keep(key: Key, cell: Cell<Value>): void {
    if (this.#putAside === undefined || cell.doneWith === this.#moment) return;
    this.#putAside.push([key, cell.value]);
    cell.doneWith = this.#moment;
  }
}
