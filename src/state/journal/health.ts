// Whether the journal may still be believed. The first failed write or flush ends it for good:
// after it the kernel may call pages clean that never reached the device, and a second try may
// succeed without having written anything. So nothing is tried again, and everybody is told the
// same.

import { NinesError } from "../../core/base/errors.ts";
import { messageOf } from "./failures.ts";

export class Health {
  readonly #folder: string;
  readonly #told = new Set<(failure: NinesError) => void>();
  #failure: NinesError | undefined;
  #closed = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get failure(): NinesError | undefined {
    return this.#failure;
  }

  /** Why a call is refused: it has failed, or it was closed; undefined: go on. */
  refusal(): NinesError | undefined {
    if (this.#failure !== undefined) return this.#failure;
    if (!this.#closed) return undefined;
    return new NinesError("NINES_JOURNAL_CLOSED", `the journal in ${this.#folder} was closed`);
  }

  check(): void {
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
  }

  /** No more calls are taken; what was taken goes on. */
  close(): void {
    this.#closed = true;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Ends it, the first time; the failure that everybody is told. */
  fail(what: string, error: unknown): NinesError {
    if (this.#failure !== undefined) return this.#failure;
    const sentence = `the journal in ${this.#folder} has failed: ${what}: ${messageOf(error)}`;
    this.#failure = new NinesError("NINES_JOURNAL_FAILED", sentence, { cause: error });
    for (const tell of this.#told) tell(this.#failure);
    this.#told.clear();
    return this.#failure;
  }

  onFailure(tell: (failure: NinesError) => void): void {
    this.#told.add(tell);
  }
}
