// Flat arrays by slot grow with what they describe.

interface Numbers {
  set(from: ArrayLike<number>): void;
}

/** `larger`, beginning with what `smaller` holds. */
export function grown<Larger extends Numbers>(smaller: ArrayLike<number>, larger: Larger): Larger {
  larger.set(smaller);
  return larger;
}
