// `npm run bench:failover`: what clients notice while things are killed, stopped, reloaded and
// drained.
//
// The same open-loop load (400 requests a second, half on kept connections, a fifth POSTs) runs
// against Nines at its defaults and, where installed, HAProxy and nginx. Each scenario is one fault
// or change two seconds into the load. Peers have no part of Nines' that could be killed (control,
// a parent that the data plane could lose), so those scenarios are Nines' alone. The contenders
// take turns in every round. Failures are summed over rounds, times are medians.

import { fork } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { printFigures } from "../shared/figures.ts";
import { installed, pause, removeFolder, temporaryFolder, waitUntil } from "../shared/system.ts";
import { type Contender, startHaproxy, startNginx } from "./contenders.ts";
import { judge, type Outcome, type Results } from "./judge.ts";
import type { Failure, LoadOptions, LoadResult } from "./load.ts";
import { Nines } from "./nines.ts";

const RATE_PER_SECOND = 400;
const FAULT_AT_MS = 2_000;

interface Scenario<C extends Contender> {
  readonly name: string;
  readonly durationMs: number;
  /** The fault; runs FAULT_AT_MS into the load. Returns extra figures. */
  readonly act: (contender: C) => Promise<Fault>;
}

interface Fault {
  readonly killedInstances?: readonly number[];
  readonly extra?: Readonly<Record<string, number>>;
}

const shared: readonly Scenario<Contender>[] = [
  {
    name: "instance kill -9",
    durationMs: 8_000,
    act: async (contender) => ({ killedInstances: [await contender.killInstance(1)] }),
  },
  {
    name: "reload",
    durationMs: 6_000,
    act: async (contender) => {
      for (let times = 0; times < 3; times++) await contender.reload();
      return {};
    },
  },
  {
    name: "drain",
    durationMs: 8_000,
    act: async (contender) => {
      await contender.drain(0);
      await pause(2_000);
      await contender.undrain(0);
      return {};
    },
  },
];

const ninesOnly: readonly Scenario<Nines>[] = [
  {
    name: "control kill -9",
    durationMs: 10_000,
    act: async (nines) => {
      const before = await nines.instancePids();
      await nines.killControl();
      await pause(2_000);
      await nines.startControl();
      const after = await nines.instancePids();
      return { extra: { restarted: after.filter((pid) => !before.includes(pid)).length } };
    },
  },
  {
    name: "control SIGSTOP 10 s",
    durationMs: 14_000,
    act: async (nines) => {
      process.kill(nines.controlPid, "SIGSTOP");
      await pause(10_000);
      process.kill(nines.controlPid, "SIGCONT");
      return {};
    },
  },
  {
    name: "parent kill -9 twice",
    durationMs: 9_000,
    act: async (nines) => {
      for (let times = 0; times < 2; times++) {
        const pid = await nines.parentPid();
        process.kill(pid, "SIGKILL");
        await waitUntil("there is a new parent", 5_000, async () => {
          const now = (await nines.status())?.gateway?.parent?.pid ?? pid;
          return now !== pid && now !== 0;
        });
      }
      return {};
    },
  },
  {
    name: "worker kill -9",
    durationMs: 6_000,
    act: async (nines) => {
      process.kill((await nines.workers())[0]?.pid ?? 0, "SIGKILL");
      return {};
    },
  },
  {
    name: "worker SIGSTOP",
    durationMs: 6_000,
    act: async (nines) => {
      const stopped = (await nines.workers())[0];
      process.kill(stopped?.pid ?? 0, "SIGSTOP");
      const replacedMs = await waitUntil("the stopped worker is replaced", 10_000, async () => {
        const workers = (await nines.status())?.gateway?.workers ?? [];
        const serving = workers.filter(({ state }) => state === "serving");
        return serving.length === 2 && !serving.some(({ pid }) => pid === stopped?.pid);
      });
      return { extra: { replacedMs } };
    },
  },
  {
    name: "logging without control 30 s",
    durationMs: 34_000,
    act: async (nines) => {
      await nines.killControl();
      await pause(30_000);
      await nines.startControl();
      return {};
    },
  },
];

/** Runs the load in a process of its own, with the fault two seconds into it. */
async function measure<C extends Contender>(scenario: Scenario<C>, contender: C): Promise<Outcome> {
  const options: LoadOptions = {
    host: "127.0.0.1",
    port: contender.port,
    ratePerSecond: RATE_PER_SECOND,
    durationMs: scenario.durationMs,
    timeoutMs: 10_000,
  };
  const child = fork(join(import.meta.dirname, "load.js"), [JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  let output = "";
  child.stdout?.on("data", (text) => (output += String(text)));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await pause(FAULT_AT_MS);
  const fault = await scenario.act(contender);
  await ended;
  const result = JSON.parse(output) as LoadResult;
  const sent = receivedBy(contender.receivedFile, fault.killedInstances ?? []);
  const posts = result.failures.filter(({ method }) => method === "POST");
  return {
    ...result,
    wronglyLostPosts: posts.filter(({ number }) => !sent.has(number)).length,
    extra: fault.extra ?? {},
  };
}

/** Numbers of the POSTs that the killed instances had received. */
function receivedBy(prefix: string, pids: readonly number[]): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const file of readdirSync(dirname(prefix))) {
    const mine = pids.some((pid) => file === `${basename(prefix)}.${pid}`);
    if (!mine) continue;
    const text = readFileSync(join(dirname(prefix), file), "utf8");
    for (const line of text.split("\n")) if (line !== "") numbers.add(Number(line));
  }
  return numbers;
}

