// Sends the requests of a load test over a bounded number of kept connections.
//
// An answer counts as good below status 400 and when its body has ended within the deadline. A
// kept connection that the other side has just closed is tried once more on another, as every
// client does with a request that is safe to repeat.

import { Agent, type ClientRequest, request } from "node:http";
import type { Outcome } from "./steps.ts";
import type { Send } from "./run-step.ts";
import type { Target } from "./target.ts";

export interface HttpSender extends Disposable {
  readonly send: Send;
  /** The status of one request; undefined when none came in time. */
  readonly probe: (timeoutMs: number) => Promise<number | undefined>;
  readonly [Symbol.dispose]: () => void;
}

/** What one request ended with. */
type End = number | "reset-while-kept" | "failed" | "timed-out";

export function createHttpSender(target: Target, connectionsMax: number): HttpSender {
  const agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });
  const underWay = new Set<ClientRequest>();
  let turn = 0;
  let isEnded = false;

  function once(timeoutMs: number): Promise<End> {
    const address = target.addresses[turn++ % target.addresses.length];
    return new Promise((resolve) => {
      let isLate = false;
      const asked = request({
        agent,
        host: address?.host,
        port: address?.port,
        method: target.method,
        path: target.path,
        headers: target.headers,
      });
      const deadline = setTimeout(() => {
        isLate = true;
        asked.destroy();
      }, timeoutMs);
      const settle = (end: End): void => {
        clearTimeout(deadline);
        underWay.delete(asked);
        resolve(isLate ? "timed-out" : end);
      };
      underWay.add(asked);
      asked.on("error", (error: NodeJS.ErrnoException) => {
        const isStale = asked.reusedSocket && error.code === "ECONNRESET";
        settle(isStale ? "reset-while-kept" : "failed");
      });
      asked.on("response", (response) => {
        response.on("end", () => settle(response.statusCode ?? 0));
        response.on("error", () => settle("failed"));
        response.resume();
      });
      asked.on("close", () => settle("failed"));
      asked.end();
    });
  }

  async function send(timeoutMs: number): Promise<Exclude<Outcome, "not-sent">> {
    let end = await once(timeoutMs);
    const isSafe = target.method === "GET" || target.method === "HEAD";
    if (end === "reset-while-kept" && isSafe && !isEnded) end = await once(timeoutMs);
    if (end === "timed-out") return "timed-out";
    return typeof end === "number" && end < 400 ? "answered" : "refused";
  }

  return {
    send,
    async probe(timeoutMs) {
      const end = await once(timeoutMs);
      return typeof end === "number" ? end : undefined;
    },
    [Symbol.dispose]() {
      isEnded = true;
      for (const asked of underWay) asked.destroy();
      agent.destroy();
    },
  };
}
