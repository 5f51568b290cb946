// Broken invariants throw, in production too. What the world does wrong is never asserted: it is
// returned or thrown as a NinesError (errors.ts) and handled.

/** Thrown when the program contradicts itself. Never caught to go on; it ends the process. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws AssertionError unless `condition` holds. `what` says the invariant, not the failure. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(`invariant broken: ${what}`);
}

/** For the end of an exhaustive switch: the compiler proves it is never reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`invariant broken: unexpected ${JSON.stringify(value)}`);
}

/** The value, which an invariant says is there. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionError(`missing: ${what}`);
  return value;
}
