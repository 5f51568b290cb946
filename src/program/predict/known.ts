// What is known of a file's services beside the file: incidents and load tests of its state
// directory. Control need not run; without a state directory nothing is known.

import { statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { QueueModel } from "../../core/predict/deployment.ts";
import { createDisk } from "../../runtime/disk.ts";
import { findStateDirectory, type StateDirectory, versionFileName } from "../../state/directory.ts";
import { incidentsMax, readHistory } from "../../state/history.ts";
import { readLoadResult } from "../../state/load-results.ts";
import { type Known, nothingKnown } from "./describe.ts";
import { seenOf, type Watched } from "./seen.ts";

export async function whatIsKnown(
  config: Config,
  stateDirectory: string,
  nowMs: number,
): Promise<Known> {
  const state = findState(stateDirectory);
  if (state === undefined) return nothingKnown;
  const incidents = await readHistory(state.history, createDisk());
  // The oldest are let go of at the bound: what is left begins with the oldest of them.
  const oldestMs = Math.min(...incidents.map(({ startedWallMs }) => startedWallMs));
  const madeMs = statSync(join(state.path, versionFileName)).mtimeMs;
  const bornMs = incidents.length < incidentsMax ? madeMs : oldestMs;
  return {
    seen: seenOf(config.services.map(watched), incidents, { bornMs, nowMs }),
    queues: queuesOf(config, state),
  };
}

function findState(path: string): StateDirectory | undefined {
  try {
    return findStateDirectory(path);
  } catch (error) {
    if (error instanceof NinesError && error.code === "NINES_STATE_NOT_FOUND") return undefined;
    throw error;
  }
}

function watched(service: Config["services"][number]): Watched {
  const { name, kind } = service;
  return kind === "command"
    ? { name, kind, instances: service.replicas.min, backoffMs: service.restart.backoffMs }
    : { name, kind, instances: service.endpoints.length, backoffMs: 0 };
}

function queuesOf(config: Config, state: StateDirectory): Known["queues"] {
  const found: Record<string, Omit<QueueModel, "loadPerSecond">> = {};
  for (const { name } of config.services) {
    const fit = readLoadResult(state, name)?.fit;
    if (fit === undefined) continue;
    const { capacityPerInstance, slotsPerInstance, serviceTimeMs } = fit;
    found[name] = { capacityPerInstance, slotsPerInstance, serviceTimeMs, fit };
  }
  return found;
}
