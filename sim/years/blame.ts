// What is to blame for a time that a service was down, or lost requests: the widest of the faults
// that hit it since it was at full strength last.
//
// A model of independent failures knows the single ones and those that meet by chance; what is
// shared it knows only when it is told. So the account is by that difference. A load that is too
// much needs no fault: load.ts has its account.

import type { Strike } from "./faults.ts";

export const blames = {
  machine: "a machine or a zone that failed",
  gateway: "the gateway's own processes",
  commonCause: "one cause that ended all instances",
  overlap: "failures that met",
  single: "single failures, until they were found and mended",
  nobody: "comings and goings without any fault",
  load: "a load of more than those in traffic serve",
} as const;
export type Blame = keyof typeof blames;

export function blameOf(strikes: readonly Strike[]): Blame {
  const causes = new Set(strikes.map(({ cause }) => cause));
  if (causes.has("machine") || causes.has("zone")) return "machine";
  if (causes.has("gateway")) return "gateway";
  if (causes.has("commonCause")) return "commonCause";
  const single = strikes.filter(({ cause }) => cause !== "gatewayWorker");
  if (new Set(single.map(({ whom }) => whom)).size > 1) return "overlap";
  if (single.length > 0) return "single";
  return causes.size > 0 ? "gateway" : "nobody";
}
