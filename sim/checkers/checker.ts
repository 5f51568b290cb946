// A checker watches a run for one broken promise. One file a promise; its opening says the promise,
// its bound, and what excuses it.

import type { HealthConfig } from "../../src/config/config.ts";
import { checkBoundMs, missedBoundMs } from "../../src/core/detect/bounds.ts";
import type { Watcher } from "../world/watcher.ts";
import type { World } from "../world/world.ts";

export interface Checker extends Watcher {
  readonly name: string;
  readonly promise: string;
}

export type CreateChecker = (world: World) => Checker;

/**
 * How late the data plane may follow what control knows for certain: a link's delay both ways (200
 * ms each at worst, faults/menu.ts), an adopted process watched every 250 ms, and a turn of each
 * loop.
 */
export const FOLLOW_MS = 1000;

/** A clock may run 5 % slow: what it calls a second is longer. */
const SLOW_CLOCK = 1.06;

/**
 * The longest until it is known that an instance is silent, by whichever of its signals sees that
 * first: the bounds that the documentation states, and eightfold patience where control doubted
 * itself meanwhile. A stopped program accepts connections: a tcp check never sees it.
 */
export function detectMs(world: World, service: string): number {
  const health = world.service(service)?.health;
  if (health === undefined) return FOLLOW_MS;
  const sickMs = boundMs(health, PATIENCE_MAX);
  const patience = world.doubtedWithin(SLOW_CLOCK * sickMs) ? PATIENCE_MAX : 1;
  return SLOW_CLOCK * boundMs(health, patience) + FOLLOW_MS;
}

const PATIENCE_MAX = 8;

function boundMs(health: HealthConfig, patience: number): number {
  const { check, heartbeat } = health;
  const counted = heartbeat?.detector === "misses" ? heartbeat : undefined;
  return Math.min(
    check.kind === "none" ? Number.POSITIVE_INFINITY : checkBoundMs(health, patience),
    counted === undefined ? Number.POSITIVE_INFINITY : missedBoundMs(counted, patience),
  );
}

/** The longest that health checks may take to see that an instance answers again. */
export function recognizeMs(world: World, service: string): number {
  const health = world.service(service)?.health;
  if (health === undefined) return FOLLOW_MS;
  const { intervalMs, fastIntervalMs, timeoutMs, rise, heartbeat } = health;
  const beatsMs = (rise + 1) * (heartbeat?.everyMs ?? 0);
  return (
    beatsMs + 1.1 * (2 * intervalMs + (rise + 1) * (timeoutMs + fastIntervalMs + 50)) + FOLLOW_MS
  );
}
