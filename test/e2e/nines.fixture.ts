// A real Nines for end-to-end tests: the shipped build, real processes, a folder and ports of its
// own, a small service, a light load. Whatever a test does, nothing is left running after it.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fetchAdminText } from "../../src/program/admin/client.ts";
import { adminPlace } from "../../src/program/cli/admin-place.ts";
import { statusReport } from "../../src/program/cli/status.ts";
import type { InstanceReport, StatusReport } from "../../src/program/status/report.ts";

const program = join(import.meta.dirname, "..", "..", "src", "program", "main.js");
/** How long a busy machine may take for anything: what comes later will never come. */
const WITHIN_MS = 30_000;
const POLL_MS = 30;
/** Of what the polled must work for. */
const STATUS_POLL_MS = 100;

/** Answers who it is; `?ms=` takes that long; POST echoes. Ends when told to, after what is under way. */
const service = `
import { createServer } from "node:http";
const { NINES_INSTANCE, PORT, HOST } = process.env;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const ms = Number(new URL(request.url, "http://x").searchParams.get("ms") ?? 0);
  setTimeout(() => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ instance: NINES_INSTANCE, pid: process.pid, body }));
  }, ms);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(PORT), HOST, () => console.log(NINES_INSTANCE + " listens"));
process.on("SIGTERM", () => { server.close(() => process.exit(0)); server.closeIdleConnections(); });
`;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** All that it has said so far, both streams. */
  readonly said: () => string;
  readonly ended: Promise<Finished>;
}

export interface FileOptions {
  readonly replicas?: number | string;
  readonly command?: string;
  readonly more?: string;
  readonly port?: number;
}

export class Nines {
  readonly folder: string;
  readonly port: number;
  readonly #running: Running[] = [];

  constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
    writeFileSync(join(folder, "service.mjs"), service);
    this.write({});
  }

  get file(): string {
    return join(this.folder, "nines.yaml");
  }

  write({ replicas = 3, command = "node service.mjs", more = "", port = this.port }: FileOptions) {
    this.writeText(
      `
services:
  web:
    command: ${command}
    replicas: ${replicas}
    health: { http: /healthz, interval: 200ms, timeout: 150ms }
${more}
gateway:
  workers: 2
  listen: [{ address: "127.0.0.1:${port}" }]
  routes: [{ match: { path: / }, service: web }]
`,
    );
  }

  /** A file of a test's own. */
  writeText(text: string) {
    writeFileSync(this.file, text);
  }

  /** A command that ends. */
  run(...words: readonly string[]): Promise<Finished> {
    const running = this.start(...words);
    const late = setTimeout(() => running.child.kill("SIGKILL"), WITHIN_MS);
    return running.ended.finally(() => clearTimeout(late));
  }

  start(...words: readonly string[]): Running {
    const child = spawn(process.execPath, [program, ...words], {
      cwd: this.folder,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const ended = new Promise<Finished>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, stdout, stderr }));
    });
    const running = { child, ended, said: () => stdout + stderr };
    this.#running.push(running);
    return running;
  }

  /** `nines up` in the foreground, ready. */
  async up(...words: readonly string[]): Promise<Running> {
    const running = this.start("up", ...words);
    await until(
      () => running.said().includes("Ready after"),
      () => running.said(),
    );
    return running;
  }

  /** What `nines status --json` prints, without a process for each look. */
  status(): Promise<StatusReport> {
    return statusReport({ file: this.file });
  }

  /** Asks for the status until it is as wanted. */
  async untilStatus(what: string, wanted: (status: StatusReport) => boolean) {
    let last: StatusReport | undefined;
    await until(
      async () => wanted((last = await this.status())),
      () => `${what}: ${JSON.stringify(last, undefined, 1)}`,
      WITHIN_MS,
      STATUS_POLL_MS,
    );
    return last as unknown as StatusReport;
  }

  async instances(): Promise<readonly InstanceReport[]> {
    return (await this.status()).services.flatMap(({ instances }) => instances);
  }

  /** What control answers on its admin socket, as text. */
  admin(path: string): Promise<string> {
    const place = adminPlace({ file: this.file });
    return fetchAdminText({ ...place, method: "GET", path, timeoutMs: WITHIN_MS });
  }

  get(path = "/"): Promise<Answer> {
    return ask(this.port, path, undefined);
  }

  /** Ends everything that the test left, the hard way: what `nines down` does has its own tests. */
  async close(): Promise<void> {
    for (const { child } of this.#running) child.kill("SIGKILL");
    await until(
      () => {
        const left = pidsOf(this.folder);
        left.forEach(killIfThere);
        return left.length === 0; // one that died may just have started another
      },
      () => `left running: ${pidsOf(this.folder).join(", ")}`,
    );
    await Promise.all(this.#running.map(({ ended }) => ended));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has ended meanwhile
  }
}

export async function createNines(t: TestContext): Promise<Nines> {
  const nines = await openNines();
  t.after(() => nines.close());
  return nines;
}

/** For several tests, which leave it as it was, `web` at 3/3; whoever opens it closes it. */
export async function openNines(): Promise<Nines> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "nines-e2e-")));
  return new Nines(folder, await freePort());
}

