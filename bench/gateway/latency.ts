// How long answers take below saturation: the 99th percentile at shares of a proxy's capacity,
// which is what its one core could answer by what a request costs it. Proxies share load and origin
// on the other core; at 90 % of it that core is busy, too, which belongs to what is seen.

import { type Figure, figure, median } from "../shared/figures.ts";
import type { Contender } from "./contenders.ts";
import { LOAD_CORE } from "./costs.ts";
import { hasWrk, runLoad } from "./load.ts";

const CONNECTIONS = 256;
/** Over HAProxy's, at half of HAProxy's capacity. */
const BAR_OVER_HAPROXY_MS = 1;
const CURVE = [0.1, 0.3, 0.5, 0.7, 0.9];

export interface LatencyPlan {
  readonly contenders: readonly Contender[];
  /** CPU of a small GET. */
  readonly costUs: (name: string) => number | undefined;
  readonly rounds: number;
  readonly seconds: number;
  readonly folder: string;
}

export async function measureLatency(plan: LatencyPlan): Promise<readonly Figure[]> {
  const capacity = (name: string): number | undefined => {
    const costUs = plan.costUs(name);
    return costUs === undefined ? undefined : 1e6 / costUs;
  };
  return [
    ...(await besideHaproxy(plan, capacity("haproxy"))),
    ...(await curve(plan, capacity("nines"))),
  ];
}

async function p99Ms(plan: LatencyPlan, name: string, perSecond: number) {
  const { seconds, folder } = plan;
  const contender = plan.contenders.find((each) => each.name === name);
  if (contender === undefined || !hasWrk) return undefined;
  const { port } = contender;
  const load = { port, path: "/", connections: CONNECTIONS, seconds, perSecond, core: LOAD_CORE };
  const result = await runLoad(load, folder);
  const rate = `${Math.round(result.requests / seconds)}/s of ${Math.round(perSecond)}/s`;
  console.log(`  ${name.padEnd(8)} ${rate}  99 % within ${result.p99Ms?.toFixed(2) ?? "-"} ms`);
  return result.errors + result.lost > 0 ? undefined : result.p99Ms;
}

async function besideHaproxy(plan: LatencyPlan, capacity: number | undefined) {
  console.log("latency at half of HAProxy's capacity");
  const over: number[] = [];
  for (let round = 0; capacity !== undefined && round < plan.rounds; round++) {
    const ours = await p99Ms(plan, "nines", capacity / 2);
    const theirs = await p99Ms(plan, "haproxy", capacity / 2);
    if (ours !== undefined && theirs !== undefined) over.push(ours - theirs);
  }
  const name = "p99 over HAProxy's at 50 % of HAProxy's capacity";
  const note = "needs wrk and HAProxy";
  return over.length === 0
    ? [figure({ name, value: undefined, unit: "ms", bar: BAR_OVER_HAPROXY_MS, note })]
    : [figure({ name, value: median(over), unit: "ms", bar: BAR_OVER_HAPROXY_MS })];
}

async function curve(plan: LatencyPlan, capacity: number | undefined) {
  console.log("latency at shares of our own capacity");
  const figures: Figure[] = [];
  for (const share of CURVE) {
    const value = capacity === undefined ? undefined : await p99Ms(plan, "nines", capacity * share);
    figures.push(
      figure({
        name: `p99 at ${share * 100} % of its own capacity`,
        value,
        unit: "ms",
        ...(value === undefined ? { note: "needs wrk" } : {}),
      }),
    );
  }
  return figures;
}
