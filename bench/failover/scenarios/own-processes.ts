// Nines' own processes are killed and stopped under load. Peers have no part that matches: a
// control that the data plane does without, a parent that it can lose.

import { createConnection, type Socket } from "node:net";
import { pause, waitUntil } from "../../shared/system.ts";
import { measured, noneFailed, type Outcomes, own } from "../figures.ts";
import type { Nines } from "../nines.ts";
import type { Scenario } from "../scenario.ts";
import { failuresOf } from "../traffic.ts";
import { answersOf20Ms, ownProcesses } from "./set-ups.ts";

/** How evenly kept connections lie on the workers, with no load beside. */
export const connectionShare: Scenario<Nines> = {
  name: "128 kept connections",
  setUp: answersOf20Ms,
  durationMs: 0,
  lane: "timed",
  act: async (nines) => {
    let largest = 0;
    for (let times = 0; times < 3; times++) {
      largest = Math.max(largest, await largestShare(nines));
      await pause(300);
    }
    return { extra: { largest } };
  },
  promises: (outcomes) => [
    measured(
      "largest share of 128 kept connections",
      outcomes,
      { unit: "x", bar: 1.3, over: "worst" },
      ({ extra }) => extra["largest"] ?? Number.NaN,
    ),
  ],
};

/**
 * Opens 128 kept connections, one request on each, and tells the largest worker's share of the even
 * one.
 */
async function largestShare(nines: Nines): Promise<number> {
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

/** A killed worker takes what was in flight on it: those connections break. The rest is ours. */
function workerPromises(name: string, outcomes: Outcomes) {
  const broken = ["reset", "closed"];
  const count = (what: string, bar: number | undefined, fits: (failure: string) => boolean) => {
    const measure = {
      unit: "requests",
      over: "sum",
      ...(bar === undefined ? {} : { bar }),
    } as const;
    return measured(`${name}: ${what}`, outcomes, measure, ({ answers }) => {
      return failuresOf(answers).filter(({ failure }) => fits(failure)).length;
    });
  };
  return [
    count("refused", 0, (failure) => failure === "refused"),
    count("lost though not in flight on it", 0, (failure) => {
      return failure !== "refused" && !broken.includes(failure);
    }),
    count("lost in flight on it", undefined, (failure) => broken.includes(failure)),
  ];
}

export const workerKilled: Scenario<Nines> = {
  name: "worker kill -9",
  setUp: answersOf20Ms,
  durationMs: 6_000,
  quickDurationMs: 4_000,
  lane: "timed",
  act: async (nines) => {
    process.kill((await nines.workers())[0]?.pid ?? 0, "SIGKILL");
    return {};
  },
  promises: (outcomes) => workerPromises("worker kill -9", outcomes),
};

export const workerStopped: Scenario<Nines> = {
  name: "worker SIGSTOP",
  setUp: answersOf20Ms,
  durationMs: 6_000,
  quickDurationMs: 4_000,
  lane: "timed",
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
  promises: (outcomes) => [
    ...workerPromises("worker SIGSTOP", outcomes),
    own("worker SIGSTOP", "replacedMs", outcomes, { unit: "ms", bar: 1_000, over: "worst" }),
  ],
};

export const parentKilled: Scenario<Nines> = {
  name: "parent kill -9 twice",
  setUp: ownProcesses,
  durationMs: 9_000,
  quickDurationMs: 6_000,
  lane: "first",
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
  promises: (outcomes) => [noneFailed("parent kill -9 twice", outcomes)],
};

export const controlKilled: Scenario<Nines> = {
  name: "control kill -9",
  setUp: ownProcesses,
  durationMs: 10_000,
  quickDurationMs: 7_000,
  lane: "first",
  act: async (nines) => {
    const before = await nines.instancePids();
    await nines.killControl();
    await pause(2_000);
    await nines.startControl();
    const after = await nines.instancePids();
    return { extra: { restarted: after.filter((pid) => !before.includes(pid)).length } };
  },
  promises: (outcomes) => [
    noneFailed("control kill -9", outcomes),
    own("control kill -9", "restarted", outcomes, { unit: "instances", bar: 0, over: "worst" }),
  ],
};

export const controlStopped: Scenario<Nines> = {
  name: "control SIGSTOP 10 s",
  setUp: { serviceMs: 20 },
  durationMs: 14_000,
  quickDurationMs: 12_500,
  lane: "third",
  act: async (nines) => {
    process.kill(nines.controlPid, "SIGSTOP");
    await pause(10_000);
    process.kill(nines.controlPid, "SIGCONT");
    return {};
  },
  promises: (outcomes) => [noneFailed("control SIGSTOP 10 s", outcomes)],
};

export const loggingWithoutControl: Scenario<Nines> = {
  name: "logging without control 30 s",
  setUp: ownProcesses,
  durationMs: 33_000,
  quickDurationMs: 32_000,
  lane: "first",
  prepare: (nines) => nines.logEveryRequest(),
  act: async (nines) => {
    await nines.killControl();
    await pause(30_000);
    await nines.startControl();
    return {};
  },
  promises: (outcomes) => [noneFailed("logging without control 30 s", outcomes)],
};

const KEEPER_TIMES = 3;

/** How long a killed control is away when a keeper watches it. */
export const controlKept: Scenario<Nines> = {
  name: "control kill -9 under its keeper",
  setUp: { serviceMs: 20, detached: true },
  durationMs: 0,
  lane: "idle",
  act: async (nines) => {
    let backMs = 0;
    for (let times = 0; times < KEEPER_TIMES; times++) {
      // A control that ends soon after its start is held back; this one has lived long enough.
      if (times > 0) await pause(10_500);
      backMs = Math.max(backMs, await nines.timeToNewControl());
    }
    return { extra: { backMs } };
  },
  promises: (outcomes) => [
    measured(
      "control kill -9 under its keeper: back after",
      outcomes,
      { unit: "ms", bar: 2_000, over: "worst" },
      ({ extra }) => extra["backMs"] ?? Number.NaN,
    ),
  ],
};
