// After faults heal, everything converges: every instance of the file runs once, is ready, and is
// in every worker's table as it should be; nothing is left over; and then nothing changes any more.
//
// Asked at the end of a run, not watched: `findings` says what is not as it should be, in
// sentences.

import type { CommandService } from "../../src/config/config.ts";
import type { TableInstance, TableService } from "../../src/core/route/table.ts";
import type { World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

/**
 * What differs from the world that the file and the operator ask for; empty when it has converged.
 */
export function findings(world: World): readonly string[] {
  const found: string[] = [];
  if (!world.controlRuns()) found.push("control does not run");
  for (const service of world.commandServices()) found.push(...instanceFindings(world, service));
  if (world.operator.waits) found.push("the file waits to be followed");
  found.push(...leftovers(world), ...tableFindings(world));
  return found;
}

function wanted(world: World, service: CommandService): readonly string[] {
  const count = world.operator.replicas(service);
  return Array.from({ length: count }, (_, index) => `${service.name}-${index + 1}`);
}

function instanceFindings(world: World, service: CommandService): readonly string[] {
  const found: string[] = [];
  for (const id of wanted(world, service)) {
    const live = world.machine.live(id);
    if (live.length !== 1) found.push(`${id} has ${live.length} processes`);
    else if (live[0]?.state !== "ready") found.push(`${id} is ${live[0]?.state}`);
    const record = world.control?.control?.registry.get(id);
    if (record?.phase !== "running") found.push(`${id} is "${record?.phase}" to control`);
    if (record?.health !== "up") found.push(`${id} is "${record?.health}" to its checks`);
  }
  return [...found, ...versionFindings(world, service)];
}

/** One version, and none that has a defect: what failed has been taken back. */
function versionFindings(world: World, { name }: CommandService): readonly string[] {
  const found: string[] = [];
  if (world.operator.isDeploying(name)) found.push(`${name} is being deployed`);
  const own = world.machine.programs().filter(({ id }) => id.startsWith(`${name}-`));
  const versions = new Set(own.map(({ environment: { REVISION, TRY } }) => `${REVISION} ${TRY}`));
  if (versions.size > 1) found.push(`${name} runs as ${[...versions].join(" and ")}`);
  const broken = own.find(({ environment }) => environment["DEFECT"] !== undefined);
  if (broken !== undefined) found.push(`${broken.id} runs a version that has a defect`);
  return found;
}

function leftovers(world: World): readonly string[] {
  const ids = new Set(world.commandServices().flatMap((service) => wanted(world, service)));
  return world.machine
    .programs()
    .filter((program) => world.ownsInstance(program.id) && !ids.has(program.id))
    .map((program) => `${program.id} is left over as pid ${program.pid}`);
}

function tableFindings(world: World): readonly string[] {
  const table = world.control?.control?.table();
  if (table === undefined) return ["there is no table"];
  const found: string[] = [];
  for (const worker of world.gateway.workers) {
    const who = `worker-${worker.number}`;
    if (worker.linkedSinceMs === undefined) found.push(`${who} is not linked to control`);
    if (worker.table?.version !== table.version) {
      found.push(`${who} has table ${worker.table?.version}, not ${table.version}`);
    }
  }
  if (world.gateway.workers.length !== world.plan.workers) found.push("a worker is missing");
  return [...found, ...table.services.flatMap((service) => serviceFindings(world, service))];
}

function serviceFindings(world: World, service: TableService): readonly string[] {
  const { name, mode, instances } = service;
  if (mode !== "primary-standby") {
    return instances.flatMap((instance) => verdictFindings(world, instance));
  }
  const up = instances.filter(({ verdict }) => verdict === "up").length;
  const drained = instances.filter(({ id }) => world.operator.drainedSinceMs.has(id)).length;
  const should = drained < instances.length ? 1 : 0;
  return up === should ? [] : [`${name} has ${up} primaries that take traffic, not ${should}`];
}

function verdictFindings(world: World, instance: TableInstance): readonly string[] {
  const should = world.operator.drainedSinceMs.has(instance.id) ? "draining" : "up";
  if (instance.verdict === should) return [];
  return [`${instance.id} is "${instance.verdict}" in the table, not "${should}"`];
}

/** Watches the quiet end of a run. */
export function quiet(world: World): Checker & { begin(): void } {
  const name = "quiet";
  let beganMs = Number.POSITIVE_INFINITY;
  const broken = (what: string): void => {
    if (world.loop.nowMs >= beganMs && !world.stopped) world.violated(name, what);
  };
  return {
    name,
    promise: "when all is well nothing happens and every request is answered",
    begin() {
      beganMs = world.loop.nowMs;
    },
    programStarted: (program) => broken(`${program.id} was started`),
    programSignalled: (program, signal) => broken(`${signal} to ${program.id}`),
    requestEnded(_worker, request) {
      if (request.startedAtMs < beganMs) return;
      world.checks++;
      const service = world.service(request.service);
      if (service?.kind === "command" && world.operator.drainedWhole(service)) return;
      if (request.result !== "answered")
        broken(`a request for ${request.service} was ${request.result}`);
    },
    attempted({ instance, program }) {
      if (program === undefined) broken(`a request was sent to ${instance}, where nobody listens`);
    },
  };
}
