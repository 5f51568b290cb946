// What every conformance suite needs of the world it runs in. A suite states the promises of one
// port (src/ports) as tests; it runs against the real implementation and against the simulator's,
// which is what makes the simulator's word worth something.

export interface World {
  /** Lets time pass, real or virtual, until `condition` holds; throws `what` after a long while. */
  until(condition: () => boolean, what: string): Promise<void>;
}

const realPatienceMs = 15_000;

/** The real world: looks again every few milliseconds. */
export const realWorld: World = {
  async until(condition, what) {
    const deadlineMs = performance.now() + realPatienceMs;
    while (!condition()) {
      if (performance.now() > deadlineMs) throw new Error(`it never happened that ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  },
};
