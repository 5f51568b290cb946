// Nines under test, as a user runs it: the shipped command, one file, everything at its defaults
// but what a scenario is about. Two workers, three instances.

import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { accepts, freePort, start, type Started, waitUntil } from "../shared/system.ts";
import { originFile } from "./origins.ts";
import { type Contender, type Instance, INSTANCES, type SetUp } from "./scenario.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const program = join(root, "dist", "src", "program", "main.js");

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
      readonly address: string | null;
      readonly state: string;
    }[];
  }[];
}

interface Worker {
  readonly worker: number;
  readonly pid: number;
  readonly state: string;
  readonly connections: number;
}

/** The part of an event that the bench reads (`GET /v1/events`). */
export interface NinesEvent {
  readonly number: number;
  /** ISO 8601. */
  readonly time: string;
  readonly kind: string;
  readonly sentence: string;
  readonly instance?: string;
}

/** What a scenario may change in the file while it runs. */
interface Changes {
  readonly logRequests: boolean;
  /** A route that nobody asks for, so that the file differs. */
  readonly note: number;
  /** Environment of the instances; another one makes another version of the service. */
  readonly version: Readonly<Record<string, string>>;
}

/** Ready, whether it gets traffic or stands by. */
const readyStates: readonly string[] = ["up", "standby"];

export class Nines implements Contender {
  readonly name = "nines";
  readonly port: number;
  readonly receivedFile: string;
  readonly #setUp: SetUp;
  readonly #file: string;
  readonly #stateDirectory: string;
  readonly #output: string;
  #changes: Changes = { logRequests: false, note: 0, version: {} };
  #control: Started | undefined;

  private constructor(port: number, folder: string, setUp: SetUp) {
    this.port = port;
    this.receivedFile = join(folder, "received");
    this.#setUp = setUp;
    this.#file = join(folder, "nines.yaml");
    this.#stateDirectory = join(folder, "state");
    this.#output = join(folder, "nines.log");
  }

  static async start(folder: string, setUp: SetUp): Promise<Nines> {
    const nines = new Nines(await freePort(), folder, setUp);
    nines.change({});
    if (setUp.detached) {
      await nines.command("up", "--detach", "-f", nines.#file);
      await nines.#untilUp();
    } else {
      await nines.startControl();
    }
    return nines;
  }

  /** Writes the file again; nothing follows it before an apply or a deploy. */
  change(changes: Partial<Changes>): void {
    this.#changes = { ...this.#changes, ...changes };
    const { logRequests, note, version } = this.#changes;
    const environment = {
      RECEIVED_FILE: this.receivedFile,
      SERVICE_MS: String(this.#setUp.serviceMs),
      LOG_REQUESTS: logRequests ? "1" : "0",
      ...version,
    };
    const { primary } = this.#setUp;
    const failback = primary === "manual failback" ? "manual" : "automatic, minimumHealthy: 3s";
    const failover =
      primary === undefined ? "" : `failover: { mode: primary-standby, failback: ${failback} }`;
    writeFileSync(
      this.#file,
      `services:
  web:
    command: ["${process.execPath}", "${originFile}"]
    replicas: ${INSTANCES}
    health: { http: /healthz }
    env: ${JSON.stringify(environment)}
    ${failover}
gateway:
  workers: 2
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
      return (
        instances.length === INSTANCES &&
        instances.every(({ state }) => readyStates.includes(state))
      );
    });
  }

  status(): Promise<Status | undefined> {
    return this.#ask<Status>("/v1/status");
  }

  /** Events so far, at most the latest 1,000. */
  async events(after = 0): Promise<readonly NinesEvent[]> {
    const answer = await this.#ask<readonly NinesEvent[]>(`/v1/events?after=${after}`);
    if (answer === undefined) throw new Error("nines does not tell its events");
    return answer;
  }

  #ask<T>(path: string): Promise<T | undefined> {
    const options = {
      socketPath: join(this.#stateDirectory, "run", "admin.sock"),
      path,
      timeout: 1_000,
    };
    return new Promise((resolve) => {
      const asked = request(options, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => (text += part));
        answer.on("end", () => {
          resolve(answer.statusCode === 200 ? (JSON.parse(text) as T) : undefined);
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

  async instances(): Promise<readonly Instance[]> {
    const { services } = await this.#mustStatus();
    return services.flatMap((service) =>
      service.instances.map(({ pid, address }, index) => {
        return { index, pid: pid ?? 0, port: Number(address?.split(":").at(-1) ?? "0") };
      }),
    );
  }

  async instanceStates(): Promise<readonly string[]> {
    const { services } = await this.#mustStatus();
    return services.flatMap((service) => service.instances.map(({ state }) => state));
  }

  async instancePids(): Promise<readonly number[]> {
    return (await this.instances()).map(({ pid }) => pid);
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

  async killControl(): Promise<void> {
    process.kill(this.controlPid, "SIGKILL");
    await this.#control?.ended;
  }

  async reload(): Promise<void> {
    this.change({ note: this.#changes.note + 1 });
    await this.command("apply");
  }

  /** Restarts the instances with one that writes a line for every request. */
  async logEveryRequest(): Promise<void> {
    const before = await this.instancePids();
    this.change({ logRequests: true });
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

  /** Runs one command of the CLI; rejects when it fails or takes over 60 s. */
  command(...words: readonly string[]): Promise<void> {
    const line = [program, ...words, "--state-dir", this.#stateDirectory];
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, line, { stdio: ["ignore", "ignore", "pipe"] });
      const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
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
