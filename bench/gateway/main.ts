// `npm run bench:gateway`: what a proxied request costs in CPU, beside HAProxy and nginx.
//
// One worker of the whole program, HAProxy with one thread and nginx with one worker stand in front
// of the same origin. They take turns in every round, each pinned to one core; load and origin have
// the other. The cost is user and system time of the proxying process (/proc/PID/stat) by the
// requests it answered, and is compared within a round: what the machine does to all of them
// cancels out. The figures are medians over rounds. Throughput is not the figure: load and origin
// share a core.

import { availableParallelism } from "node:os";
import { type Figure, figure, median, printFigures } from "../shared/figures.ts";
import {
  cpuMicroseconds,
  installed,
  pause,
  removeFolder,
  temporaryFolder,
} from "../shared/system.ts";
import {
  type Contender,
  pin,
  startHaproxy,
  startNginx,
  startNines,
  startOrigin,
} from "./contenders.ts";
import { loadProgram, runLoad } from "./load.ts";

const PROXY_CORE = 0;
const LOAD_CORE = 1;
const LARGE_BYTES = 1024 * 1024;
/** The promise of the README: CPU per request, as a multiple of HAProxy's. */
const BAR_VERSUS_HAPROXY = 1.6;
const WARM_UP_SECONDS = 2;

interface Workload {
  readonly name: string;
  readonly path: string;
  readonly connections: number;
  readonly closing: boolean;
  readonly bar?: number;
}

const workloads: readonly Workload[] = [
  { name: "get", path: "/", connections: 64, closing: false, bar: BAR_VERSUS_HAPROXY },
  { name: "new connection", path: "/", connections: 64, closing: true },
  { name: "1 MiB body", path: "/large", connections: 16, closing: false },
];

/** Microseconds a request, by contender. */
type Round = ReadonlyMap<string, number>;

async function measure(
  contender: Contender,
  workload: Workload,
  seconds: number,
): Promise<number | undefined> {
  const { port } = contender;
  const before = cpuMicroseconds(contender.pid);
  const result = runLoad({ ...workload, port, seconds, core: LOAD_CORE });
  const after = cpuMicroseconds(contender.pid);
  await pause(100);
  if (result.failures > 0) {
    console.log(`  ${contender.name}: ${result.failures} of ${result.requests} requests failed`);
    return undefined;
  }
  if (before === undefined || after === undefined || result.requests === 0) {
    console.log(`  ${contender.name}: process ${contender.pid} has ended or answered nothing`);
    return undefined;
  }
  const costUs = (after - before) / result.requests;
  const rate = Math.round(result.requests / seconds);
  console.log(`  ${contender.name.padEnd(8)} ${costUs.toFixed(1).padStart(7)} us  ${rate}/s`);
  return costUs;
}

async function runRounds(
  contenders: readonly Contender[],
  workload: Workload,
  options: { readonly rounds: number; readonly seconds: number },
): Promise<readonly Round[]> {
  const rounds: Round[] = [];
  for (const contender of contenders) {
    const { port } = contender;
    runLoad({ ...workload, port, seconds: WARM_UP_SECONDS, core: LOAD_CORE });
  }
  for (let count = 0; count < options.rounds; count++) {
    console.log(`${workload.name}, round ${count + 1} of ${options.rounds}`);
    const round = new Map<string, number>();
    // Whoever begins one round ends the next.
    const order = count % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) {
      const costUs = await measure(contender, workload, options.seconds);
      if (costUs !== undefined) round.set(contender.name, costUs);
    }
    rounds.push(round);
  }
  return rounds;
}

function costs(rounds: readonly Round[], name: string): readonly number[] {
  return rounds.flatMap((round) => round.get(name) ?? []);
}

function ratio(rounds: readonly Round[], to: string): number | undefined {
  const ratios = rounds.flatMap((round) => {
    const [ours, theirs] = [round.get("nines"), round.get(to)];
    return ours === undefined || theirs === undefined ? [] : ours / theirs;
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

function figuresOf(workload: Workload, rounds: readonly Round[]): readonly Figure[] {
  const comparisons = ["haproxy", "nginx"].map((peer) => {
    const value = ratio(rounds, peer);
    const isBarred = workload.bar !== undefined && peer === "haproxy";
    const shown = peer === "haproxy" ? "HAProxy" : "nginx";
    return figure({
      name: `${workload.name} CPU per request vs ${shown}`,
      value,
      unit: "x",
      ...(isBarred ? { bar: workload.bar } : {}),
      ...(value === undefined ? { note: `${peer} or nines was not measured` } : {}),
    });
  });
  const absolutes = ["nines", "haproxy", "nginx"].map((name) => {
    const measured = costs(rounds, name);
    return figure({
      name: `${workload.name} CPU per request, ${name}`,
      value: measured.length === 0 ? undefined : median(measured),
      unit: "us",
      ...(measured.length === 0 ? { note: "not installed, or it failed" } : {}),
    });
  });
  return [...comparisons, ...absolutes];
}

async function startAll(folder: string, originPort: number): Promise<readonly Contender[]> {
  const started = [
    await startNines(folder, originPort),
    await startHaproxy(folder, originPort),
    await startNginx(folder, originPort),
  ];
  return started.filter((contender) => contender !== undefined);
}

async function main(quick: boolean): Promise<void> {
  const options = quick ? { rounds: 5, seconds: 3 } : { rounds: 9, seconds: 6 };
  const canPin = installed("taskset") !== undefined && availableParallelism() > 1;
  const folder = temporaryFolder("gateway");
  const origin = await startOrigin(folder, LARGE_BYTES);
  let contenders: readonly Contender[] = [];
  try {
    contenders = await startAll(folder, origin.port);
    if (canPin) {
      pin(origin.pid, LOAD_CORE);
      for (const contender of contenders) pin(contender.pid, PROXY_CORE);
    }
    console.log(`origin: ${origin.name}, load: ${loadProgram}, pinned: ${canPin ? "yes" : "no"}`);
    const figures: Figure[] = [];
    for (const workload of workloads) {
      figures.push(...figuresOf(workload, await runRounds(contenders, workload, options)));
    }
    tellOthers(contenders);
    printFigures("gateway", figures);
    process.exitCode = figures.every(({ ok, bar }) => ok || bar === null) ? 0 : 1;
  } finally {
    for (const contender of contenders) await contender.stop();
    await origin.stop();
    removeFolder(folder);
  }
}

/** What a contender's other processes used in all: small, and said. */
function tellOthers(contenders: readonly Contender[]): void {
  for (const { name, pid, otherPids } of contenders) {
    if (otherPids.length === 0) continue;
    const seconds = (each: number): string => ((cpuMicroseconds(each) ?? 0) / 1e6).toFixed(2);
    const others = otherPids.map((each) => `${seconds(each)} s`).join(", ");
    console.log(`${name}: ${seconds(pid)} s of CPU in all; its other processes: ${others}`);
  }
}

await main(process.argv.includes("--quick"));
