// No request goes to an instance that has not been ready since its process started.
//
// Excused for FOLLOW_MS after the start (the table that says so may be on its way), while the
// worker is out of touch with control, and, for an endpoint that others restart, until checks can
// see it.

import type { World } from "../world/world.ts";
import { type Checker, detectMs, FOLLOW_MS } from "./checker.ts";

export function readiness(world: World): Checker {
  const name = "readiness";
  return {
    name,
    promise: "no request goes to an instance before it is ready",
    attempted({ worker, service, instance }) {
      world.checks++;
      const program = world.machine.live(instance)[0];
      if (program?.state !== "starting") return;
      const ageMs = world.loop.nowMs - program.startedAtMs;
      const boundMs = world.ownsInstance(instance) ? FOLLOW_MS : detectMs(world, service);
      if (Math.min(ageMs, world.inTouchForMs(worker)) <= boundMs) return;
      world.violated(
        name,
        `worker-${worker.number} tried ${instance}, started ${ageMs.toFixed(0)} ms ago and not ready`,
      );
    },
  };
}
