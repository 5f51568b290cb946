// Nines under test, as a user runs it: the shipped command and one file. The defaults stand:
// checks, counters and histograms are on, workers judge their instances, requests are hedged and
// retried.

import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accepts, end, freePort, start, type Started, waitUntil } from "../shared/system.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const program = join(root, "dist", "src", "program", "main.js");

/** The part of `nines status --json` that the bench reads (docs/reference/status.md). */
interface Status {
  readonly gateway: {
    readonly parent: { readonly pid: number } | null;
    readonly workers: readonly { readonly pid: number; readonly state: string }[];
  } | null;
}

export interface NinesOptions {
  readonly instances: readonly number[];
  readonly workers?: number;
  /** Sheds what its instances cannot bear; `/high` is important. */
  readonly shedding?: boolean;
  /** What proves that an instance is well; an answer to `GET /` when absent. */
  readonly health?: string;
  /** The value of `gateway.accessLog`; nothing is logged when absent. */
  readonly accessLog?: string;
}

export class Nines {
  readonly name: string;
  readonly port: number;
  readonly tcpPort: number;
  readonly #options: NinesOptions;
  readonly #file: string;
  readonly #log: string;
  readonly #place: readonly string[];
  #control: Started | undefined;
  #status: Status | undefined;

  private constructor(folder: string, port: number, tcpPort: number, options: NinesOptions) {
    this.name = options.accessLog === undefined ? "nines" : "nines logging";
    this.port = port;
    this.tcpPort = tcpPort;
    this.#options = options;
    this.#file = join(folder, "nines.yaml");
    this.#log = join(folder, "nines.log");
    this.#place = ["-f", this.#file, "--state-dir", join(folder, "state")];
  }

  static async start(folder: string, options: NinesOptions): Promise<Nines> {
    const nines = new Nines(folder, await freePort(), await freePort(), options);
    nines.#write(0);
    const command = [process.execPath, program, "up", ...nines.#place];
    nines.#control = start(command, { output: nines.#log });
    await waitUntil("nines serves", 15_000, () => accepts(nines.port));
    await waitUntil("nines tells its workers", 15_000, () => nines.#readStatus());
    return nines;
  }

  /** `note` makes one file differ from another: it is in a route that nobody asks for. */
  #write(note: number): void {
    const { instances, workers = 1, shedding = false, accessLog } = this.#options;
    const { health = "{ http: / }" } = this.#options;
    const concurrency = shedding ? ", concurrency: {}" : "";
    const log =
      accessLog === undefined
        ? ""
        : `  accessLog: ${accessLog}
`;
    const endpoints = instances.map((port) => `"127.0.0.1:${port}"`).join(", ");
    writeFileSync(
      this.#file,
      `services:
  web: { endpoints: [${endpoints}], health: ${health}${concurrency} }
gateway:
  workers: ${workers}
  listen:
    - { address: "127.0.0.1:${this.port}" }
    - { address: "127.0.0.1:${this.tcpPort}", protocol: tcp, service: web }
  routes:
    - { match: { path: /note-${note} }, service: web }
    - { match: { path: /high }, service: web, priority: high }
    - { match: { path: / }, service: web }
${log}`,
    );
  }

  #readStatus(): boolean {
    const command = [program, "status", "--json", ...this.#place];
    const said = spawnSync(process.execPath, command, { encoding: "utf8" });
    if (said.status !== 0) return false;
    this.#status = JSON.parse(said.stdout) as Status;
    const workers = this.#status.gateway?.workers ?? [];
    const serving = workers.filter(({ state }) => state === "serving");
    return serving.length === (this.#options.workers ?? 1);
  }

  /** The first worker. */
  get pid(): number {
    return this.#status?.gateway?.workers[0]?.pid ?? 0;
  }

  get others(): Readonly<Record<string, number>> {
    return { control: this.#control?.pid ?? 0, parent: this.#status?.gateway?.parent?.pid ?? 0 };
  }

  get pids(): readonly number[] {
    return [this.pid, ...Object.values(this.others)];
  }

  /** Writes the file anew and has it followed. */
  async reload(note: number): Promise<void> {
    this.#write(note);
    const child = spawn(process.execPath, [program, "apply", ...this.#place], { stdio: "ignore" });
    const code = await new Promise((resolve) => child.once("close", resolve));
    if (code !== 0) throw new Error(`nines apply ended with ${String(code)}`);
  }

  /** What it said of its workers: why one has ended, above all. */
  get workerLines(): readonly string[] {
    return readFileSync(this.#log, "utf8")
      .split("\n")
      .filter((line) => line.includes("worker"));
  }

  async stop(): Promise<void> {
    if (this.#control !== undefined) await end(this.#control);
  }
}
