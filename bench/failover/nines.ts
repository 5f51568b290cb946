// Nines under test, as a user runs it: the shipped command, one file, everything at its defaults
// but the addresses. Two workers, three instances.

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { accepts, freePort, start, type Started, waitUntil } from "../shared/system.ts";
import type { Contender } from "./contenders.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const program = join(root, "dist", "src", "program", "main.js");
const originFile = join(import.meta.dirname, "origin.js");

/** The part of `nines status --json` that the bench reads (docs/reference/status.md). */
interface Status {
  readonly control: { readonly pid: number | null };
  readonly gateway: {
    readonly parent: { readonly pid: number } | null;
    readonly workers: readonly Worker[];
  } | null;
  readonly services: readonly {
    readonly instances: readonly {
      readonly id: string;
      readonly pid: number | null;
      readonly state: string;
      readonly restarts: number;
    }[];
  }[];
}

interface Worker {
  readonly worker: number;
  readonly pid: number;
  readonly state: string;
  readonly connections: number;
}

export class Nines implements Contender {
  readonly name = "nines";
  readonly port: number;
  readonly receivedFile: string;
  readonly #file: string;
  readonly #stateDirectory: string;
  readonly #output: string;
  #control: Started | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.receivedFile = join(folder, "received");
    this.#file = join(folder, "nines.yaml");
    this.#stateDirectory = join(folder, "state");
    this.#output = join(folder, "nines.log");
  }

  static async start(folder: string, workers = 2): Promise<Nines> {
    const nines = new Nines(await freePort(), folder);
    nines.#write({ workers, logRequests: false, note: 0 });
    await nines.startControl();
    return nines;
  }

  /** Runs `nines up --detach`: a keeper watches control. */
  static async startDetached(folder: string): Promise<Nines> {
    const nines = new Nines(await freePort(), folder);
    nines.#write({ workers: 2, logRequests: false, note: 0 });
    await nines.command("up", "--detach", "-f", nines.#file);
    await nines.#untilUp();
    return nines;
  }

  #write(settings: { workers: number; logRequests: boolean; note: number }): void {
    const { workers, logRequests, note } = settings;
    writeFileSync(
      this.#file,
      `services:
  web:
    command: ["${process.execPath}", "${originFile}"]
    replicas: 3
    health: { http: /healthz }
    env: { RECEIVED_FILE: "${this.receivedFile}", LOG_REQUESTS: "${logRequests ? 1 : 0}" }
gateway:
  workers: ${workers}
  listen: [{ address: "127.0.0.1:${this.port}" }]
  routes:
    - { match: { path: /note-${note} }, service: web }
    - { match: { path: / }, service: web }
`,
    );
  }

  /** Runs `nines up` in the foreground and waits until it serves. */
  async startControl(): Promise<void> {
    this.#control = start(
      [process.execPath, program, "up", "-f", this.#file, "--state-dir", this.#stateDirectory],
      { output: this.#output },
    );
    await this.#untilUp();
  }

  async #untilUp(): Promise<void> {
    await waitUntil("nines serves", 20_000, () => accepts(this.port));
    await waitUntil("all instances are up", 20_000, async () => {
      const status = await this.status();
      const instances = status?.services.flatMap((service) => service.instances) ?? [];
      return instances.length === 3 && instances.every(({ state }) => state === "up");
    });
  }

  status(): Promise<Status | undefined> {
    const options = {
      socketPath: join(this.#stateDirectory, "run", "admin.sock"),
      path: "/v1/status",
      timeout: 1_000,
    };
    return new Promise((resolve) => {
      const asked = request(options, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => (text += part));
        answer.on("end", () => {
          resolve(answer.statusCode === 200 ? (JSON.parse(text) as Status) : undefined);
        });
      });
      asked.on("timeout", () => asked.destroy());
      asked.on("error", () => resolve(undefined));
      asked.end();
    });
  }

  async #mustStatus(): Promise<Status> {
    const status = await this.status();
    if (status === undefined) throw new Error("nines does not answer on its admin socket");
    return status;
  }

  async instancePids(): Promise<readonly number[]> {
    const { services } = await this.#mustStatus();
    return services.flatMap((service) => service.instances.map(({ pid }) => pid ?? 0));
  }

  async parentPid(): Promise<number> {
    return (await this.#mustStatus()).gateway?.parent?.pid ?? 0;
  }

  async workers(): Promise<readonly Worker[]> {
    return (await this.#mustStatus()).gateway?.workers ?? [];
  }

  /** Kills the control that a keeper watches; how long until another follows the file. */
  async timeToNewControl(): Promise<number> {
    const before = (await this.#mustStatus()).control.pid ?? 0;
    process.kill(before, "SIGKILL");
    return waitUntil("there is a new control", 20_000, async () => {
      const pid = (await this.status())?.control.pid ?? before;
      return pid !== before;
    });
  }

  get controlPid(): number {
    return this.#control?.pid ?? 0;
  }

  async killInstance(index: number): Promise<number> {
    const pid = (await this.instancePids())[index] ?? 0;
    process.kill(pid, "SIGKILL");
    return pid;
  }

  async killControl(): Promise<void> {
    process.kill(this.controlPid, "SIGKILL");
    await this.#control?.ended;
  }

  async reload(): Promise<void> {
    this.#write({ workers: 2, logRequests: false, note: Math.floor(performance.now()) });
    await this.command("apply");
  }

  /** Restarts the instances with one that writes a line for every request. */
  async logEveryRequest(): Promise<void> {
    const before = await this.instancePids();
    this.#write({ workers: 2, logRequests: true, note: 0 });
    await this.command("apply");
    await waitUntil("all instances are replaced", 60_000, async () => {
      const status = await this.status();
      const instances = status?.services.flatMap((service) => service.instances) ?? [];
      return instances.every(({ pid, state }) => state === "up" && !before.includes(pid ?? 0));
    });
  }

  async drain(index: number): Promise<void> {
    await this.command("drain", `web-${index + 1}`);
  }

  async undrain(index: number): Promise<void> {
    await this.command("undrain", `web-${index + 1}`);
  }

  /** Runs one command of the CLI; rejects when it fails or takes over 30 s. */
  command(...words: readonly string[]): Promise<void> {
    const line = [program, ...words, "--state-dir", this.#stateDirectory];
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, line, { stdio: ["ignore", "ignore", "pipe"] });
      const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
      let output = "";
      child.stderr.on("data", (text) => (output += String(text)));
      child.on("close", (code) => {
        clearTimeout(timer);
        if (code === 0) resolve();
        else reject(new Error(`nines ${words.join(" ")} failed: ${output.trim()}`));
      });
    });
  }

  async stop(): Promise<void> {
    await this.command("down");
    await this.#control?.ended;
  }
}
