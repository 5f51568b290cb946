// A `primary-standby` service whose primary is lost has another within the bound, if there is one.
//
// The bound is what checks need to see it, the fence, and the way of a table. Asked of a time in
// which control ran, heard every worker, could write its records, and no operator had maintenance
// on, had drained somebody, or asked for a restart or a move a moment ago; and of an instance that
// was ready and free of trouble for all of it. A primary that hangs behind a tcp check is not lost:
// the kernel goes on to accept connections for it.

import type { World } from "../world/world.ts";
import { type Checker, detectMs, FOLLOW_MS, recognizeMs } from "./checker.ts";

/** Longer than a restart in turn with all its drains. */
const WORD_MS = 20_000;

export function promotion(world: World): Checker {
  const name = "promotion";
  /** Since when nothing excuses a service without an instance that takes traffic. */
  const missingSinceMs = new Map<string, number>();

  function serves(service: string): boolean {
    const listed = world.gateway.latest?.services.find((each) => each.name === service);
    const up = listed?.instances.find(({ verdict }) => verdict === "up");
    const live = up === undefined ? undefined : world.machine.listener(up.host, up.port);
    if (live === undefined || live.id !== up?.id) return false;
    const isUnseen = world.service(service)?.health.check.kind === "tcp";
    return live.healthySinceMs !== undefined || (live.stoppedSinceMs !== undefined && isUnseen);
  }

  function excused(service: string): boolean {
    const { operator, files, gateway } = world;
    if (world.stopped || files.refusing || operator.maintained.has(service)) return true;
    if (world.loop.nowMs - operator.movedAtMs(service) < WORD_MS) return true;
    if ([...operator.drainedSinceMs.keys()].some((id) => id.startsWith(`${service}-`))) return true;
    return gateway.workers.some((worker) => world.inTouchForMs(worker) < FOLLOW_MS);
  }

  function couldServe(service: string, boundMs: number): string | undefined {
    const programs = world.machine.programs().filter(({ id }) => id.startsWith(`${service}-`));
    return programs.find(({ id, healthySinceMs, toldToEndAtMs }) => {
      if (healthySinceMs === undefined || toldToEndAtMs !== undefined) return false;
      const healthyMs = world.loop.nowMs - healthySinceMs;
      return Math.min(healthyMs, world.trouble.freeForMs(id)) > boundMs;
    })?.id;
  }

  return {
    name,
    promise: "a lost primary is replaced within the bound",
    looked() {
      for (const { name: service, failover } of world.file.services) {
        if (failover.mode !== "primary-standby") continue;
        world.checks++;
        const missing = !serves(service) && !excused(service);
        if (!missing) missingSinceMs.delete(service);
        else if (!missingSinceMs.has(service)) missingSinceMs.set(service, world.loop.nowMs);
        const sinceMs = missingSinceMs.get(service) ?? world.loop.nowMs;
        const boundMs = detectMs(world, service) + failover.drainMs + failover.fenceMs + FOLLOW_MS;
        const other = couldServe(service, boundMs + recognizeMs(world, service));
        if (other === undefined || world.loop.nowMs - sinceMs <= boundMs) continue;
        world.violated(
          name,
          `${service} has had no primary for ${(boundMs / 1000).toFixed(1)} s although ${other} could be`,
        );
      }
    },
  };
}
