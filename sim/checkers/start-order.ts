// A service is not started before each service it depends on has had a ready instance.

import { serviceOf, type World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

export function startOrder(world: World): Checker {
  const name = "start-order";
  const wasReady = new Set<string>();
  return {
    name,
    promise: "a service starts after those it depends on",
    programChanged(program) {
      if (program.state === "ready") wasReady.add(serviceOf(program.id));
    },
    programStarted(program) {
      world.checks++;
      const service = serviceOf(program.id);
      const missing = world.service(service)?.dependsOn.find((each) => !wasReady.has(each));
      if (missing === undefined) return;
      world.violated(name, `${program.id} started before any instance of ${missing} was ready`);
    },
  };
}
