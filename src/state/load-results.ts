// What load tests have found out, a file a service: the latest one counts, since it is of the
// service as it is now.
//
// A folder of its own beside the records, which only control may write: a load test runs beside
// control. Same form, so that a torn file is refused by name.

import type { LoadFit } from "../core/predict/load-fit.ts";
import { makeFoldersSync } from "../runtime/make-folders.ts";
import type { StateDirectory } from "./directory.ts";
import { createRecords } from "./records.ts";

export interface LoadResult {
  readonly service: string;
  /** When it ended; ISO 8601 in UTC. */
  readonly at: string;
  readonly through: "gateway" | "instances";
  readonly method: string;
  readonly path: string;
  /** That shared the load. */
  readonly instances: number;
  /** The most that was asked a second and answered well; null: less than the first step. */
  readonly kneePerSecond: number | null;
  readonly fit: LoadFit;
}

/** Changed when an older reader would misunderstand it. */
const version = 1;

export function writeLoadResult(directory: StateDirectory, result: LoadResult): void {
  makeFoldersSync(directory.loadResults);
  createRecords(directory.loadResults).write(result.service, { version, ...result });
}

/** Undefined when no load test was kept, or an older or newer Nines kept it. */
export function readLoadResult(directory: StateDirectory, service: string): LoadResult | undefined {
  const kept = createRecords(directory.loadResults).read(service);
  const isOurs = typeof kept === "object" && kept !== null && "version" in kept;
  return isOurs && kept.version === version ? (kept as unknown as LoadResult) : undefined;
}
