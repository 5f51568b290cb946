// Each end of a serving instance that nobody asked for is in one incident of its service, which
// begins no later than control can hear of it; and a service never has two that are under way.
//
// Watched: ends of ready programs while control runs and has run for a while. Excused: what a
// person's word may end, an end that Nines itself asked for, and a service on its way out of the
// file; and a control that dies or is stopped before it could hear of it.

import type { Incident } from "../../src/core/incident/incident.ts";
import type { Program } from "../world/program.ts";
import { serviceOf, type World } from "../world/world.ts";
import { type Checker, FOLLOW_MS } from "./checker.ts";

interface End {
  readonly program: Program;
  readonly incarnation: number;
  /** True time, and as the machine's clock has it: incidents know only that. */
  readonly trueMs: number;
  readonly atMs: number;
}

export function incidentCover(world: World): Checker {
  const name = "incident-cover";
  let ends: End[] = [];

  function isNotable(program: Program): boolean {
    const control = world.control?.gate;
    if (world.stopped || control?.state !== "running") return false;
    if (world.loop.nowMs - control.runningSinceMs <= FOLLOW_MS) return false;
    if (program.readyAtMs === undefined || program.toldToEndAtMs !== undefined) return false;
    // A control that learns of it only from its first check does not know whom it lost before.
    if (world.loop.nowMs - program.readyAtMs <= FOLLOW_MS) return false;
    return world.ownsInstance(program.id) && !isExcused(program);
  }

  function isExcused({ id, startedAtMs }: Program): boolean {
    return world.operator.mayEnd(id, startedAtMs) || world.operator.drainedSinceMs.has(id);
  }

  function judge({ program, incarnation, trueMs, atMs }: End): void {
    world.checks++;
    const runningSinceMs = world.control?.gate.runningSinceMs ?? Number.POSITIVE_INFINITY;
    const heard = world.controlRuns() && runningSinceMs < trueMs;
    if (!heard || incarnation !== world.incarnations || isExcused(program)) return;
    const service = serviceOf(program.id);
    if (world.service(service) === undefined) return;
    const covering = incidentsOf(service).filter(
      ({ startedMs, closedMs }) =>
        startedMs <= atMs + FOLLOW_MS && (closedMs === undefined || closedMs >= atMs),
    );
    if (covering.some(({ instances }) => instances.includes(program.id))) return;
    const why = covering.length === 0 ? "no incident" : "none of its incidents";
    world.violated(name, `${program.id} ended unasked, and ${why} of ${service} tells of it`);
  }

  function incidentsOf(service: string): readonly Incident[] {
    return [...world.history.values()].filter((one) => one.service === service);
  }

  return {
    name,
    promise: "each unasked end is in one incident, and a service has at most one at a time",
    programChanged(program) {
      if (program.state !== "ended" || !isNotable(program)) return;
      const { incarnations: incarnation } = world;
      const trueMs = world.loop.nowMs;
      ends.push({ program, incarnation, trueMs, atMs: world.clock.monotonicMs() });
    },
    looked() {
      const due = ends.filter(({ trueMs }) => world.loop.nowMs - trueMs > 2 * FOLLOW_MS);
      ends = ends.filter((end) => !due.includes(end));
      for (const end of due) judge(end);
      const underWay = [...world.history.values()].filter(({ state }) => state !== "closed");
      const services = underWay.map(({ service }) => service);
      const twice = services.find((service, index) => services.indexOf(service) !== index);
      // A new control has what was kept a moment after its start.
      if (twice === undefined || runsForMs() <= FOLLOW_MS) return;
      world.violated(name, `${twice} has two incidents under way`);
    },
  };

  function runsForMs(): number {
    const gate = world.control?.gate;
    return gate?.state === "running" ? world.loop.nowMs - gate.runningSinceMs : 0;
  }
}
