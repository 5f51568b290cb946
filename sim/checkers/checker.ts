// A checker watches a run for one broken promise. One file a promise; its opening says the promise,
// its bound, and what excuses it.

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

/** The longest that health checks may take to see that a silent instance is down. */
export function detectMs(world: World, service: string): number {
  const health = world.service(service)?.health;
  if (health === undefined) return FOLLOW_MS;
  const { intervalMs, fastIntervalMs, timeoutMs, fall } = health;
  // One regular interval, then quicker ones; the clock may run 5 % slow; a result may be 50 ms
  // late.
  return 1.1 * (intervalMs + fall * (timeoutMs + fastIntervalMs + 50)) + FOLLOW_MS;
}

/** The longest that health checks may take to see that an instance answers again. */
export function recognizeMs(world: World, service: string): number {
  const health = world.service(service)?.health;
  if (health === undefined) return FOLLOW_MS;
  const { intervalMs, fastIntervalMs, timeoutMs, rise } = health;
  return 1.1 * (2 * intervalMs + (rise + 1) * (timeoutMs + fastIntervalMs + 50)) + FOLLOW_MS;
}
