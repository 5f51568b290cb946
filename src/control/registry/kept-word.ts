// What an operator said, as one record: on disk before it takes effect, so that it holds across
// restarts of control, and a word that cannot be kept is refused.

import type { Records } from "../../ports/records.ts";
import type { CarefulRecords } from "./careful-records.ts";

export class KeptWord<Word> {
  readonly #records: Records;
  readonly #careful: CarefulRecords;
  readonly #key: string;
  #word: Word;

  /** `read` makes a word of whatever the record says, or of nothing. */
  constructor(
    records: Records,
    careful: CarefulRecords,
    key: string,
    read: (kept: unknown) => Word,
  ) {
    this.#records = records;
    this.#careful = careful;
    this.#key = key;
    this.#word = read(careful.read(key));
  }

  get now(): Word {
    return this.#word;
  }

  /** Throws NINES_STATE_WRITE, and then nothing has changed. */
  keep(word: Word): void {
    this.#records.write(this.#key, word);
    this.#word = word;
  }

  /**
   * The file is the newer word: it takes effect whatever the disk says; if that refuses, the old
   * word comes back with the next control.
   */
  replace(word: Word): void {
    this.#word = word;
    this.#careful.write(this.#key, word);
  }
}
