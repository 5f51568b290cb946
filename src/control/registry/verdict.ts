// What control says of an instance, from what the loops wrote of it.
//
// Its standing goes first: whoever is not to have traffic gets none, whatever happens to its
// process and whoever goes away. A standby must be said to be one also while nothing runs there,
// or a worker without control would try it when it does. Then draining, that nobody tries either.
// Then what is there: `running` and `external` instances take traffic while their checks do not
// say otherwise. An instance that was not checked yet, by this control, keeps the verdict that the
// data plane was told before: so a control that comes back takes nothing out and puts nothing in
// until it knows better.

import type { InstanceVerdict } from "../../core/route/table.ts";
import { isWithdrawn } from "../../core/steer/agent-state.ts";
import type { Health, InstanceRecord } from "./registry.ts";

export function verdictOf(record: InstanceRecord): InstanceVerdict {
  if (record.standing === "standby") return "standby";
  return record.standing === "leaving" ? "draining" : verdictIfActive(record);
}

/** What it would be if its standing kept nothing from it. */
export function verdictIfActive(record: InstanceRecord): InstanceVerdict {
  if (isHeldOut(record)) return "draining";
  return isReady(record) ? "up" : whyNotUp(record);
}

/** Whether it could take traffic. A drained one is ready for its dependents: they may not come
 * through the gateway, and it is as well as ever. So is a standby. */
export function isReady(record: InstanceRecord): boolean {
  if (!isThere(record)) return false;
  const health = healthOf(record);
  return health === "unknown" ? record.told?.verdict === "up" : health === "up";
}

/** Nothing new, by an operator's word, ahead of a stop, or by the word of its agent. */
export function isDrained({ draining, agent }: InstanceRecord): boolean {
  return draining || (agent !== undefined && isWithdrawn(agent));
}

/** So, or forced down by a person: nobody tries it, not in a panic and not without control. */
export function isHeldOut(record: InstanceRecord): boolean {
  return isDrained(record) || record.steered?.forced === "down";
}

/** As its checks say, unless an operator's word stands above them. */
export function healthOf({ health, steered }: InstanceRecord): Health {
  return steered?.forced ?? health;
}

/** Without a check, what was said before: nobody knows better. */
function whyNotUp(record: InstanceRecord): "failing" | "down" {
  if (!isThere(record)) return "down";
  if (record.health === "unknown") return record.told?.verdict === "failing" ? "failing" : "down";
  return "failing";
}

function isThere({ phase }: InstanceRecord): boolean {
  return phase === "running" || phase === "external";
}
