// Three endpoints of which two are needed, each failing and coming back by itself, and nothing else
// that fails: what every textbook solves.

import type { Config } from "../../src/config/config.ts";
import { assert } from "../../src/core/base/assert.ts";
import { createPrng } from "../../src/core/base/prng.ts";
import { kOfNAlike } from "../../src/core/model/structure/redundancy.ts";
import { drawPlan, makeConfig } from "../plan.ts";
import { subjectOf } from "./drawn.ts";
import type { Subject } from "./lifetime.ts";

const hourMs = 3_600_000;
const never = { everyMs: 1e18 };
const none = { machine: never, zone: never, gateway: never, gatewayWorker: never, control: never };

/** Three endpoints of which two are needed. */
function threeEndpoints(): Config {
  const { config } = drawPlan(createPrng(1));
  const cache = config.services.find((one) => one.kind === "endpoints");
  assert(cache?.kind === "endpoints" && config.gateway !== undefined, "the cache has a route");
  const endpoints = [1, 2, 3].map((number) => {
    return { host: `10.0.0.${number}`, port: 6379, weight: 1, backup: false, zone: "" };
  });
  return makeConfig([{ ...cache, endpoints }], { ...config.gateway, workers: 1 });
}

export function twoOfThree(everyHours: number, repairHours: number): Subject {
  const rare = { hang: never, gray: never, ...none };
  const endpoint = { everyMs: everyHours * hourMs, repairMs: repairHours * hourMs };
  return subjectOf(threeEndpoints(), { ...rare, endpoint }, 2);
}

/** Of two in three, each alternating between up and down by itself. */
export function exactly(everyHours: number, repairHours: number): number {
  return kOfNAlike(2, 3, repairHours / (everyHours + repairHours));
}
