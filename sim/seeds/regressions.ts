// Seeds that once broke a promise, for ever. Each says what it found; the smoke test runs them all.
//
// A seed reproduces a run only as long as nothing draws differently, so an old one is a good sample
// rather than a proof. What it found has a test of its own beside the code that was mended.

export interface Regression {
  readonly seed: number;
  readonly found: string;
}

export const regressions: readonly Regression[] = [
  {
    seed: 36,
    found: "A control that had been stopped ended a healthy instance by checks that nobody made.",
  },
  {
    seed: 65,
    found: "Workers that were cut off from the one had nobody: control held the other one back.",
  },
  {
    seed: 100_266,
    found: "A control that began on a full disk left the next one below the versions it had given.",
  },
  {
    seed: 100_480,
    found: "A control that woke right after a start timeout ended an instance that had got ready.",
  },
  {
    seed: 920_007,
    found: "A heartbeat that came again moved the first missed one into the future; control ended.",
  },
];
