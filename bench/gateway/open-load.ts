// An open load with the origin behind it (open-load.c), as a program that runs beside the proxies.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { compileC } from "../shared/compile.ts";
import { accepts, freePort, waitUntil } from "../shared/system.ts";
import { pin } from "./load.ts";

export interface OpenLoadResult {
  /** Those that count: due after connections were made. */
  readonly requests: number;
  readonly errors: number;
  readonly lost: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export class OpenLoad {
  /** Where its origin listens. */
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #lines: AsyncIterator<string>;

  private constructor(program: string, port: number) {
    this.port = port;
    this.#child = spawn(program, [String(port)], { stdio: ["pipe", "pipe", "inherit"] });
    this.#ended = new Promise((resolve) => this.#child.once("close", resolve));
    const input = this.#child.stdout;
    if (input === null) throw new Error("its output is a pipe");
    this.#lines = createInterface({ input })[Symbol.asyncIterator]();
  }

  /** Undefined where no C program can be compiled. */
  static async start(folder: string, core: number): Promise<OpenLoad | undefined> {
    const program = compileC("gateway/open-load.c", join(folder, "open-load"), ["-lm"]);
    if (program === undefined) return undefined;
    const load = new OpenLoad(program, await freePort());
    await waitUntil("the open load's origin listens", 5000, () => accepts(load.port));
    pin(load.#child.pid ?? 0, core);
    return load;
  }

  async run(load: {
    readonly port: number;
    readonly connections: number;
    readonly perSecond: number;
    readonly seconds: number;
  }): Promise<OpenLoadResult> {
    const { port, connections, perSecond, seconds } = load;
    this.#child.stdin?.write(`${port} ${connections} ${perSecond} ${seconds}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error("the open load has ended");
    return JSON.parse(line.value) as OpenLoadResult;
  }

  async stop(): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }
}
