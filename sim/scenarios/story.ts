// Stories: a few things that happen to one machine, told as commands and what came of them.
//
// A file is a list of blocks: commands, a line of dashes, what was seen, an empty line. Playing it
// runs the commands on a simulated world without chance faults and writes down every transition, so
// that the file is at once a test and a page to read (after raft's and CockroachDB's datadriven
// tests).
//
//   services web=3 store=1     first of all: what the file says (dependsOn: web after store);
//                              db=2:primary-standby is a service with a primary
//   start                      `nines up`, two workers, clients for each service
//   advance 10s                lets time pass
//   crash web-2 | hang web-2 | resume web-2 | crash-at-start web-2 | heal web-2
//   kill control | start control | stop control | continue control | kill worker
//   no room for table | room for table
//   failover db | failback db | maintenance on db | maintenance off db
//   drain web-1 | undrain web-1 | restart web | scale web 2
//   deploy web | deploy web crashes | deploy web never-ready | rollback web
//   status                     a table of what control and the workers think
//   down

import { createPrng } from "../../src/core/base/prng.ts";
import { plainFailover } from "../../src/core/failover/settings.ts";
import { present } from "../../src/core/base/assert.ts";
import { defaultDetection, defaultHedge, plainRule } from "../../src/core/route/table.ts";
import { checkers } from "../checkers/all.ts";
import { drawPlan, makeConfig, type Plan } from "../plan.ts";
import type { RunOptions } from "../run.ts";
import { defects } from "../world/program.ts";
import { printLine } from "../world/trace.ts";
import { World } from "../world/world.ts";
import { defaultDeploy } from "../../src/core/deploy/settings.ts";
import type { CommandService } from "../../src/config/config.ts";

const SEED = 1;
const DASHES = "----";

/** The story with what happened put under each block of commands. */
export async function playStory(text: string, options: RunOptions): Promise<string> {
  const told: string[] = [];
  const stage = new Stage(options);
  for (const block of text.trimEnd().split(/\n{2,}/)) {
    const lines = block.split("\n");
    if (lines.every((line) => line.startsWith("#"))) {
      told.push(block);
      continue;
    }
    const end = lines.indexOf(DASHES);
    const commands = end < 0 ? lines : lines.slice(0, end);
    const seen: string[] = [];
    for (const command of commands) seen.push(...(await stage.play(command)));
    told.push([...commands, DASHES, ...seen].join("\n"));
  }
  return `${told.join("\n\n")}\n`;
}

class Stage {
  readonly #options: RunOptions;
  #plan: Plan | undefined;
  #world: World | undefined;
  #shown = 0;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  /** Does what the command says; what was seen since the last one. */
  async play(command: string): Promise<readonly string[]> {
    const [word = "", ...rest] = command.split(" ");
    if (word === "services") {
      this.#plan = plainPlan(rest);
      return [];
    }
    const world = this.#worldOf();
    if (word === "advance") await world.loop.run(world.loop.nowMs + durationMs(rest[0] ?? ""));
    else if (word === "status") return status(world);
    else act(world, word, rest);
    // Zero time passes, and what follows at once is seen.
    await world.loop.run(world.loop.nowMs);
    if (world.loop.failure !== undefined) throw world.loop.failure;
    const lines = world.trace.lines.slice(this.#shown);
    this.#shown = world.trace.lines.length;
    return lines.map(printLine);
  }

  #worldOf(): World {
    if (this.#world === undefined) {
      const plan = present(this.#plan, "a story begins with its services");
      this.#world = new World({ seed: SEED, plan, boundary: this.#options.boundary });
      this.#options.onWorld?.(this.#world);
      const world = this.#world;
      world.watchers.push(...checkers.map((create) => create(world)));
    }
    return this.#world;
  }
}

function act(world: World, word: string, rest: readonly string[]): void {
  const [whom = "", value = ""] = rest;
  const what = `${word} ${whom}`;
  if (word === "start" && whom === "") world.start();
  else if (what === "kill control") world.killControl();
  else if (what === "start control") world.reviveControl();
  else if (what === "stop control") world.stopControl();
  else if (what === "continue control") world.continueControl();
  else if (what === "kill worker")
    world.gateway.kill(present(world.gateway.workers[0], "a worker"));
  else if (what === "no room") world.gateway.tableRefused = true;
  else if (what === "room for") world.gateway.tableRefused = false;
  else if (word === "crash") program(world, whom).end({ kind: "exited", code: 1 });
  else if (word === "hang") program(world, whom).pause();
  else if (word === "resume") program(world, whom).resume();
  else if (word === "crash-at-start") world.machine.ailment(whom).endsAfterMs = 50;
  else if (word === "heal") world.machine.ailment(whom).endsAfterMs = undefined;
  else if (word === "failover") world.operator.failover(whom);
  else if (word === "failback") world.operator.failback(whom);
  else if (what === "maintenance on") world.operator.maintain(true, value);
  else if (what === "maintenance off") world.operator.maintain(false, value);
  else if (word === "drain") world.operator.drain(whom);
  else if (word === "undrain") world.operator.undrain(whom);
  else if (word === "restart") world.operator.restart(whom);
  else if (word === "deploy")
    world.operator.deploy(
      whom,
      defects.find((defect) => defect === value),
    );
  else if (word === "rollback") world.operator.rollback(whom);
  else if (word === "scale") world.operator.scale(whom, Number(value));
  else if (word === "down") world.shutDown(() => world.note("operator", "", "all is ended"));
  else throw new Error(`a story cannot say "${word} ${rest.join(" ")}"`);
}

function program(world: World, id: string) {
  return present(world.machine.live(id)[0], `${id} runs`);
}

function durationMs(text: string): number {
  const match = /^(\d+)(ms|s|m)$/.exec(text);
  const factors: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };
  return Number(match?.[1]) * present(factors[match?.[2] ?? ""], `a duration, not "${text}"`);
}

