// The balancing algorithms by the name that a route gives them.

import type { BalanceAlgorithm } from "../route/table.ts";
import type { CreateBalancer } from "./balancer.ts";
import { createLeastRequest } from "./least-request.ts";
import { createRandom } from "./random.ts";
import { createRoundRobin } from "./round-robin.ts";
import { createSourceHash } from "./source-hash.ts";
import { createWeighted } from "./weighted.ts";

export const algorithms: Readonly<Record<BalanceAlgorithm, CreateBalancer>> = {
  "round-robin": createRoundRobin,
  random: createRandom,
  weighted: createWeighted,
  "least-request": createLeastRequest,
  "source-hash": createSourceHash,
};
