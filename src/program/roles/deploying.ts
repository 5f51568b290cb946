// From what stands in a file to what control is asked to deploy: only what instances are started
// with, and how to go about it. All else of the service waits for an apply. Pure.

import type { ServiceConfig } from "../../config/config.ts";
import type { DeployWish } from "../../control/supervisor/rollout.ts";
import { startPartsOf, withStartParts } from "../../control/supervisor/start-parts.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { DeployOrder } from "../admin/endpoints.ts";

type Order = Pick<DeployOrder, "canary" | "replace" | "by"> & { readonly fromFile: boolean };

/** Throws NINES_DEPLOY_ENDPOINTS, NINES_DEPLOY_CANARY. */
export function wishOf(service: ServiceConfig, { canary, ...order }: Order): DeployWish {
  if (service.kind !== "command") {
    const what = `The file says that "${service.name}" is run elsewhere.`;
    throw new NinesError("NINES_DEPLOY_ENDPOINTS", what);
  }
  if (canary !== undefined && canary.length > 0 && service.failover.mode === "primary-standby") {
    const what = `One instance of "${service.name}" takes all of its traffic.`;
    throw new NinesError("NINES_DEPLOY_CANARY", what);
  }
  const settings = canary === undefined ? service.deploy : { ...service.deploy, canary };
  return { ...order, settings, parts: startPartsOf(service) };
}

/** The service as it was, started as the deployed one is. */
export function withStart(service: ServiceConfig, deployed: ServiceConfig): ServiceConfig {
  if (service.kind !== "command" || deployed.kind !== "command") return service;
  if (service.name !== deployed.name) return service;
  return withStartParts(service, startPartsOf(deployed));
}
