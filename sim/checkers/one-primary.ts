// Never two primaries of one service: no request reaches an instance while another one of the same
// `primary-standby` service is still at work on a request.
//
// Judged by what is under way in the programs, over all workers, and not by what tables say.
// Control may be killed in the middle of a move, its record refused, a worker left behind with an
// old table, a stopped primary continued: none of that is an excuse. One is: with a `fence` above
// zero the file says that a late write does no harm, so what a worker that has died left in the
// sockets of the old primary does not count.

import type { Program } from "../world/program.ts";
import type { World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

export function onePrimary(world: World): Checker {
  const name = "one-primary";

  function isAtWork({ id, underWay }: Program, fenceMs: number): boolean {
    const isAwaited = (): boolean => world.gateway.workers.some((one) => one.active(id) > 0);
    return underWay > 0 && (fenceMs === 0 || isAwaited());
  }

  return {
    name,
    promise: "a service never has two primaries",
    attempted({ worker, service, instance, program }) {
      if (program === undefined || world.network.cutFromWorkers.has(instance)) return;
      const failover = world.service(service)?.failover;
      if (failover?.mode !== "primary-standby") return;
      world.checks++;
      const others = world.machine
        .programs()
        .filter((other) => other.id !== instance && other.id.startsWith(`${service}-`));
      const busy = others.find((other) => isAtWork(other, failover.fenceMs));
      if (busy === undefined) return;
      world.violated(
        name,
        `worker-${worker.number} sends to ${instance} while ${busy.id} works on ${busy.underWay}`,
      );
    },
  };
}
