// What a request costs in CPU, beside others.
//
// The contenders take turns in every round, each pinned to one core; load and origin have the
// other. The cost is user and system time of the proxying process (/proc/PID/stat) by the requests
// it answered, and is compared within a round: what the machine does to all of them cancels out.
// The figures are medians over rounds. Throughput is not the figure: load and origin share a core.

import { type Figure, figure, median } from "../shared/figures.ts";
import { cpuMicroseconds, pause } from "../shared/system.ts";
import type { Contender } from "./contenders.ts";
import { runLoad } from "./load.ts";

export const PROXY_CORE = 0;
export const LOAD_CORE = 1;

export interface Workload {
  readonly name: string;
  readonly path: string;
  readonly connections: number;
  readonly closing?: boolean;
  readonly postBytes?: number;
  /** Over the listeners that pass on bytes unread. */
  readonly tcp?: boolean;
  /** CPU per request, as a multiple of the contender's of that name. */
  readonly bars: Readonly<Record<string, number>>;
}

export interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly folder: string;
}

/** Microseconds a request, by contender. */
type Round = ReadonlyMap<string, number>;

export class Costs {
  readonly figures: readonly Figure[];
  readonly #rounds: readonly Round[];

  private constructor(workload: Workload, names: readonly string[], rounds: readonly Round[]) {
    this.#rounds = rounds;
    this.figures = [
      ...names
        .filter((name) => !name.startsWith("nines"))
        .map((name) => this.beside(workload, name)),
      ...names.map((name) => this.#alone(workload, name)),
    ];
  }

  /** `names` are told also where they are not installed. */
  static async measure(
    contenders: readonly Contender[],
    names: readonly string[],
    workload: Workload,
    plan: Plan,
  ): Promise<Costs> {
    const taking = contenders.filter(({ name }) => names.includes(name));
    for (const contender of taking) await load(contender, workload, plan, plan.warmUpSeconds);
    const rounds: Round[] = [];
    for (let count = 0; count < plan.rounds; count++) {
      console.log(`${workload.name}, round ${count + 1} of ${plan.rounds}`);
      const round = new Map<string, number>();
      // Whoever begins one round ends the next.
      for (const contender of count % 2 === 0 ? taking : taking.toReversed()) {
        const costUs = await costOf(contender, workload, plan);
        if (costUs !== undefined) round.set(contender.name, costUs);
      }
      rounds.push(round);
    }
    return new Costs(workload, names, rounds);
  }

  /** The median; undefined when it was never measured. */
  us(name: string): number | undefined {
    const measured = this.#rounds.flatMap((round) => round.get(name) ?? []);
    return measured.length === 0 ? undefined : median(measured);
  }

  /** The median of what `who` costs as a multiple of the other, within each round. */
  beside(workload: Workload, name: string, who = "nines"): Figure {
    const ratios = this.#rounds.flatMap((round) => {
      const [ours, theirs] = [round.get(who), round.get(name)];
      return ours === undefined || theirs === undefined ? [] : ours / theirs;
    });
    const bar = who === "nines" ? workload.bars[name] : undefined;
    const of = who === "nines" ? "" : `, ${who}`;
    return figure({
      name: `${workload.name} CPU per request${of} vs ${shownAs[name] ?? name}`,
      value: ratios.length === 0 ? undefined : median(ratios),
      unit: "x",
      ...(bar === undefined ? {} : { bar }),
      ...(ratios.length === 0 ? { note: `${name} or ${who} was not measured` } : {}),
    });
  }

  #alone(workload: Workload, name: string): Figure {
    const value = this.us(name);
    return figure({
      name: `${workload.name} CPU per request, ${name}`,
      value,
      unit: "us",
      ...(value === undefined ? { note: "not installed, or it failed" } : {}),
    });
  }
}

const shownAs: Readonly<Record<string, string>> = { haproxy: "HAProxy" };

function load(contender: Contender, workload: Workload, plan: Plan, seconds: number) {
  const port = workload.tcp === true ? (contender.tcpPort ?? 0) : contender.port;
  return runLoad({ ...workload, port, seconds, core: LOAD_CORE }, plan.folder);
}

async function costOf(
  contender: Contender,
  workload: Workload,
  plan: Plan,
): Promise<number | undefined> {
  const before = cpuMicroseconds(contender.pid);
  const result = await load(contender, workload, plan, plan.seconds);
  const after = cpuMicroseconds(contender.pid);
  await pause(100);
  const failures = result.errors + result.lost;
  if (failures > 0) {
    console.log(`  ${contender.name}: ${failures} of ${result.requests} requests failed`);
    return undefined;
  }
  if (before === undefined || after === undefined || result.requests === 0) {
    console.log(`  ${contender.name}: process ${contender.pid} has ended or answered nothing`);
    for (const line of contender.workerLines ?? []) console.log(`    ${line}`);
    return undefined;
  }
  const costUs = (after - before) / result.requests;
  const rate = Math.round(result.requests / plan.seconds);
  console.log(`  ${contender.name.padEnd(12)} ${costUs.toFixed(1).padStart(7)} us  ${rate}/s`);
  return costUs;
}
