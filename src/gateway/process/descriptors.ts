// How many client connections this process has descriptors for.
//
// Out of descriptors, the kernel's queue cannot wait for us: libuv then takes every connection that
// comes and closes it, and requests under way find no socket to their instance. So a worker stops
// accepting before that, and what comes waits in the kernel as it does at the table's own limit.
// Each client may need one more descriptor for its instance. Rejected: counting open descriptors at
// each accept (a folder read each time, and the answer is late).

import { readFileSync } from "node:fs";

/** Listeners, links, logs, the event loop's own, and what a new parent would be started with. */
const OWN_DESCRIPTORS = 96;

/** Infinity where the machine does not tell. At least 1: a worker that takes nobody is no use. */
export function affordableConnections(limits = readLimits()): number {
  const soft = /^Max open files +(\d+) /m.exec(limits)?.[1];
  if (soft === undefined) return Infinity;
  return Math.max(1, Math.floor((Number(soft) - OWN_DESCRIPTORS) / 2));
}

function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
