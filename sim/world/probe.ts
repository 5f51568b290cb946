// One health check over simulated wires: what comes back, and when.

import type { ProbeRequest, ProbeResult, ProbeTarget } from "../../src/ports/probe.ts";
import type { Machine } from "./machine.ts";
import type { Network } from "./network.ts";

export interface ProbeWorld {
  readonly machine: Machine;
  readonly network: Network;
}

/** Commands and gRPC ask a program whether it serves, and for no status of their own. */
const serving = [[200, 200]] as const;

interface Answer {
  readonly result: ProbeResult;
  /** From the question to the result. */
  readonly delayMs: number;
}

export function probe(world: ProbeWorld, target: ProbeTarget, request: ProbeRequest): Answer {
  const { machine, network } = world;
  const program = machine.listener(target.host, target.port);
  const wireMs = 2 * network.delayMs();
  const id = machine.idAt(target.host, target.port);
  const cut = id !== undefined && network.cutFromControl.has(id);
  if (cut || network.probeLost()) return silence(request, network);
  if (program === undefined) return answer(false, "connection refused", wireMs);
  if (request.kind === "tcp") {
    return wireMs > request.timeoutMs
      ? silence(request, network)
      : answer(true, "connected", wireMs);
  }
  const status = program.statusNow();
  // A check waits for a slot of the program like any request, but does not hold one here.
  const delayMs = wireMs + program.answerDelayMs();
  if (status === undefined || delayMs > request.timeoutMs) return silence(request, network);
  const expected = request.kind === "http" ? request.expectStatus : serving;
  const passed = expected.some(([from, to]) => status >= from && status <= to);
  return answer(passed, `answered ${status}`, delayMs);
}

function answer(passed: boolean, detail: string, delayMs: number): Answer {
  return { result: { passed, detail, latencyMs: delayMs }, delayMs };
}

/** The port lets a result be 50 ms late; the simulator uses that. */
function silence(request: ProbeRequest, network: Network): Answer {
  const delayMs = request.timeoutMs + Math.min(50, network.delayMs());
  const detail = `no answer in ${request.timeoutMs} ms`;
  return { result: { passed: false, detail, latencyMs: delayMs, silent: true }, delayMs };
}
