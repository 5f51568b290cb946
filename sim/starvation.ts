// A machine that is short of CPU, for hours, with nothing wrong with anybody: who is blamed?
//
// Minutes of pressure alternate with minutes of rest. Under pressure every process (instances,
// workers, control) runs for 100 ms on average and then waits for the CPU: mostly some 20 ms, one
// time in ten 100 ms, one in a hundred 400 ms, at most 1.5 s. Messages are late by up to 20 ms.
// Services are at their defaults, one with heartbeats by count, one by phi.
//
// Whatever is called down or ejected here is called so falsely. Rejected: slowing programs down by
// a factor, which hits only the one side and leaves control's own timers exact.

import { present } from "../src/core/base/assert.ts";
import { createPrng, type Random } from "../src/core/base/prng.ts";
import type { CommandService } from "../src/config/config.ts";
import type { RunOptions } from "./run.ts";
import { plainPlan } from "./scenarios/story.ts";
import type { Gate } from "./world/gate.ts";
import { World } from "./world/world.ts";

export interface StarvationResult {
  readonly simulatedMs: number;
  readonly starvedMs: number;
  /** Waits for the CPU, over all processes, and the longest. */
  readonly waits: number;
  readonly longestWaitMs: number;
  readonly requests: number;
  /** Sentences of control that call an instance down, or end one. */
  readonly falseVerdicts: readonly string[];
  /** Sentences of workers that eject an instance. */
  readonly falseEjections: readonly string[];
  /** How often control doubted itself. */
  readonly doubts: number;
}

export interface StarvationOptions extends RunOptions {
  /** Changes each service: to see that the scenario finds what is set too tight. */
  readonly adjust?: (service: CommandService) => CommandService;
}

const PRESSURE_MS = 120_000;
const SETTLE_MS = 10_000;
const RUN_MEAN_MS = 100;
const WAIT_MAX_MS = 1_500;
const LATE_MS = 20;
const LOAD_PER_SECOND = 20;

export async function starve(
  seed: number,
  hours: number,
  options: StarvationOptions,
): Promise<StarvationResult> {
  const base = plainPlan(["web=3", "api=3", "jobs=2"]);
  const services = base.config.services.map((service) =>
    service.kind === "command" ? beating(service, options.adjust) : service,
  );
  const loads = base.loads.map((load) => ({ ...load, requestsPerSecond: LOAD_PER_SECOND }));
  const plan = { ...base, config: { ...base.config, services }, loads };
  const world = new World({ seed, plan, boundary: options.boundary });
  options.onWorld?.(world);
  const blame = watchBlame(world);
  world.start();
  await world.loop.run(SETTLE_MS);
  const pressure = new Pressure(world, createPrng(seed).stream("pressure"));
  const untilMs = hours * 3_600_000;
  while (world.loop.failure === undefined && world.loop.nowMs < untilMs) {
    pressure.begin();
    await world.loop.run(world.loop.nowMs + PRESSURE_MS);
    pressure.end();
    await world.loop.run(world.loop.nowMs + PRESSURE_MS);
  }
  if (world.loop.failure !== undefined) throw world.loop.failure;
  return {
    simulatedMs: world.loop.nowMs,
    starvedMs: pressure.starvedMs,
    waits: pressure.waits,
    longestWaitMs: pressure.longestWaitMs,
    requests: world.clients.sent,
    ...blame,
  };
}

/** `api` gives signs of life that are counted, `jobs` by phi and without a check. */
function beating(service: CommandService, adjust: StarvationOptions["adjust"]): CommandService {
  const heartbeat = { everyMs: 1_000, misses: 3, phi: 8, file: "heartbeat" };
  const health =
    service.name === "api"
      ? { ...service.health, heartbeat: { ...heartbeat, detector: "misses" as const } }
      : service.name === "jobs"
        ? {
            ...service.health,
            check: { kind: "none" as const },
            heartbeat: { ...heartbeat, detector: "phi" as const },
          }
        : service.health;
  const whole = { ...service, health };
  return adjust === undefined ? whole : adjust(whole);
}