/**
 * Opens 128 kept connections, one request on each, and tells the largest worker's share of the even
 * one.
 */
async function connectionShare(nines: Nines): Promise<number> {
  const sockets: Socket[] = [];
  for (let opened = 0; opened < 128; opened++) {
    const socket = createConnection({ host: "127.0.0.1", port: nines.port });
    socket.on("error", () => socket.destroy());
    socket.on("data", () => {});
    socket.write("GET /share HTTP/1.1\r\nHost: bench\r\n\r\n");
    sockets.push(socket);
  }
  let largest = Number.NaN;
  await waitUntil("all 128 connections are accepted", 5_000, async () => {
    const counts = (await nines.workers()).map(({ connections }) => connections);
    const total = counts.reduce((sum, count) => sum + count, 0);
    largest = Math.max(...counts) / (total / counts.length);
    return total >= 128;
  });
  for (const socket of sockets) socket.destroy();
  return largest;
}

function keep(results: Results, contender: string, scenario: string, outcome: Outcome): void {
  const key = `${contender}: ${scenario}`;
  results.set(key, [...(results.get(key) ?? []), outcome]);
  const { requests, failures, over200Ms, p99Ms, longestGapMs } = outcome;
  console.log(
    `${key.padEnd(40)} ${requests} requests, ${failures.length} failed, ${over200Ms} over 200 ms, ` +
      `p99 ${p99Ms.toFixed(1)} ms, longest gap ${longestGapMs.toFixed(0)} ms`,
  );
  for (const [kind, count] of countKinds(failures)) console.log(`    ${count} x ${kind}`);
}

function countKinds(failures: readonly Failure[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { method, kind, kept } of failures) {
    const key = `${method} ${kind} on a ${kept ? "kept" : "new"} connection`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** How long a killed control is away when a keeper watches it, three times. */
async function keeperDelays(): Promise<readonly number[]> {
  const folder = temporaryFolder("keeper");
  const nines = await Nines.startDetached(folder);
  const delays: number[] = [];
  try {
    for (let times = 0; times < 3; times++) {
      delays.push(await nines.timeToNewControl());
      // A control that ends soon after its start is held back; this one has lived long enough.
      await pause(10_500);
    }
  } finally {
    await nines.stop();
    removeFolder(folder);
  }
  return delays;
}

async function roundOfNines(results: Results, shares: number[]): Promise<void> {
  const folder = temporaryFolder("nines");
  const nines = await Nines.start(folder);
  try {
    for (let times = 0; times < 3; times++) {
      shares.push(await connectionShare(nines));
      await pause(300);
    }
    for (const scenario of shared) {
      keep(results, "nines", scenario.name, await measure(scenario, nines));
    }
    for (const scenario of ninesOnly) {
      if (scenario.name.startsWith("logging")) await nines.logEveryRequest();
      keep(results, "nines", scenario.name, await measure(scenario, nines));
    }
  } finally {
    await nines.stop();
    if (process.env["NINES_BENCH_KEEP"] === undefined) removeFolder(folder);
  }
}

async function roundOfPeer(
  results: Results,
  name: string,
  begin: (folder: string) => Promise<Contender>,
): Promise<void> {
  const folder = temporaryFolder(name);
  const contender = await begin(folder);
  try {
    for (const scenario of shared) {
      keep(results, name, scenario.name, await measure(scenario, contender));
    }
  } finally {
    await contender.stop();
    removeFolder(folder);
  }
}

async function main(): Promise<void> {
  const rounds = process.argv.includes("--quick") ? 1 : 3;
  const haproxy = installed("haproxy");
  const nginx = installed("nginx");
  const results: Results = new Map();
  const shares: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await roundOfNines(results, shares);
    if (haproxy !== undefined) {
      await roundOfPeer(results, "haproxy", (folder) => startHaproxy(haproxy, folder));
    }
    if (nginx !== undefined && existsSync(nginx)) {
      await roundOfPeer(results, "nginx", (folder) => startNginx(nginx, folder));
    }
  }
  const scenarios = {
    shared: shared.map(({ name }) => name),
    ninesOnly: ninesOnly.map(({ name }) => name),
  };
  const delays = await keeperDelays();
  printFigures("failover", judge({ results, shares, keeperDelays: delays, scenarios }));
}

await main();
