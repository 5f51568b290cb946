// A request reaches the service it was routed to: ports are used again, and an old table names
// them.
//
// Excused while the worker is out of touch with control: its table is old and nobody tells it.

import { serviceOf, type World } from "../world/world.ts";
import { type Checker, FOLLOW_MS } from "./checker.ts";

export function rightInstance(world: World): Checker {
  const name = "right-instance";
  return {
    name,
    promise: "a request reaches an instance of the service it was meant for",
    attempted({ worker, service, instance, program }) {
      world.checks++;
      if (program === undefined || serviceOf(program.id) === service) return;
      if (world.inTouchForMs(worker) <= FOLLOW_MS) return;
      world.violated(
        name,
        `a request for ${instance} reached ${program.id} on port ${program.port}`,
      );
    },
  };
}