interface Blame {
  readonly falseVerdicts: string[];
  readonly falseEjections: string[];
  doubts: number;
}

function watchBlame(world: World): Blame {
  const blame: Blame = { falseVerdicts: [], falseEjections: [], doubts: 0 };
  const ofControl = /^instance\.(down|unhealthy|failed|not-ready)|^failover\./;
  world.watchers.push({
    recorded({ kind, sentence }) {
      if (ofControl.test(kind)) blame.falseVerdicts.push(sentence);
      if (kind === "control.sick-observer") blame.doubts++;
    },
    programSignalled: (program, signal) =>
      void blame.falseVerdicts.push(`${signal} to ${program.id}`),
    noticed(_, { kind, detail }) {
      if (kind === "ejected") blame.falseEjections.push(detail);
    },
  });
  return blame;
}

/** Takes the CPU from everybody, again and again, while it lasts. */
class Pressure {
  starvedMs = 0;
  waits = 0;
  longestWaitMs = 0;
  readonly #world: World;
  readonly #random: Random;
  #on = false;
  #turn = 0;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  begin(): void {
    this.#on = true;
    this.#turn++;
    this.#world.network.lateMs = LATE_MS;
    this.starvedMs += PRESSURE_MS;
    for (const program of this.#world.machine.programs()) {
      this.#preempt(
        () => program.pause(),
        () => program.resume(),
      );
    }
    const control = present(this.#world.control, "control runs");
    for (const gate of [control.gate, ...this.#world.gateway.workers.map(({ gate }) => gate)]) {
      this.#preemptGate(gate);
    }
  }

  end(): void {
    this.#on = false;
    this.#world.network.lateMs = 0;
  }

  #preemptGate(gate: Gate): void {
    this.#preempt(
      () => gate.stop(),
      () => gate.goOn(),
    );
  }

  #preempt(stop: () => void, goOn: () => void): void {
    const turn = this.#turn;
    const run = (): void => {
      this.#world.loop.after(this.#exponential(RUN_MEAN_MS), () => {
        if (!this.#on || turn !== this.#turn) return;
        const waitMs = this.#waitMs();
        this.waits++;
        this.longestWaitMs = Math.max(this.longestWaitMs, waitMs);
        stop();
        this.#world.loop.after(waitMs, () => {
          goOn();
          run();
        });
      });
    };
    run();
  }

  #waitMs(): number {
    const lot = this.#random.ratio();
    const meanMs = lot < 0.9 ? 20 : lot < 0.99 ? 100 : 400;
    return Math.min(WAIT_MAX_MS, this.#exponential(meanMs));
  }

  #exponential(meanMs: number): number {
    return -Math.log(1 - this.#random.ratio()) * meanMs;
  }
}

/** What `npm run sim -- --starvation` prints. */
export function printStarvation(result: StarvationResult): string {
  const days = result.simulatedMs / 86_400_000;
  const perDay = (sentences: readonly string[]): string => {
    const kinds = new Map<string, number>();
    for (const sentence of sentences) kinds.set(sentence, (kinds.get(sentence) ?? 0) + 1);
    const often = [...kinds].sort((a, b) => b[1] - a[1]).slice(0, 3);
    const shown = often.map(([sentence, count]) => `\n    ${count} x ${sentence}`);
    return `${(sentences.length / days).toFixed(1)} a day${shown.join("")}`;
  };
  const starved = (result.starvedMs / result.simulatedMs) * 100;
  return [
    `simulated        ${(result.simulatedMs / 3_600_000).toFixed(1)} hours, ` +
      `${starved.toFixed(0)} % of them short of CPU; ${result.requests} requests`,
    `waits for CPU    ${result.waits}, the longest ${result.longestWaitMs.toFixed(0)} ms`,
    `false verdicts   ${perDay(result.falseVerdicts)}`,
    `false ejections  ${perDay(result.falseEjections)}`,
    `control doubted itself ${(result.doubts / days).toFixed(1)} times a day`,
  ].join("\n");
}
