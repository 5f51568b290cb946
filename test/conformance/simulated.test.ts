// The same promises, kept by the simulator's clock and records: what a simulated run shows about
// control holds for a real one as far as these suites reach.

import { Gate } from "../../sim/world/gate.ts";
import { EventLoop } from "../../sim/world/event-loop.ts";
import { MachineClock } from "../../sim/world/machine-clock.ts";
import { StateFiles } from "../../sim/world/state-files.ts";
import { clockConformance } from "./clock.ts";
import { recordsConformance } from "./records.ts";
import type { World } from "./world.ts";

const hourMs = 3_600_000;

for (const rate of [1, 0.7, 1.3]) {
  const loop = new EventLoop(() => new Promise((resolve) => setImmediate(resolve)));
  const world: World = {
    async until(condition, what) {
      for (let ms = 0; !condition(); ms++) {
        if (ms > hourMs || loop.failure !== undefined) {
          throw new Error(`it never happened that ${what}`, { cause: loop.failure });
        }
        await loop.run(loop.nowMs + 1);
      }
    },
  };
  clockConformance(`a simulated clock at ${rate} of true time`, world, () => {
    const clock = new MachineClock(loop, 5_000, 0);
    clock.drift(rate);
    return clock.for(new Gate(loop, true));
  });
}

recordsConformance("simulated records", (check) => {
  const files = new StateFiles(false);
  check({
    open: () => files.for(() => true),
    refuseWrites(refuse) {
      files.refusing = refuse;
    },
  });
});
