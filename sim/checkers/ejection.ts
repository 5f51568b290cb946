// What a worker has found unreachable it leaves alone, at once and for the first second, whatever
// control knows: a first try goes elsewhere while there is an elsewhere.
//
// And whoever answers a request that began after its failure is taken back at once, unless it came
// back in the last minute already: then it flaps, and waits (core/guard/flap-damping.ts).
//
// Excused: a newer table or an answer since, which say otherwise; having nobody else (no instance
// that is up in the worker's table and that it has not ejected too); and a broken connection while
// half of the service is out: only a refused connection is certain enough to go beyond that.

import { type Outcome, outcome } from "../../src/core/dispatch/dispatcher.ts";
import type { Worker } from "../world/worker.ts";
import { serviceOf, type World } from "../world/world.ts";
import type { Checker } from "./checker.ts";
import { isPanic, tableService } from "./panic.ts";

/** A clock that runs 5 % fast shortens the first ejection so. */
const FAST_CLOCK = 0.94;

/** By the same clock. */
const FLAP_MS = 64_000;

interface Failure {
  readonly atMs: number;
  readonly tableVersion: number;
  /** The latest one since an answer. */
  lastMs: number;
}

export function ejection(world: World): Checker {
  const name = "ejection";
  const failures = new WeakMap<Worker, Map<string, Failure>>();
  const returns = new Returns(world);

  function ofWorker(worker: Worker): Map<string, Failure> {
    const known = failures.get(worker) ?? new Map<string, Failure>();
    failures.set(worker, known);
    return known;
  }

  function elsewhere(worker: Worker, service: string, instance: string): string | undefined {
    const ejected = worker.ejected();
    const listed = worker.table?.services.find((each) => each.name === service)?.instances ?? [];
    return listed.find(
      ({ id, verdict }) => id !== instance && verdict === "up" && !ejected.includes(id),
    )?.id;
  }

  return {
    name,
    promise: "a worker leaves an instance alone that it has just found unreachable",
    followed: (worker) => returns.followed(worker),
    attemptEnded(worker, instance, result, beganMs) {
      const known = ofWorker(worker).get(instance);
      const { nowMs } = world.loop;
      const returnedMs = worker.readmittedAtMs.get(instance) ?? -Infinity;
      if (isFailure(result)) {
        // What began before it was taken back, or by an older table with maybe another address of
        // it, says nothing of now.
        if (beganMs < returnedMs || beganMs <= worker.toldAtMs) return;
        // Only the first failure since an answer counts, later ones need not lengthen the ejection;
        // and one request without an answer ejects nobody yet.
        const ejects =
          result === outcome.connectFailed ||
          (result === outcome.reset && !isTooManyOut(worker, instance));
        const atMs = ejects ? ejectedAtMs(worker, instance, nowMs) : -Infinity;
        const tableVersion = worker.table?.version ?? 0;
        if (known === undefined)
          ofWorker(worker).set(instance, { atMs, tableVersion, lastMs: nowMs });
        else known.lastMs = nowMs;
      } else if (known !== undefined && answered(result)) {
        // What began before the failure says nothing of the instance now.
        if (beganMs <= known.lastMs) return;
        ofWorker(worker).delete(instance);
        const cameMs = returns.lastMs(worker, instance);
        const lastMs = Math.max(returnedMs, cameMs);
        if (nowMs - lastMs < FLAP_MS || beganMs <= worker.toldAtMs) return;
        if (!worker.ejected().includes(instance)) return;
        world.violated(name, `worker-${worker.number} leaves ${instance} ejected, which answered`);
      }
    },
    attempted({ worker, service, instance, isRetry }) {
      world.checks++;
      const failure = ofWorker(worker).get(instance);
      if (failure === undefined || isRetry) return;
      const sinceMs = world.loop.nowMs - failure.atMs;
      const { ejectionBaseMs = 0 } = tableService(worker, service)?.detection ?? {};
      if (sinceMs >= FAST_CLOCK * ejectionBaseMs) return;
      if (failure.tableVersion !== worker.table?.version || isPanic(worker, service)) return;
      const other = elsewhere(worker, service, instance);
      if (other === undefined) return;
      world.violated(
        name,
        `worker-${worker.number} tried ${instance} ${sinceMs.toFixed(0)} ms after it failed, ` +
          `although it had ${other}`,
      );
    },
  };
}

/** When tables brought whom into the traffic of a worker. */
class Returns {
  readonly #world: World;
  readonly #seen = new WeakMap<Worker, ReadonlyMap<string, Seen>>();

  constructor(world: World) {
    this.#world = world;
  }

  followed(worker: Worker): void {
    const before = this.#seen.get(worker);
    const now = new Map<string, Seen>();
    for (const service of worker.table?.services ?? []) {
      const takers = worker.takers(service);
      for (const { id } of service.instances) {
        const { cameMs, takes } = before?.get(id) ?? { cameMs: -Infinity, takes: false };
        const comes = takers.has(id) && !takes;
        now.set(id, { cameMs: comes ? this.#world.loop.nowMs : cameMs, takes: takers.has(id) });
      }
    }
    this.#seen.set(worker, now);
  }

  lastMs(worker: Worker, instance: string): number {
    return this.#seen.get(worker)?.get(instance)?.cameMs ?? -Infinity;
  }
}

interface Seen {
  readonly cameMs: number;
  readonly takes: boolean;
}

/** Whether too many would be out with this one (DetectionPolicy.maxEjectedRatio). */
function isTooManyOut(worker: Worker, instance: string): boolean {
  const ejected = worker.ejected();
  const service = tableService(worker, serviceOf(instance));
  const members = (service?.instances ?? []).filter(
    ({ verdict }) => verdict !== "draining" && verdict !== "standby",
  );
  const others = members.filter(({ id }) => id !== instance);
  const out = others.filter(({ id, verdict }) => verdict !== "up" || ejected.includes(id));
  return out.length + 1 > (service?.detection.maxEjectedRatio ?? 1) * members.length;
}

/** It may have been ejected before, for being silent: what fails then does not lengthen it. */
function ejectedAtMs(worker: Worker, instance: string, nowMs: number): number {
  const atMs = worker.ejectedAtMs.get(instance) ?? -Infinity;
  return atMs > (worker.readmittedAtMs.get(instance) ?? -Infinity) ? atMs : nowMs;
}

function isFailure(result: Outcome): boolean {
  return (
    result === outcome.connectFailed || result === outcome.reset || result === outcome.timedOut
  );
}

function answered(result: Outcome): boolean {
  return result === outcome.answered || result === outcome.serverError;
}
