// Control knows of a silent instance within the bound that is stated for its detectors.
//
// Watched where something can see it: a ready program that is stopped, with a check that asks for
// an answer or with heartbeats that are counted, and a control that has run all the time.

import { serviceOf, type World } from "../world/world.ts";
import { type Checker, detectMs } from "./checker.ts";

export function detectionBound(world: World): Checker {
  const name = "detection-bound";

  function seesSilence(service: string): boolean {
    const health = world.service(service)?.health;
    if (health === undefined) return false;
    const { check, heartbeat } = health;
    return check.kind === "http" || (check.kind === "none" && heartbeat?.detector === "misses");
  }

  return {
    name,
    promise: "a silent instance is known within the bound that is stated for its detectors",
    looked() {
      if (!world.controlRuns()) return;
      const controlMs = world.loop.nowMs - (world.control?.gate.runningSinceMs ?? 0);
      for (const program of world.machine.programs()) {
        const record = world.control?.control?.registry.get(program.id);
        const service = serviceOf(program.id);
        if (program.stoppedSinceMs === undefined || !seesSilence(service)) continue;
        if (record?.phase !== "running" && record?.phase !== "external") continue;
        const other = record.pid !== undefined && record.pid !== program.pid;
        if (program.state !== "ready" || other) continue;
        world.checks++;
        const silentMs = world.loop.nowMs - program.stoppedSinceMs;
        if (record.health === "down") continue;
        if (Math.min(silentMs, controlMs) <= detectMs(world, service)) continue;
        const forText = `silent for ${silentMs.toFixed(0)} ms`;
        world.violated(name, `${program.id} is ${forText}, and control calls it ${record.health}`);
      }
    },
  };
}
