// A drained instance gets no new traffic until a person undrains it, whoever dies meanwhile.
//
// Excused while the worker is out of touch with control, and for FOLLOW_MS after the word.

import type { World } from "../world/world.ts";
import { type Checker, FOLLOW_MS } from "./checker.ts";

export function drained(world: World): Checker {
  const name = "drained";
  return {
    name,
    promise: "a drained instance gets no new traffic",
    attempted({ worker, instance }) {
      world.checks++;
      const sinceMs = world.operator.drainedSinceMs.get(instance);
      if (sinceMs === undefined) return;
      const drainedMs = world.loop.nowMs - sinceMs;
      if (Math.min(drainedMs, world.inTouchForMs(worker)) <= FOLLOW_MS) return;
      world.violated(
        name,
        `worker-${worker.number} tried ${instance}, drained for ${drainedMs.toFixed(0)} ms`,
      );
    },
  };
}
