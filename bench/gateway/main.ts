// `npm run bench:gateway`: the gateway beside HAProxy and nginx, and beside proxies for Node.
//
// One worker of the whole program as a user runs it, checks, counters and its own judgement of
// instances on, in front of the same origin as the others. What is measured how is said in each
// file: memory first, on processes that have served nobody; what a request costs (costs.ts), how
// long it takes (latency.ts); then what must not happen: an outage made worse by retries, a client
// that notices a reload, growth.
//
// `--quick`: fewer and shorter rounds, five minutes. `--long`: a soak of one hour. `--only=WORD`:
// only the parts whose name has it.

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type Figure, figure, printFigures } from "../shared/figures.ts";
import { install } from "../shared/install.ts";
import { cpuMicroseconds, installed, removeFolder, temporaryFolder } from "../shared/system.ts";
import {
  type Contender,
  startBun,
  startHaproxy,
  startNginx,
  startNodeProxy,
  startOrigin,
} from "./contenders.ts";
import { Costs, LOAD_CORE, type Plan, PROXY_CORE, type Workload } from "./costs.ts";
import { measureLatency } from "./latency.ts";
import { loadProgram, pin, runLoad } from "./load.ts";
import { measureMemory } from "./memory.ts";
import { Nines } from "./nines.ts";
import { measureOutage } from "./outage.ts";
import { measureOverload } from "./overload.ts";
import { measureReloads } from "./reloads.ts";
import { measureSoak } from "./soak.ts";

const LARGE_BYTES = 1024 * 1024;
/** It takes some seconds where the machine is free. */
const ENGINE_ALONE_TIMEOUT_MS = 120_000;
const nodeProxies = ["http-proxy-3", "httpxy", "undici"];
const everybody = ["nines", "haproxy", "nginx"];

/** The first is what latencies are measured against. */
const get: Workload = {
  name: "get",
  path: "/",
  connections: 64,
  // Others as a share of ours is what is promised: three times cheaper, and once and a half.
  bars: { haproxy: 1.35, "http-proxy-3": 0.33, httpxy: 0.33, undici: 0.66 },
};
const workloads: readonly Workload[] = [
  { name: "post 1 KiB", path: "/", connections: 64, postBytes: 1024, bars: { haproxy: 1.4 } },
  { name: "new connection", path: "/", connections: 64, closing: true, bars: { haproxy: 1.6 } },
  { name: "1 MiB body", path: "/large", connections: 16, bars: { haproxy: 0.9 } },
];
const tcp: Workload = {
  name: "tcp",
  path: "/",
  connections: 64,
  tcp: true,
  bars: { haproxy: 1.5 },
};

interface Options {
  readonly only: string;
  readonly rounds: number;
  readonly seconds: number;
  /** Whole ones: wrk knows no others. */
  readonly warmUpSeconds: number;
  readonly latencyTurns: number;
  readonly soakSeconds: number;
}

function readOptions(words: readonly string[]): Options {
  const only = words.find((word) => word.startsWith("--only="))?.slice("--only=".length) ?? "";
  const isQuick = words.includes("--quick");
  const soakSeconds = words.includes("--long") ? 3600 : 60;
  return isQuick
    ? { only, rounds: 3, seconds: 2, warmUpSeconds: 1, latencyTurns: 13, soakSeconds }
    : { only, rounds: 9, seconds: 6, warmUpSeconds: 2, latencyTurns: 31, soakSeconds };
}

class Bench {
  readonly figures: Figure[] = [];
  readonly #options: Options;
  readonly #folder: string;

