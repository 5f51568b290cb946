// One run: a seed in, a verdict out.
//
//   0 s          all is started, faults begin
//   480 s        all faults are over; control runs; nobody touches anything
//   within 120 s everything has converged (checkers/convergence.ts)
//   then         60 s of quiet, in which nothing may happen but answers
//   then         `down`: within 60 s nothing is left
//
// More than ten simulated minutes, the same for the same seed and the same code.

import { createPrng } from "../src/core/base/prng.ts";
import { checkers } from "./checkers/all.ts";
import { findings, quiet } from "./checkers/convergence.ts";
import { Swarm } from "./faults/swarm.ts";
import { drawPlan } from "./plan.ts";
import type { Boundary } from "./world/event-loop.ts";
import { Violation, World } from "./world/world.ts";

export interface RunResult {
  readonly seed: number;
  /** Undefined when every promise held. */
  readonly failure: { readonly checker: string; readonly what: string } | undefined;
  readonly simulatedMs: number;
  readonly events: number;
  readonly checks: number;
  readonly requests: number;
  readonly services: number;
  readonly faults: ReadonlyMap<string, number>;
  /** The whole trace, printed when asked for. */
  readonly trace: (lines?: number) => string;
}

export interface RunOptions {
  readonly boundary: Boundary;
  readonly settleAlways?: boolean;
  /** Given the world before it starts: to hand it failures from outside (unhandled rejections). */
  readonly onWorld?: (world: World) => void;
}

const FAULTS_MS = 480_000;
const CONVERGE_MS = 120_000;
const QUIET_MS = 60_000;
const DOWN_MS = 60_000;
const STEP_MS = 1000;

export async function simulate(seed: number, options: RunOptions): Promise<RunResult> {
  const world = new World({
    seed,
    plan: drawPlan(createPrng(seed).stream("plan")),
    boundary: options.boundary,
    settleAlways: options.settleAlways ?? false,
  });
  options.onWorld?.(world);
  world.watchers.push(...checkers.map((create) => create(world)));
  const swarm = new Swarm(world, world.random.stream("swarm"), FAULTS_MS);
  await live(world, swarm);
  const { failure } = world.loop;
  return {
    seed,
    failure: failure === undefined ? undefined : describeFailure(failure),
    simulatedMs: world.loop.nowMs,
    events: world.loop.events,
    checks: world.checks,
    requests: world.clients.sent,
    services: world.file.services.length,
    faults: swarm.struck,
    trace: (lines) => world.trace.print(lines),
  };
}

async function live(world: World, swarm: Swarm): Promise<void> {
  const stillness = quiet(world);
  world.watchers.push(stillness);
  world.start();
  swarm.start();
  if (world.random.stream("has-operator").ratio() < 0.7) world.operator.start(45_000);
  await world.loop.run(FAULTS_MS);
  if (world.loop.failure !== undefined) return;
  swarm.healAll();
  world.operator.goHome();
  await converge(world);
  // What was ejected or queued under faults is forgotten before quiet is demanded.
  await world.loop.run(world.loop.nowMs + 2 * STEP_MS);
  stillness.begin();
  await world.loop.run(world.loop.nowMs + QUIET_MS);
  await down(world);
}

async function converge(world: World): Promise<void> {
  const deadlineMs = world.loop.nowMs + CONVERGE_MS;
  let left: readonly string[] = [];
  while (world.loop.failure === undefined && world.loop.nowMs < deadlineMs) {
    await world.loop.run(world.loop.nowMs + STEP_MS);
    world.checks++;
    left = findings(world);
    if (left.length === 0) return;
  }
  if (world.loop.failure !== undefined) return;
  world.violated("convergence", `${CONVERGE_MS / 1000} s after all faults: ${left.join("; ")}`);
}

async function down(world: World): Promise<void> {
  if (world.loop.failure !== undefined) return;
  let ended = false;
  world.shutDown(() => {
    ended = true;
  });
  await world.loop.run(world.loop.nowMs + DOWN_MS);
  if (world.loop.failure !== undefined) return;
  world.checks++;
  const left = world.machine.programs().filter((program) => world.ownsInstance(program.id));
  const names = left.map((program) => program.id).join(", ");
  if (!ended)
    world.violated("stop", `${DOWN_MS / 1000} s after the word, still not ended: ${names}`);
  else if (left.length > 0)
    world.violated("stop", `left over when all was said to be ended: ${names}`);
}

function describeFailure(failure: unknown): { checker: string; what: string } {
  if (failure instanceof Violation) return { checker: failure.checker, what: failure.message };
  const stack = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
  return { checker: "thrown", what: stack };
}
