// A process that runs and answers no check is told to end when the file's patience is over.
//
// Watched where checks can see it: an http check, a ready program that is stopped, and a control
// that has run all the time. Excused while a person has taken the instance in hand (an end was
// asked for).

import { serviceOf, type World } from "../world/world.ts";
import { type Checker, detectMs, FOLLOW_MS } from "./checker.ts";

const IN_HAND_MS = 120_000;

export function patience(world: World): Checker {
  const name = "patience";
  return {
    name,
    promise: "a silent instance is restarted when the patience with it is over",
    looked() {
      if (!world.controlRuns()) return;
      const controlMs = world.loop.nowMs - (world.control?.gate.runningSinceMs ?? world.loop.nowMs);
      for (const program of world.machine.programs()) {
        const config = world.service(serviceOf(program.id));
        if (program.stoppedSinceMs === undefined || config?.kind !== "command") continue;
        if (config.health.check.kind !== "http" || program.toldToEndAtMs !== undefined) continue;
        const askedMs = world.loop.nowMs - world.operator.askedAtMs(program.id);
        if (program.state !== "ready" || askedMs < IN_HAND_MS) continue;
        world.checks++;
        const silentMs = Math.min(world.loop.nowMs - program.stoppedSinceMs, controlMs);
        const boundMs =
          1.1 * config.restart.unhealthyAfterMs + detectMs(world, config.name) + FOLLOW_MS;
        if (silentMs <= boundMs) continue;
        world.violated(name, `${program.id} has been silent for ${silentMs.toFixed(0)} ms`);
      }
    },
  };
}
