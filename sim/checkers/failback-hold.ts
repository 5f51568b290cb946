// No failback before its hold: an instance gets its place back from one that is well only when it
// has itself been well for `minimumHealthy`.
//
// Excused by an operator's word a moment ago, and by trouble or a planned end of the one that had
// the place: then it is no failback. The machine's clock may run 5 % fast.

import type { World } from "../world/world.ts";
import { type Checker, FOLLOW_MS } from "./checker.ts";

export function failbackHold(world: World): Checker {
  const name = "failback-hold";
  const primaries = new Map<string, string>();
  return {
    name,
    promise: "no failback before its hold",
    published(table) {
      for (const { name: service, mode, instances } of table.services) {
        if (mode !== "primary-standby") continue;
        const now = instances.find(({ verdict }) => verdict === "up")?.id;
        const before = primaries.get(service);
        if (now === undefined) continue;
        primaries.set(service, now);
        if (before === undefined || before === now) continue;
        world.checks++;
        const holdMs = world.service(service)?.failover.minimumHealthyMs ?? 0;
        const lost = world.machine.live(before)[0];
        const { nowMs } = world.loop;
        if (lost?.healthySinceMs === undefined || lost.toldToEndAtMs !== undefined) continue;
        if (world.control?.control?.registry.get(before)?.draining === true) continue;
        const wellMs = Math.min(nowMs - lost.healthySinceMs, world.trouble.freeForMs(before));
        if (wellMs < holdMs || nowMs - world.operator.movedAtMs(service) < holdMs) continue;
        const healthySinceMs = world.machine.live(now)[0]?.healthySinceMs ?? nowMs;
        const heldMs = nowMs - healthySinceMs;
        if (heldMs >= 0.94 * holdMs - FOLLOW_MS) continue;
        world.violated(name, `${now} has ${service} back after ${heldMs.toFixed(0)} ms`);
      }
    },
  };
}
