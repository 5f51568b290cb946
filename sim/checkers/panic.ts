// Whether a worker has so few instances of a service left that it tries those that are out as well
// (DetectionPolicy.panicRatio): what else would be a broken promise is then what the file asks for.

import type { TableInstance, TableService } from "../../src/core/route/table.ts";
import type { Worker } from "../world/worker.ts";

export function isPanic(worker: Worker, name: string): boolean {
  const service = tableService(worker, name);
  const ejected = worker.ejected();
  // Without control, what it called down may be up again.
  const open = worker.linkedSinceMs === undefined ? ["up", "down"] : ["up"];
  const instances = service?.instances ?? [];
  const isUsable = ({ id, verdict }: TableInstance): boolean =>
    open.includes(verdict) && !ejected.includes(id);
  // A backup is one of them only while the one that it stands in for is out.
  const stoodFor = new Set(instances.filter(isUsable).map(({ id }) => id));
  const members = instances.filter(
    ({ verdict, backupOf = "" }) =>
      (open.includes(verdict) || verdict === "failing") && !stoodFor.has(backupOf),
  );
  const usable = members.filter(isUsable);
  return usable.length <= (service?.detection.panicRatio ?? 0) * members.length;
}

export function tableService(worker: Worker, name: string): TableService | undefined {
  return worker.table?.services.find((service) => service.name === name);
}
