// What a suite throws that looks for broken promises; anything else it throws is its own fault.

/** A promise that did not hold, and how to see it again. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}
