// What a process holds, as Linux tells it.

import { readdirSync, readFileSync } from "node:fs";

/** Resident bytes; 0 when it has ended. */
export function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? "0") * 1024;
  } catch {
    return 0;
  }
}

/** Open descriptors; 0 when it has ended. */
export function descriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}
