// A planned end (a restart, a scale, an edited file) loses no request: when a healthy instance is
// told to end, nothing is under way on it any more.
//
// Excused: a worker that was not in touch with control all the while may still send to it, and an
// instance that a fault is upon, or was a moment ago, may be too slow for the drain's deadline.

import type { World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

/** Longer than the drain of every plan, and than any undisturbed request. */
const UNDISTURBED_MS = 15_000;

export function plannedEnd(world: World): Checker {
  const name = "planned-end";
  return {
    name,
    promise: "a planned end loses no request",
    programSignalled(program, signal) {
      world.checks++;
      // At `down` the gateway has been drained before; here its clients just stop.
      if (world.stopped) return;
      if (program.toldToEndAtMs !== undefined || program.healthySinceMs === undefined) return;
      if (program.underWay === 0 || world.trouble.freeForMs(program.id) < UNDISTURBED_MS) return;
      const { workers } = world.gateway;
      if (workers.some((worker) => world.inTouchForMs(worker) < UNDISTURBED_MS)) return;
      world.violated(
        name,
        `${signal} to ${program.id} with ${program.underWay} requests under way`,
      );
    },
  };
}
