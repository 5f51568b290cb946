// What the gateway had counted when it was last told to anybody outside, on disk.
//
// Whoever reads counters (Prometheus) takes one that went back for one that began anew, and adds
// all of it once more: one worker's end while control is away, and a rate shows millions of
// requests that never were. So nothing is told before it is kept here, and a control that starts
// goes on from it while a process of that gateway lives. What had not been told may be lost with
// the worker that counted it. Rejected: keeping at each report (a write every 250 ms for nobody),
// syncing to the disk (after a loss of power no worker lives, and all counters begin anew).

import { readFileSync } from "node:fs";
import type { WorkerStats } from "../../core/measure/gateway-stats.ts";
import type { Hello } from "../contract.ts";
import { isGatewayTotals, isHello, isWorkerStats } from "../link/messages.ts";
import { fieldsOf, isList } from "../process/shape.ts";
import { replaceFile } from "../process/table-file.ts";
import type { GatewayTotals } from "./totals.ts";

export interface KeptCounters {
  /** Of workers that had ended by then. */
  readonly ended: GatewayTotals;
  readonly workers: readonly { readonly hello: Hello; readonly stats: WorkerStats }[];
}

/** Undefined when there are none, or they are torn or another version's. */
export function loadCounters(path: string): KeptCounters | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
  const kept = fieldsOf(value);
  const isWhole =
    kept !== undefined &&
    isGatewayTotals(kept["ended"]) &&
    isList(kept["workers"], (item) => {
      const { hello, stats } = fieldsOf(item) ?? {};
      const said = fieldsOf(hello);
      return said !== undefined && isHello(said) && isWorkerStats(stats);
    });
  return isWhole ? (value as KeptCounters) : undefined;
}

/** Throws what the disk says; what was kept before then still stands. */
export function saveCounters(path: string, kept: KeptCounters): void {
  replaceFile(path, JSON.stringify(kept));
}
