// What the world does wrong, in one catalogue. Every failure that a person or a program can meet has
// a stable code, a sentence that says what happened, a remedy, and whether trying again can help.
// Match on `code`, never on the message. A retired code is never used again. docs/reference/errors.md
// is generated from this table and a test compares them.
// Shape after undici (codes) and Fastify (a "how to solve" column that a test keeps complete).

export interface ErrorEntry {
  /** What it means, one sentence for the docs. */
  readonly meaning: string;
  /** What the reader does about it, an imperative sentence. */
  readonly remedy: string;
  /** Whether the same call may succeed later without a change. */
  readonly retriable: boolean;
}

function entry(meaning: string, remedy: string, retriable = false): ErrorEntry {
  return { meaning, remedy, retriable };
}

export const errorCatalogue = {
  NINES_CONFIG_NOT_FOUND: entry(
    "The configuration file is not there.",
    "Name it with -f FILE, or write one with `nines init`.",
  ),
  NINES_CONFIG_UNREADABLE: entry(
    "The configuration file cannot be read.",
    "Check the file's permissions and that it is a file.",
  ),
  NINES_CONFIG_SYNTAX: entry(
    "The configuration file is not valid YAML, JSON or JavaScript.",
    "Mend the line that the message names.",
  ),
  NINES_CONFIG_INVALID: entry(
    "The configuration file says something that Nines cannot do.",
    "Mend each line that the message names; `nines schema` prints what is allowed.",
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

/** A failure of the world, as it is thrown, logged, printed and sent over the admin API. */
export class NinesError extends Error {
  override readonly name = "NinesError";
  readonly code: ErrorCode;

  /** `what` is one sentence with the particulars (which file, which port, which instance). */
  constructor(code: ErrorCode, what: string, options?: { readonly cause?: unknown }) {
    super(what, options);
    this.code = code;
  }

  get remedy(): string {
    return errorCatalogue[this.code].remedy;
  }

  get retriable(): boolean {
    return errorCatalogue[this.code].retriable;
  }
}
