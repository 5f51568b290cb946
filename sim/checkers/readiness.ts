// No request goes to an instance that has not been ready since its process started.
//
// Excused for FOLLOW_MS after the start (the table that says so may be on its way), and while the
// worker is out of touch with control.

import type { World } from "../world/world.ts";
import { type Checker, FOLLOW_MS } from "./checker.ts";

export function readiness(world: World): Checker {
  const name = "readiness";
  return {
    name,
    promise: "no request goes to an instance before it is ready",
    attempted({ worker, instance }) {
      world.checks++;
      const program = world.machine.live(instance)[0];
      if (program?.state !== "starting") return;
      const ageMs = world.loop.nowMs - program.startedAtMs;
      if (Math.min(ageMs, world.inTouchForMs(worker)) <= FOLLOW_MS) return;
      world.violated(
        name,
        `worker-${worker.number} tried ${instance}, started ${ageMs.toFixed(0)} ms ago and not ready`,
      );
    },
  };
}