  constructor(options: Options, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  async run(): Promise<void> {
    if (this.#wants("cost memory latency")) {
      const gets = await this.#beside();
      // Alone, so that nobody else's timers stall it.
      const costUs = (name: string): number | undefined => gets.us(name);
      const options = { costUs, turns: this.#options.latencyTurns, folder: this.#place("latency") };
      this.figures.push(...(await measureLatency(options)));
    }
    if (this.#wants("workers")) this.figures.push(...(await this.#workers()));
    if (this.#wants("overload")) {
      const options = { folder: this.#place("overload"), seconds: this.#options.seconds };
      this.figures.push(...(await measureOverload(options)));
    }
    // None of these is a matter of time, so they may disturb each other.
    const lasting: Promise<readonly Figure[]>[] = [];
    if (this.#wants("outage")) {
      const options = { folder: this.#place("outage"), seconds: this.#options.seconds };
      lasting.push(measureOutage(options));
    }
    if (this.#wants("reloads")) lasting.push(measureReloads(this.#place("reloads")));
    if (this.#wants("soak")) {
      const seconds = this.#options.soakSeconds;
      lasting.push(measureSoak({ folder: this.#place("soak"), seconds }));
    }
    for (const figures of await Promise.all(lasting)) this.figures.push(...figures);
  }

  #wants(part: string): boolean {
    return part.includes(this.#options.only);
  }

  #place(name: string): string {
    const place = join(this.#folder, name);
    mkdirSync(place);
    return place;
  }

  /** All that is measured in turns with others. */
  async #beside(): Promise<Costs> {
    const folder = this.#place("beside");
    const canPin = installed("taskset") !== undefined && availableParallelism() > 1;
    const origin = await startOrigin(folder, LARGE_BYTES);
    const contenders: Contender[] = [];
    try {
      if (canPin) pin(origin.pid, LOAD_CORE);
      const starting = [
        () => Nines.start(folder, { instances: [origin.port] }),
        () => Nines.start(this.#place("logging"), { instances: [origin.port], accessLog: "{}" }),
        () => startHaproxy(folder, origin.port),
        () => startNginx(folder, origin.port),
        ...nodeProxies.map((name) => () => startNodeProxy(name, origin.port)),
        () => startBun(join(folder, "state", "gateway", "table.json")),
      ];
      for (const start of starting) {
        const contender = await start();
        if (contender === undefined) continue;
        contenders.push(contender);
        if (canPin) pin(contender.pid, PROXY_CORE);
      }
      console.log(`origin: ${origin.name}, load: ${loadProgram}, pinned: ${canPin ? "yes" : "no"}`);
      const gets = await this.#measureAll(contenders, folder);
      tellOthers(contenders);
      return gets;
    } finally {
      for (const contender of contenders) await contender.stop();
      await origin.stop();
    }
  }

  /** What a small GET costs is returned as well. */
  async #measureAll(contenders: readonly Contender[], folder: string): Promise<Costs> {
    const { rounds, seconds, warmUpSeconds } = this.#options;
    const plan: Plan = { rounds, seconds, warmUpSeconds, folder };
    this.figures.push(...(await measureMemory(contenders, ["nines", "haproxy"])));
    const getting = [...everybody, ...nodeProxies, "bun", "nines logging"];
    const gets = await Costs.measure(contenders, getting, get, plan);
    const logging = gets.beside(get, "nines", "nines logging");
    this.figures.push(...gets.figures, gets.beside(get, "haproxy", "bun"), logging);
    this.figures.push(measureEngine(join(folder, "state", "gateway", "table.json")));
    for (const workload of workloads) {
      const costs = await Costs.measure(contenders, everybody, workload, plan);
      this.figures.push(...costs.figures);
    }
    const bytes = await Costs.measure(contenders, ["nines", "haproxy"], tcp, plan);
    this.figures.push(...bytes.figures);
    return gets;
  }

  /** Unpinned: the workers have what load and origin leave them. */
  async #workers(): Promise<readonly Figure[]> {
    const figures: Figure[] = [];
    for (const workers of [1, 2]) {
      const folder = this.#place(`workers-${workers}`);
      const origin = await startOrigin(folder, LARGE_BYTES);
      const nines = await Nines.start(folder, { instances: [origin.port], workers });
      try {
        const { seconds } = this.#options;
        const load = { port: nines.port, path: "/", connections: 64, seconds };
        await runLoad({ ...load, seconds: 1 }, folder);
        const { requests } = await runLoad(load, folder);
        const name = `requests with ${workers === 1 ? "one worker" : "two workers"}`;
        const value = requests / seconds;
        const note = `load and origin share ${availableParallelism()} cores with them`;
        figures.push(figure({ name, value, unit: "/s", better: "higher", note }));
      } finally {
        await nines.stop();
        await origin.stop();
      }
    }
    return figures;
  }
}

/** What of it is the engine's own; see engine-alone.ts. */
function measureEngine(table: string): Figure {
  const command = [join(import.meta.dirname, "engine-alone.js")];
  const env = { ...process.env, TABLE: table };
  const options = { env, encoding: "utf8", timeout: ENGINE_ALONE_TIMEOUT_MS } as const;
  const said = spawnSync(process.execPath, command, options);
  const value = said.status === 0 ? Number(said.stdout) : undefined;
  const note =
    value === undefined
      ? (said.error?.message ?? said.stderr.trim())
      : "on wires without a kernel below them";
  return figure({ name: "get CPU per request, nines' engine alone", value, unit: "us", note });
}

/** What a contender's other processes used in all: small, and said. */
function tellOthers(contenders: readonly Contender[]): void {
  const seconds = (pid: number): string => `${((cpuMicroseconds(pid) ?? 0) / 1e6).toFixed(2)} s`;
  for (const { name, pid, others } of contenders) {
    const told = Object.entries(others).map(([other, otherPid]) => `${other} ${seconds(otherPid)}`);
    if (told.length === 0) continue;
    console.log(`${name}: ${seconds(pid)} of CPU in all; beside it ${told.join(", ")}`);
  }
}

async function main(options: Options): Promise<void> {
  install();
  const folder = temporaryFolder("gateway");
  const bench = new Bench(options, folder);
  try {
    await bench.run();
    printFigures("gateway", bench.figures);
    process.exitCode = bench.figures.every(({ ok, bar }) => ok || bar === null) ? 0 : 1;
  } finally {
    removeFolder(folder);
  }
}

await main(readOptions(process.argv.slice(2)));