/** Processes that work in the folder, or name it on their command line. */
function pidsOf(folder: string): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      const named = readFileSync(`/proc/${name}/cmdline`, "utf8").includes(folder);
      return named || realpathSync(`/proc/${name}/cwd`).startsWith(folder) ? [pid] : [];
    } catch {
      return []; // it has ended, or belongs to somebody else
    }
  });
}

/** Signal 0 and pid 0 mean other things than "nobody": a process is named, or the test fails. */
export function kill(pid: number | null | undefined): void {
  assert.ok(pid !== null && pid !== undefined && pid > 1, "there is a process to kill");
  process.kill(pid, "SIGKILL");
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Waits for a condition; the deadline is what ends a test that would hang. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  explain: () => string,
  withinMs = WITHIN_MS,
  everyMs = POLL_MS,
): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!(await condition())) {
    assert.ok(performance.now() < deadlineMs, `not within ${withinMs} ms: ${explain()}`);
    await wait(everyMs);
  }
}

export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly body: { readonly instance: string; readonly pid: number; readonly body: string };
}

const ANSWER_MS_MAX = 5000;

export function ask(port: number, path: string, agent: Agent | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, agent: agent ?? false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("error", reject);
      response.on("end", () => {
        const reason = String(response.headers["x-nines-reason"] ?? "");
        const json = response.headers["content-type"] === "application/json";
        const body = (json ? JSON.parse(text) : { body: text }) as Answer["body"];
        resolve({ status: response.statusCode ?? 0, reason, body });
      });
    });
    asked.setTimeout(ANSWER_MS_MAX, () => asked.destroy(new Error("no answer")));
    asked.on("error", reject);
    asked.end();
  });
}

export interface Load {
  /** Ends it; everything that was not answered 200, with its time since the start. */
  stop(): Promise<{ readonly asked: number; readonly failures: readonly string[] }>;
}

/** A request every 10 ms, by turns on a kept and on a new connection; each takes 5 ms. */
export function load(t: TestContext, port: number): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const startedAtMs = performance.now();
  const failures: string[] = [];
  const pending = new Set<Promise<void>>();
  let asked = 0;
  const fail = (why: string) => {
    failures.push(`after ${Math.round(performance.now() - startedAtMs)} ms: ${why}`);
  };
  const timer = setInterval(() => {
    asked++;
    const one = ask(port, "/?ms=5", asked % 2 === 0 ? agent : undefined).then(
      ({ status, reason }) => {
        if (status !== 200) fail(`${status} ${reason}`);
      },
      (error: Error) => fail(error.message),
    );
    pending.add(one);
    void one.finally(() => pending.delete(one));
  }, 10);
  t.after(() => clearInterval(timer));
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
      agent.destroy();
      return { asked, failures };
    },
  };
}
