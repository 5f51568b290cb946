// The records, simulated: a file for each key, which survives every process.
//
// Values are kept as JSON text, so that nobody shares an object with the disk; in a calm world,
// where years of them are written and few are read, they are trusted not to be changed and become
// text when somebody reads them. A disk that refuses (full, read-only) refuses writes and still
// reads and removes.

import { assert } from "../../src/core/base/assert.ts";
import { NinesError } from "../../src/core/base/errors.ts";
import type { Records } from "../../src/ports/records.ts";

export class StateFiles {
  refusing = false;
  writes = 0;
  refused = 0;
  /** As text; in a calm world as they were written. */
  readonly #values = new Map<string, unknown>();
  readonly #isCalm: boolean;

  constructor(isCalm: boolean) {
    this.#isCalm = isCalm;
  }

  /** As one process sees them; `touch` is asked before each change, and told after it: false, and
   * the process is dead and changes nothing. */
  for(touch: () => boolean): Records {
    return {
      read: (key) => {
        const kept = this.#values.get(key);
        if (kept === undefined) return undefined;
        const text = typeof kept === "string" && !this.#isCalm ? kept : JSON.stringify(kept);
        return JSON.parse(text) as unknown;
      },
      list: (prefix) => [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort(),
      write: (key, value) => {
        if (!touch()) return;
        this.#write(key, value);
        touch();
      },
      remove: (key) => {
        if (!touch()) return;
        this.#values.delete(key);
        touch();
      },
    };
  }

  #write(key: string, value: unknown): void {
    assert(/^[\w.-]+(\/[\w.-]+)*$/.test(key), `a key is words and slashes: ${key}`);
    assert(value !== undefined, "a record is a value");
    this.writes++;
    if (this.refusing) {
      this.refused++;
      throw new NinesError("NINES_STATE_WRITE", `${key} was not written: the disk is full`);
    }
    this.#values.set(key, this.#isCalm ? value : textOf(value));
  }
}

function textOf(value: unknown): string {
  const text = JSON.stringify(value);
  assert(text.length <= 1024 * 1024, "a record is JSON of at most 1 MiB");
  return text;
}