/** What a person would see, in one table. */
function status(world: World): readonly string[] {
  const rows = (world.control?.control?.registry.instances() ?? []).map((record) => {
    const tables = world.gateway.workers.map((worker) => {
      const listed = worker.table?.services.flatMap((service) => service.instances) ?? [];
      const verdict = listed.find((each) => each.id === record.id)?.verdict ?? "absent";
      return worker.ejected().includes(record.id) ? `${verdict}, ejected` : verdict;
    });
    const state = world.controlRuns() ? record.phase : `${record.phase} (control is away)`;
    return [record.id, state, record.health, tables.join(" | ")];
  });
  const table = [["instance", "phase", "checks", "workers"], ...rows];
  return table.map((row) =>
    row
      .map((cell, index) => pad(cell, index, table))
      .join("")
      .trimEnd(),
  );
}

function pad(cell: string, column: number, table: readonly (readonly string[])[]): string {
  return cell.padEnd(2 + Math.max(...table.map((row) => row[column]?.length ?? 0)));
}

/** The plan of a story: everything at its default, nothing left to chance but the clients. */
export function plainPlan(counts: readonly string[]): Plan {
  const drawn = drawPlan(createPrng(SEED));
  const names = counts.map((count) => count.split("=")[0] ?? "");
  const services = counts.map((count, index) => plainService(count, names, 8001 + 100 * index));
  const gateway = present(drawn.config.gateway, "a plan has a gateway");
  const policy = { ...gateway, balance: plainRule("round-robin") };
  const { retry, timeouts } = policy;
  const routes = names.map((name) => ({
    match: { path: `/${name}` },
    service: name,
    balance: policy.balance,
    rateLimits: [],
    retry,
    hedge: defaultHedge,
    timeouts,
  }));
  return {
    config: makeConfig(services, { ...policy, workers: 2, routes }),
    traits: new Map(names.map((name) => [name, PLAIN_TRAITS])),
    loads: names.map((service) => ({ service, requestsPerSecond: 5, postRatio: 0 })),
    workers: 2,
  };
}

const PLAIN_TRAITS = {
  startMs: [400, 400],
  listensEarly: false,
  slots: 32,
  queue: 64,
  serviceMs: 2,
  endMs: 100,
  residentBytes: 50 * 1024 * 1024,
} as const;

function plainService(count: string, names: readonly string[], portBase: number): CommandService {
  const [name = "", replicas = "1", mode] = count.split(/[=:]/);
  return {
    kind: "command",
    name,
    health: {
      check: { kind: "http", path: "/healthz", expectStatus: [[200, 399]] },
      intervalMs: 1000,
      timeoutMs: 500,
      fall: 3,
      rise: 2,
      fastIntervalMs: 250,
      downIntervalMs: 1_000,
      initialState: "unchecked",
    },
    dependsOn: name === "web" && names.includes("store") ? ["store"] : [],
    maxConnections: 0,
    queueLength: 100,
    detection: defaultDetection,
    slowStartMs: 0,
    overProvision: 0,
    failover: mode === "primary-standby" ? { ...plainFailover, mode } : plainFailover,
    command: ["/usr/bin/node", `${name}.js`],
    replicas: { min: Number(replicas), max: 8 },
    workingDirectory: "/srv",
    environment: {},
    limits: { memoryBytes: 0, openFiles: 0 },
    restart: {
      backoffMs: 200,
      backoffMaxMs: 10_000,
      resetAfterMs: 10_000,
      crashLoopCount: 5,
      crashLoopWithinMs: 60_000,
      unhealthyAfterMs: 10_000,
    },
    startTimeoutMs: 10_000,
    stopGraceMs: 5000,
    logs: { rotateBytes: 10 * 1024 * 1024, keep: 3 },
    deploy: defaultDeploy,
    portBase,
  };
}
