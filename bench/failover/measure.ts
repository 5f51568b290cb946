// Runs one scenario on one started contender: the load in a process of its own, the fault a
// second into it, and afterwards what clients and instances have noted.

import { fork } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pause } from "../shared/system.ts";
import { signalIfThere } from "./acts.ts";
import type { LoadOptions, LoadResult } from "./load.ts";
import {
  type Contender,
  type Fault,
  FAULT_AT_MS,
  type Lost,
  type Outcome,
  RATE_PER_SECOND,
  type Run,
  type Scenario,
} from "./scenario.ts";
import { failuresOf, type Received } from "./traffic.ts";

const PATIENCE_MS = 10_000;
/** For instances that were stopped to note what had waited in their sockets. */
const NOTES_MS = 300;
/** A killed process still has its sockets for so long. */
const CLOSING_MS = 20;

export async function measure<C extends Contender>(
  scenario: Scenario<C>,
  contender: C,
  options: { readonly quick: boolean },
): Promise<Outcome> {
  const quickMs = options.quick ? scenario.quickDurationMs : undefined;
  const durationMs = quickMs ?? scenario.durationMs;
  await scenario.prepare?.(contender);
  const startedAtMs = Date.now();
  const run: Run = {
    durationMs,
    elapsedMs: () => Date.now() - startedAtMs,
    until: (elapsedMs) => pause(Math.max(0, startedAtMs + elapsedMs - Date.now())),
    received: () => receivedSince(contender.receivedFile, startedAtMs),
  };
  if (durationMs === 0) {
    const fault = await scenario.act(contender, run);
    return outcomeOf({ startedAtMs, answers: [] }, fault, { durationMs, received: [] });
  }
  const load = startLoad({
    host: "127.0.0.1",
    port: contender.port,
    ratePerSecond: RATE_PER_SECOND,
    durationMs,
    timeoutMs: scenario.patienceMs ?? PATIENCE_MS,
  });
  // It is awaited after the act; one that ends early must not end the bench before that.
  load.catch(() => undefined);
  await run.until(FAULT_AT_MS);
  const fault = await scenario.act(contender, run);
  const result = await load;
  for (const { pid } of await contender.instances()) if (pid !== 0) signalIfThere(pid, "SIGCONT");
  await pause(NOTES_MS);
  const received = receivedSince(contender.receivedFile, result.startedAtMs);
  return outcomeOf(result, fault, { durationMs, received });
}

async function startLoad(options: LoadOptions): Promise<LoadResult> {
  const child = fork(join(import.meta.dirname, "load.js"), [JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  let output = "";
  child.stdout?.on("data", (text) => (output += String(text)));
  await new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (output === "") throw new Error("the load ended before its time");
  return JSON.parse(output) as LoadResult;
}

function outcomeOf(
  result: LoadResult,
  fault: Fault,
  notes: { readonly durationMs: number; readonly received: readonly Received[] },
): Outcome {
  return {
    ...result,
    ...notes,
    wronglyLostPosts: wronglyLost(result, notes.received, fault.lost ?? []),
    extra: fault.extra ?? {},
  };
}

/**
 * Failed POSTs that no lost process had been sent. It has noted those that it read. What lay unread
 * in its sockets when it was killed is in nobody's notes, and was under way at that moment or soon
 * after: the kernel takes a while to close the sockets of a killed process.
 */
function wronglyLost(
  { answers, startedAtMs }: LoadResult,
  received: readonly Received[],
  lost: readonly Lost[],
): number {
  const pids = new Set(lost.map(({ pid }) => pid));
  const notedBy = new Map(received.map(({ number, pid }) => [number, pid]));
  const posts = failuresOf(answers).filter(({ method }) => method === "POST");
  const wrong = posts.filter(({ number, dueMs, doneMs }) => {
    const pid = notedBy.get(number);
    if (pid !== undefined) return !pids.has(pid);
    const [from, to] = [startedAtMs + dueMs, startedAtMs + doneMs];
    return !lost.some(({ atMs }) => from < atMs + CLOSING_MS && to > atMs);
  });
  return wrong.length;
}

/** Reads the notes of all instances: files named PREFIX.INDEX.PID, lines of origin.ts. */
function receivedSince(prefix: string, startedAtMs: number): readonly Received[] {
  const received: Received[] = [];
  for (const file of readdirSync(dirname(prefix))) {
    if (!file.startsWith(`${basename(prefix)}.`)) continue;
    const [instance, pid] = file
      .slice(basename(prefix).length + 1)
      .split(".")
      .map(Number);
    for (const line of readFileSync(join(dirname(prefix), file), "utf8").split("\n")) {
      const [method, number, at] = line.split(" ");
      const atMs = Number(at);
      if (method === undefined || !(atMs >= startedAtMs)) continue;
      received.push({
        instance: instance ?? -1,
        pid: pid ?? 0,
        method,
        number: Number(number),
        atMs,
      });
    }
  }
  return received;
}
