// Three instances for a load balancer that does not start any: one that ends is started again after
// one second, as systemd with Restart=always would.

import { join } from "node:path";
import { accepts, end, freePort, start, type Started, waitUntil } from "../shared/system.ts";
import { type Instance, INSTANCES, type SetUp } from "./scenario.ts";

export const originFile = join(import.meta.dirname, "origin.js");
const RESTART_DELAY_MS = 1_000;

export class Origins {
  readonly ports: readonly number[];
  readonly receivedFile: string;
  readonly #serviceMs: number;
  readonly #running: Started[] = [];
  readonly #restarts = new Set<NodeJS.Timeout>();
  #stopping = false;

  private constructor(ports: readonly number[], folder: string, setUp: SetUp) {
    this.ports = ports;
    this.receivedFile = join(folder, "received");
    this.#serviceMs = setUp.serviceMs;
  }

  static async start(folder: string, setUp: SetUp): Promise<Origins> {
    const ports: number[] = [];
    while (ports.length < INSTANCES) ports.push(await freePort());
    const origins = new Origins(ports, folder, setUp);
    for (const index of ports.keys()) origins.#start(index);
    for (const port of ports) await waitUntil(`origin ${port} listens`, 5_000, () => accepts(port));
    return origins;
  }

  #start(index: number): void {
    const started = start([process.execPath, originFile], {
      environment: {
        PORT: String(this.ports[index]),
        ORIGIN: String(index + 1),
        SERVICE_MS: String(this.#serviceMs),
        RECEIVED_FILE: this.receivedFile,
      },
    });
    this.#running[index] = started;
    started.child.once("close", () => {
      if (this.#stopping) return;
      const timer = setTimeout(() => {
        this.#restarts.delete(timer);
        this.#start(index);
      }, RESTART_DELAY_MS);
      this.#restarts.add(timer);
    });
  }

  instances(): readonly Instance[] {
    return this.ports.map((port, index) => {
      const child = this.#running[index]?.child;
      const runs = child?.exitCode === null && child.signalCode === null;
      return { index, port, pid: runs ? (child.pid ?? 0) : 0 };
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    for (const { child } of this.#running) child.kill("SIGCONT");
    await Promise.all(this.#running.map(end));
  }
}
