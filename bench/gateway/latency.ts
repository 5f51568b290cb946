// How long answers take below saturation: the 99th percentile at shares of a proxy's capacity,
// which is what its one core could answer by what a request costs it under a load that saturates.
//
// The load is open (open-load.c); it and the origin are one thread on the other core. At half of
// HAProxy's capacity both cores are busy for three quarters of the time, since requests that come
// one by one cost everybody more than those that come in batches; so whatever stalls the machine
// for a moment is seen in both proxies' figures. Hence many short turns, one after the other: the
// figure is the median of what was between the two in each.

import { type Figure, figure, median } from "../shared/figures.ts";
import { startHaproxy } from "./contenders.ts";
import { LOAD_CORE, PROXY_CORE } from "./costs.ts";
import { pin } from "./load.ts";
import { Nines } from "./nines.ts";
import { OpenLoad } from "./open-load.ts";

const CONNECTIONS = 256;
const WARM_UP_SECONDS = 4;
const TURN_SECONDS = 1;
/** Over HAProxy's, at half of HAProxy's capacity. */
const BAR_OVER_HAPROXY_MS = 1;
const CURVE = [0.1, 0.3, 0.5, 0.7, 0.9];

export interface LatencyPlan {
  /** CPU of a small GET. */
  readonly costUs: (name: string) => number | undefined;
  readonly turns: number;
  readonly folder: string;
}

interface Proxy {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function measureLatency(plan: LatencyPlan): Promise<readonly Figure[]> {
  const { folder } = plan;
  const load = await OpenLoad.start(folder, LOAD_CORE);
  const proxies: Proxy[] = [];
  try {
    if (load !== undefined) {
      proxies.push(await Nines.start(folder, { instances: [load.port] }));
      const haproxy = await startHaproxy(folder, load.port);
      if (haproxy !== undefined) proxies.push(haproxy);
      for (const { pid } of proxies) pin(pid, PROXY_CORE);
    }
    return await new Latency(plan, load, proxies).figures();
  } finally {
    for (const proxy of proxies) await proxy.stop();
    await load?.stop();
  }
}

class Latency {
  readonly #plan: LatencyPlan;
  readonly #load: OpenLoad | undefined;
  readonly #proxies: readonly Proxy[];

  constructor(plan: LatencyPlan, load: OpenLoad | undefined, proxies: readonly Proxy[]) {
    this.#plan = plan;
    this.#load = load;
    this.#proxies = proxies;
  }

  async figures(): Promise<readonly Figure[]> {
    return [...(await this.#besideHaproxy()), ...(await this.#curve())];
  }

  #capacity(name: string): number | undefined {
    const costUs = this.#plan.costUs(name);
    const isThere = this.#proxies.some((proxy) => proxy.name === name);
    return costUs === undefined || !isThere ? undefined : 1e6 / costUs;
  }

  async #p99Ms(name: string, perSecond: number, seconds: number): Promise<number | undefined> {
    const proxy = this.#proxies.find((each) => each.name === name);
    if (proxy === undefined || this.#load === undefined) return undefined;
    const load = { port: proxy.port, connections: CONNECTIONS, perSecond, seconds };
    const { errors, lost, p50Ms, p99Ms } = await this.#load.run(load);
    const told = `half within ${p50Ms.toFixed(2)}, 99 % within ${p99Ms.toFixed(2)} ms`;
    console.log(`  ${name.padEnd(8)} ${Math.round(perSecond)}/s  ${told}`);
    return errors + lost > 0 ? undefined : p99Ms;
  }

  async #besideHaproxy(): Promise<readonly Figure[]> {
    console.log("latency at half of HAProxy's capacity");
    const capacity = this.#capacity("haproxy");
    const [ours, theirs, over]: [number[], number[], number[]] = [[], [], []];
    for (let turn = -1; capacity !== undefined && turn < this.#plan.turns; turn++) {
      const p99s = new Map<string, number | undefined>();
      const seconds = turn < 0 ? WARM_UP_SECONDS : TURN_SECONDS;
      // Whoever begins one turn ends the next.
      for (const name of turn % 2 === 0 ? ["nines", "haproxy"] : ["haproxy", "nines"]) {
        p99s.set(name, await this.#p99Ms(name, capacity / 2, seconds));
      }
      const [own, their] = [p99s.get("nines"), p99s.get("haproxy")];
      if (turn < 0 || own === undefined || their === undefined) continue;
      ours.push(own);
      theirs.push(their);
      over.push(own - their);
    }
    const at = "at 50 % of HAProxy's capacity";
    const say = (name: string, values: readonly number[], bar?: number): Figure => {
      const value = values.length === 0 ? undefined : median(values);
      const note = value === undefined ? { note: "needs a C compiler and HAProxy" } : {};
      const rule = bar === undefined ? {} : { bar };
      return figure({ name, value, unit: "ms", ...rule, ...note });
    };
    return [
      say(`p99 over HAProxy's ${at}`, over, BAR_OVER_HAPROXY_MS),
      say(`p99 ${at}, nines`, ours),
      say(`p99 ${at}, haproxy`, theirs),
    ];
  }

  async #curve(): Promise<readonly Figure[]> {
    console.log("latency at shares of our own capacity");
    const capacity = this.#capacity("nines");
    const figures: Figure[] = [];
    for (const share of CURVE) {
      const turns: number[] = [];
      for (let turn = 0; capacity !== undefined && turn < this.#plan.turns / 3; turn++) {
        const p99Ms = await this.#p99Ms("nines", capacity * share, TURN_SECONDS);
        if (p99Ms !== undefined) turns.push(p99Ms);
      }
      const name = `p99 at ${share * 100} % of its own capacity`;
      const value = turns.length === 0 ? undefined : median(turns);
      const note = value === undefined ? { note: "needs a C compiler" } : {};
      figures.push(figure({ name, value, unit: "ms", ...note }));
    }
    return figures;
  }
}
