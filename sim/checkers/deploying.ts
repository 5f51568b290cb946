// A deploy takes no more than it may: never more than `maxSurge` instances beyond the replicas, never
// a healthy one while more than `maxUnavailable` would be missing, and never two programs in one
// data folder.
//
// Excused: a service upon which a fault is, or was a short while ago (what control counted on may
// have ended since), and a person's other words, which end instances by rules of their own.

import { surgeOf, unavailableOf } from "../../src/core/deploy/settings.ts";
import type { Program } from "../world/program.ts";
import { serviceOf, type World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

/** A drain, a replacement, and what it takes to hear of a failure. */
const SETTLED_MS = 30_000;

export function deploying(world: World): Checker {
  const name = "deploying";

  /** Replicas beyond which a deploy's own begin; the most there may be after a doubtful word. */
  function checkStart(program: Program): void {
    const service = world.service(serviceOf(program.id));
    if (service?.kind !== "command") return;
    world.checks++;
    const ordinal = Number(program.id.slice(program.id.indexOf("-") + 1));
    const most = service.replicas.max + surgeOf(service.deploy, service.replicas.max);
    if (ordinal > most) world.violated(name, `${program.id} starts, and ${most} is the most`);
    const folder = program.environment["NINES_DATA_DIR"];
    const other = world.machine
      .programs()
      .find((one) => one !== program && one.environment["NINES_DATA_DIR"] === folder);
    if (other !== undefined) world.violated(name, `${program.id} and ${other.id} share ${folder}`);
  }

  function isSettled(service: string): boolean {
    const { operator, trouble, loop } = world;
    const ids = world.knownIds.filter((id) => serviceOf(id) === service);
    const freeMs = Math.min(...ids.map((id) => trouble.freeForMs(id)));
    const wordMs = loop.nowMs - operator.otherWordAtMs;
    return freeMs >= SETTLED_MS && wordMs >= SETTLED_MS && operator.drainedSinceMs.size === 0;
  }

  return {
    name,
    promise: "a deploy takes no more instances, and leaves no fewer, than it may",
    programStarted: checkStart,
    programSignalled(program) {
      const service = world.service(serviceOf(program.id));
      if (world.stopped || service?.kind !== "command") return;
      if (program.toldToEndAtMs !== undefined || program.healthySinceMs === undefined) return;
      if (!world.operator.isDeploying(service.name) || !isSettled(service.name)) return;
      world.checks++;
      const replicas = world.operator.replicas(service);
      const healthy = world.machine
        .programs()
        .filter((one) => one !== program && serviceOf(one.id) === service.name)
        .filter((one) => one.healthySinceMs !== undefined && one.toldToEndAtMs === undefined);
      const least = replicas - unavailableOf(service.deploy, replicas);
      if (healthy.length >= least) return;
      world.violated(name, `${program.id} is ended, and ${healthy.length} of ${least} are left`);
    },
  };
}
