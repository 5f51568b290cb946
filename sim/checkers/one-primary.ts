// Never two primaries of one service: no request reaches an instance while another one of the same
// `primary-standby` service is still at work on a request.
//
// Judged by what is under way in the programs, over all workers, and not by what tables say. No
// excuse: control may be killed in the middle of a move, its record refused, a worker left behind
// with an old table, a stopped primary continued.

import type { World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

export function onePrimary(world: World): Checker {
  const name = "one-primary";
  return {
    name,
    promise: "a service never has two primaries",
    attempted({ worker, service, instance, program }) {
      if (program === undefined || world.network.cutFromWorkers.has(instance)) return;
      if (world.service(service)?.failover.mode !== "primary-standby") return;
      world.checks++;
      const others = world.machine
        .programs()
        .filter((other) => other.id !== instance && other.id.startsWith(`${service}-`));
      const busy = others.find((other) => other.underWay > 0);
      if (busy === undefined) return;
      world.violated(
        name,
        `worker-${worker.number} sends to ${instance} while ${busy.id} works on ${busy.underWay}`,
      );
    },
  };
}
