// One health check over simulated wires: what comes back, and when.
//
// A program that is stopped answers when it goes on, if that is in time: a check that finds it
// waiting for the CPU is late, and not lost.

import type { ProbeRequest, ProbeResult, ProbeTarget } from "../../src/ports/probe.ts";
import type { Recurring } from "../../src/ports/recurring.ts";
import type { EventLoop } from "./event-loop.ts";
import type { Machine } from "./machine.ts";
import type { Network } from "./network.ts";

export interface ProbeWorld {
  readonly loop: EventLoop;
  readonly machine: Machine;
  readonly network: Network;
  readonly isCalm: boolean;
}

/** Commands and gRPC ask a program whether it serves, and for no status of their own. */
const serving = [[200, 200]] as const;
/** What the port lets a result be late at most. */
const LATE_MAX_MS = 50;

/** Calls `done` once, with the result, when it is there. */
export function probe(
  world: ProbeWorld,
  target: ProbeTarget,
  request: ProbeRequest,
  done: (result: ProbeResult) => void,
  recurring?: Recurring,
): void {
  const { loop, machine, network, isCalm } = world;
  const { timeoutMs } = request;
  const beganMs = loop.nowMs;
  const program = machine.listener(target.host, target.port);
  const wireMs = network.delayMs() + network.delayMs();
  const id = machine.idAt(target.host, target.port);
  let over = false;

  function finish(latencyMs: number, passed: boolean, detail: string, silent = false): void {
    if (over) return;
    over = true;
    timeout[Symbol.dispose]();
    done({ passed, detail, latencyMs, ...(silent ? { silent } : {}) });
  }

  function finishIn(delayMs: number, passed: boolean, detail: string): void {
    const latencyMs = loop.nowMs - beganMs + delayMs;
    loop.after(delayMs, () => finish(latencyMs, passed, detail), recurring);
  }

  const silentMs = timeoutMs + Math.min(LATE_MAX_MS, network.delayMs());
  const late = (): void => finish(silentMs, false, `no answer in ${timeoutMs} ms`, true);
  const timeout = loop.after(silentMs, late, recurring);
  if ((id !== undefined && network.cutFromControl.has(id)) || network.probeLost()) return;
  if (program === undefined) {
    return finishIn(wireMs, false, "connection refused");
  }
  if (request.kind === "tcp") return finishIn(wireMs, true, "connected");
  const expected = request.kind === "http" ? request.expectStatus : serving;
  program.ask((status) => {
    if (status === undefined) return finish(loop.nowMs - beganMs, false, "connection reset");
    const passed = expected.some(([from, to]) => status >= from && status <= to);
    // A check waits for a slot of the program like any request, but does not hold one here.
    const delayMs = isCalm ? program.meanDelayMs : program.answerDelayMs();
    finishIn(wireMs + delayMs, passed, `answered ${status}`);
  });
}
