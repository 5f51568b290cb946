// The shops under test: eight copies of examples/shop with two instances each, kept up by the
// shipped command, with the settings of the example's own file.
//
// Two instances and not three, eight services and not one: failures come so often that most of a
// service's would overlap, and of an incident in which all fail in turn no times could be compared.

import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { end, freePort, start, type Started, waitUntil } from "../shared/system.ts";
import type { IncidentTimes } from "./life.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const program = join(root, "dist", "src", "program", "main.js");
const example = join(root, "examples", "shop");
const readyWithinMs = 60_000;

export const shopNames = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => `shop${number}`);
const instancesEach = 2;

/** How often an instance fails, on average; nothing else ever does, to speak of. */
export const crashEveryMs = 30_000;
export const hangEveryMs = 120_000;

/** The part of `nines status --json` that is looked at. */
export interface Instance {
  readonly id: string;
  readonly pid: number | null;
  readonly state: string;
}

interface Status {
  readonly services: readonly { readonly instances: readonly Instance[] }[];
}

/** The part of an event that is looked at. */
interface Event {
  readonly time: string;
  readonly kind: string;
  readonly instance?: string;
}

export class Shops {
  readonly file: string;
  readonly port: number;
  readonly #stateDirectory: string;
  readonly #nines: Started;

  private constructor(folder: string, port: number) {
    this.port = port;
    this.file = join(folder, "nines.yaml");
    this.#stateDirectory = join(folder, "state");
    writeFileSync(this.file, fileFor(port));
    const words = ["up", "-f", this.file, "--state-dir", this.#stateDirectory];
    this.#nines = start([process.execPath, program, ...words], {
      output: join(folder, "nines.log"),
    });
  }

  static async start(folder: string): Promise<Shops> {
    const shops = new Shops(folder, await freePort());
    await waitUntil("all shops are open", readyWithinMs, async () => {
      const instances = await shops.instances().catch(() => []);
      const open = instances.filter(({ state }) => state === "up");
      return open.length === shopNames.length * instancesEach;
    });
    return shops;
  }

  async instances(): Promise<readonly Instance[]> {
    const { services } = (await this.#ask("/v1/status")) as Status;
    return services.flatMap((service) => service.instances);
  }

  async incidents(): Promise<readonly IncidentTimes[]> {
    type Report = Record<keyof IncidentTimes, number | null>;
    const reports = (await this.#ask("/v1/incidents?last=10000")) as readonly Report[];
    return reports.map(({ detectMs, transferMs, recoverMs }) => ({
      detectMs: detectMs ?? undefined,
      transferMs: transferMs ?? undefined,
      recoverMs: recoverMs ?? undefined,
    }));
  }

  /**
   * From each start to its first passed check, of those that control still tells of: but for the
   * first of each instance, when all started at once.
   */
  async startsMs(): Promise<readonly number[]> {
    const events = (await this.#ask("/v1/events?after=0")) as readonly Event[];
    const begun = new Map<string, number>();
    const first = new Set<string>();
    const startsMs: number[] = [];
    for (const { time, kind, instance = "" } of events) {
      if (kind === "instance.started") begun.set(instance, Date.parse(time));
      const begunMs = begun.get(instance);
      if (kind !== "instance.ready" || begunMs === undefined) continue;
      if (first.has(instance)) startsMs.push(Math.max(1, Date.parse(time) - begunMs));
      first.add(instance);
      begun.delete(instance);
    }
    return startsMs;
  }

  async stop(): Promise<void> {
    await end(this.#nines);
  }

  #ask(path: string): Promise<unknown> {
    const socketPath = join(this.#stateDirectory, "run", "admin.sock");
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath, path, timeout: 5_000 }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => (text += part));
        answer.on("error", reject);
        answer.on("end", () => resolve(JSON.parse(text)));
      });
      asked.on("timeout", () => asked.destroy(new Error(`${path} is not answered`)));
      asked.on("error", reject);
      asked.end();
    });
  }
}

/** The example's own service, under other names, and the rates at which it will fail. */
function fileFor(port: number): string {
  const written = readFileSync(join(example, "nines.yaml"), "utf8");
  const settings = /^ {4}health:[^]*?(?=^gateway:)/m.exec(written)?.[0];
  if (settings === undefined) throw new Error(`${example}/nines.yaml has no health of its service`);
  const services = shopNames.map(
    (name) => `  ${name}:
    command: ["${process.execPath}", server.mjs]
    workingDirectory: ${example}
    replicas: ${instancesEach}
${settings.trimEnd()}
`,
  );
  const routes = shopNames.map(
    (name) =>
      `    - { match: { host: ${name}.example }, service: ${name}, balance: least-request }`,
  );
  return `services:
${services.join("")}
gateway:
  workers: 2
  listen: [{ address: "127.0.0.1:${port}" }]
  routes:
${routes.join("\n")}

predict:
  rates:
    crash: { every: ${crashEveryMs}ms }
    hang: { every: ${hangEveryMs}ms, repair: 1d }
    gray: { every: 36500d }
    commonCause: 0%
    startFails: 0%
    machine: { every: 36500d }
    zone: { every: 36500d }
    gatewayWorker: { every: 36500d }
    gateway: { every: 36500d }
    control: { every: 36500d }
`;
}
