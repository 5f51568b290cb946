// Nobody ends a healthy instance unasked. A control that starts adopts what runs and restarts
// nothing; one that was stopped, or lost sight of its disk, does the same.
//
// Excused by a person's word (a restart, a scale, an edited file) and by a fault upon the instance
// itself, now or a short while ago: being ended for silence is what the file asks for.

import type { World } from "../world/world.ts";
import { type Checker, detectMs } from "./checker.ts";

export function adoption(world: World): Checker {
  const name = "adoption";

  function excuseMs(service: string): number {
    const config = world.service(service);
    const patienceMs = config?.kind === "command" ? config.restart.unhealthyAfterMs : 0;
    return patienceMs + detectMs(world, service);
  }

  return {
    name,
    promise: "control ends no healthy instance that nobody asked it to end",
    programSignalled(program, signal) {
      world.checks++;
      if (world.stopped || world.operator.mayEnd(program.id, program.startedAtMs)) return;
      if (program.toldToEndAtMs !== undefined || program.healthySinceMs === undefined) return;
      const service = program.id.slice(0, program.id.indexOf("-"));
      const healthyMs = world.loop.nowMs - program.healthySinceMs;
      const freeMs = world.trouble.freeForMs(program.id);
      if (Math.min(healthyMs, freeMs) <= excuseMs(service) && !neverTroubled(freeMs)) return;
      world.violated(name, `${signal} to ${program.id}, healthy for ${healthyMs.toFixed(0)} ms`);
    },
  };

  /** Then nothing excuses its end, however young it is. */
  function neverTroubled(freeMs: number): boolean {
    return freeMs >= world.loop.nowMs;
  }
}
