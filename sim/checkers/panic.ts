// Whether a worker has so few instances of a service left that it tries those that are out as well
// (DetectionPolicy.panicRatio): what else would be a broken promise is then what the file asks for.

import type { TableService } from "../../src/core/route/table.ts";
import type { Worker } from "../world/worker.ts";

export function isPanic(worker: Worker, name: string): boolean {
  const service = tableService(worker, name);
  const ejected = worker.ejected();
  // Without control, what it called down may be up again.
  const open = worker.linkedSinceMs === undefined ? ["up", "down"] : ["up"];
  const members = (service?.instances ?? []).filter(
    ({ verdict }) => open.includes(verdict) || verdict === "failing",
  );
  const usable = members.filter(
    ({ id, verdict }) => open.includes(verdict) && !ejected.includes(id),
  );
  return usable.length <= (service?.detection.panicRatio ?? 0) * members.length;
}

export function tableService(worker: Worker, name: string): TableService | undefined {
  return worker.table?.services.find((service) => service.name === name);
}
