// A service with a healthy instance gets traffic to it within the bound.
//
// Watched for each worker and service: when requests fail although, for the whole bound, some
// instance in the worker's table was ready, reachable and free of trouble, and not one request was
// answered in that time, the promise is broken. In touch with control the bound is 20 s: checks
// recognise the instance in a few seconds, and a request or two must find it. Out of touch it is 60
// s: a worker finds out by itself, by probes whose distance doubles up to 30 s (core/dispatch).

import type { Program } from "../world/program.ts";
import type { Worker } from "../world/worker.ts";
import type { World } from "../world/world.ts";
import type { Checker } from "./checker.ts";

const IN_TOUCH_BOUND_MS = 20_000;
const ALONE_BOUND_MS = 60_000;

interface Fortune {
  answeredLastMs: number;
}

export function traffic(world: World): Checker {
  const name = "traffic";
  const fortunes = new WeakMap<Worker, Map<string, Fortune>>();

  function fortune(worker: Worker, service: string): Fortune {
    let ofWorker = fortunes.get(worker);
    if (ofWorker === undefined) fortunes.set(worker, (ofWorker = new Map()));
    let found = ofWorker.get(service);
    if (found === undefined) {
      found = { answeredLastMs: world.loop.nowMs };
      ofWorker.set(service, found);
    }
    return found;
  }

  /** For how long the worker could have been served by this program, had it known everything. */
  function servableMs(program: Program): number {
    const { nowMs } = world.loop;
    if (program.healthySinceMs === undefined || program.toldToEndAtMs !== undefined) return 0;
    if (world.operator.drainedSinceMs.has(program.id)) return 0;
    return Math.min(nowMs - program.healthySinceMs, world.trouble.freeForMs(program.id));
  }

  function bestMs(worker: Worker, name: string): { ms: number; id: string } {
    let best = { ms: 0, id: "" };
    const service = worker.table?.services.find((each) => each.name === name);
    const isPrimarys = service?.mode === "primary-standby";
    for (const instance of service?.instances ?? []) {
      const program = world.machine.listener(instance.host, instance.port);
      if (program?.id !== instance.id || instance.verdict === "draining") continue;
      // Whose turn it is not; that somebody's turn comes is promotion's promise. Elsewhere it is
      // held back, which is no reason to serve nobody.
      if (instance.verdict === "standby" && isPrimarys) continue;
      const ms = servableMs(program);
      if (ms > best.ms) best = { ms, id: program.id };
    }
    return best;
  }

  return {
    name,
    promise: "a service with a healthy instance gets traffic to it within the bound",
    requestEnded(worker, request) {
      world.checks++;
      const { nowMs } = world.loop;
      const its = fortune(worker, request.service);
      if (request.result === "answered") its.answeredLastMs = nowMs;
      if (request.result === "answered" || request.result === "lost") return;
      const best = bestMs(worker, request.service);
      const badMs = Math.min(nowMs - its.answeredLastMs, best.ms);
      const inTouchMs = Math.min(badMs, world.inTouchForMs(worker));
      if (inTouchMs <= IN_TOUCH_BOUND_MS && badMs <= ALONE_BOUND_MS) return;
      world.violated(
        name,
        `worker-${worker.number} answered nothing of ${request.service} for ` +
          `${(badMs / 1000).toFixed(1)} s although ${best.id} could serve`,
      );
    },
  };
}
