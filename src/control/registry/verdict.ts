// What control says of an instance, from what the loops wrote of it.
//
// Only `running` and `external` instances take traffic, and only while their checks do not say
// otherwise. An instance that was not checked yet, by this control, keeps the verdict that the data
// plane was told before: so a control that comes back takes nothing out and puts nothing in until
// it knows better. Draining outlasts everything: nobody tries a draining instance, not even a
// worker whose control is gone.

import type { InstanceVerdict } from "../../core/route/table.ts";
import type { InstanceRecord } from "./registry.ts";

export function verdictOf(record: InstanceRecord): InstanceVerdict {
  if (record.draining) return "draining";
  return isReady(record) ? "up" : "down";
}

/** Whether it could take traffic. A drained one is ready for its dependents: they may not come
 * through the gateway, and it is as well as ever. */
export function isReady(record: InstanceRecord): boolean {
  if (record.phase !== "running" && record.phase !== "external") return false;
  if (record.health === "unknown") return record.told?.verdict === "up";
  return record.health === "up";
}
