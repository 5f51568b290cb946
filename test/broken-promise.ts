// What a suite throws that looks for broken promises. Anything else it throws is a fault of its own.

/** A promise that did not hold, and how to see it again. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}
