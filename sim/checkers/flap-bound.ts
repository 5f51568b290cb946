// At most three changes of an instance in any minute reach the traffic, as one control publishes
// them: a return is refused while two changes lie within the last minute.
//
// What a person asked for (draining) is no flapping. Excused when less than half of the service
// would take traffic without it, in the table before or in this one. A new control begins anew. The
// machine's clock may run 5 % fast.

import type { World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

const WINDOW_MS = 0.94 * 60_000;

interface Known {
  takes: boolean;
  /** It went on a person's word, or has just started: its coming is no return. */
  asked: boolean;
  changesMs: readonly number[];
}

export function flapBound(world: World): Checker {
  const name = "flap-bound";
  const known = new Map<string, Known>();
  let incarnation = 0;
  let before = new Map<string, number>();

  function mayStay(id: string, up: ReadonlySet<string>, count: number): boolean {
    return up.size - (up.has(id) ? 1 : 0) >= Math.ceil(count / 2);
  }

  return {
    name,
    promise: "at most three changes a minute of an instance reach the traffic",
    published(table) {
      if (incarnation !== world.incarnations) known.clear();
      incarnation = world.incarnations;
      const counts = new Map<string, number>();
      for (const { name: service, mode, instances } of table.services) {
        if (mode === "primary-standby") continue;
        const up = new Set(instances.filter(({ verdict }) => verdict === "up").map(({ id }) => id));
        counts.set(service, up.size);
        const config = world.service(service);
        const wanted = config?.kind === "command" ? world.operator.replicas(config) : 0;
        const count = Math.max(wanted, instances.length);
        for (const { id, verdict } of instances) {
          const its = known.get(id) ?? { takes: up.has(id), asked: !up.has(id), changesMs: [] };
          known.set(id, its);
          if (up.has(id) === its.takes) continue;
          its.takes = up.has(id);
          const asked = its.takes ? its.asked : verdict === "draining";
          its.asked = asked && !its.takes;
          if (asked) continue;
          world.checks++;
          const { nowMs } = world.loop;
          const recent = its.changesMs.filter((atMs) => nowMs - atMs < WINDOW_MS);
          its.changesMs = [...recent, nowMs];
          const spared =
            mayStay(id, up, count) && (before.get(service) ?? 0) >= Math.ceil(count / 2);
          if (!its.takes || recent.length < 2 || !spared) continue;
          world.violated(name, `${id} returns, the ${recent.length + 1}. change in a minute`);
        }
      }
      before = counts;
    },
  };
}
