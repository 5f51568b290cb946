// One health check over simulated wires: what comes back, and when.
//
// A program that is stopped answers when it goes on, if that is in time: a check that finds it
// waiting for the CPU is late, and not lost.

import type { ProbeRequest, ProbeResult, ProbeTarget } from "../../src/ports/probe.ts";
import type { EventLoop } from "./event-loop.ts";
import type { Machine } from "./machine.ts";
import type { Network } from "./network.ts";

export interface ProbeWorld {
  readonly loop: EventLoop;
  readonly machine: Machine;
  readonly network: Network;
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
): void {
  const { loop, machine, network } = world;
  const { timeoutMs } = request;
  const beganMs = loop.nowMs;
  const program = machine.listener(target.host, target.port);
  const wireMs = network.delayMs() + network.delayMs();
  const id = machine.idAt(target.host, target.port);
  let over = false;

  function finish(passed: boolean, detail: string, silent = false): void {
    if (over) return;
    over = true;
    const latencyMs = loop.nowMs - beganMs;
    done({ passed, detail, latencyMs, ...(silent ? { silent } : {}) });
  }

  const silentMs = timeoutMs + Math.min(LATE_MAX_MS, network.delayMs());
  loop.after(silentMs, () => finish(false, `no answer in ${timeoutMs} ms`, true));
  if ((id !== undefined && network.cutFromControl.has(id)) || network.probeLost()) return;
  if (program === undefined) {
    return void loop.after(wireMs, () => finish(false, "connection refused"));
  }
  if (request.kind === "tcp") return void loop.after(wireMs, () => finish(true, "connected"));
  const expected = request.kind === "http" ? request.expectStatus : serving;
  program.ask((status) => {
    if (status === undefined) return finish(false, "connection reset");
    const passed = expected.some(([from, to]) => status >= from && status <= to);
    // A check waits for a slot of the program like any request, but does not hold one here.
    const delayMs = wireMs + program.answerDelayMs();
    loop.after(delayMs, () => finish(passed, `answered ${status}`));
  });
}
