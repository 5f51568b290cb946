// Clients of the shops, at a steady rate whatever the answers do: requests come as a Poisson
// process, one in ten is a POST, which nobody may send twice. A request that is answered below 500
// was served; the gateway itself answers 503 after five seconds without an instance.

import { type Agent, request } from "node:http";
import type { Random } from "../../src/core/base/prng.ts";
import { shopNames } from "./shops.ts";

/** Of each shop; as the clients of the simulation. */
const callsPerSecond = 10;
const postShare = 0.1;
const timeoutMs = 10_000;

export class Clients implements Disposable {
  sent = 0;
  lost = 0;
  readonly #port: number;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #agent: Agent;

  constructor(port: number, random: Random, agent: Agent) {
    this.#port = port;
    this.#agent = agent;
    for (const name of shopNames) this.#next(name, random.stream(name));
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#agent.destroy();
  }

  #next(name: string, random: Random): void {
    const gapMs = (-Math.log(1 - random.ratio()) * 1000) / callsPerSecond;
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#send(name, random.ratio() < postShare ? "POST" : "GET");
        this.#next(name, random);
      }, gapMs),
    );
  }

  #send(name: string, method: "GET" | "POST"): void {
    this.sent++;
    const options = {
      host: "127.0.0.1",
      port: this.#port,
      path: "/api/products",
      method,
      agent: this.#agent,
      timeout: timeoutMs,
      headers: { host: `${name}.example` },
    };
    const asked = request(options, (answer) => {
      answer.resume();
      answer.once("error", () => this.lost++);
      if ((answer.statusCode ?? 500) >= 500) this.lost++;
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer")));
    asked.once("error", () => this.lost++);
    asked.end();
  }
}
