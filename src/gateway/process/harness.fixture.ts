// What the tests of gateway processes share: a gateway of real processes in a temporary state
// directory with the steward in the test's own process, and a client that counts what fails.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { RoutingTable } from "../../core/route/table.ts";
import type { EventEntry } from "../../ports/events.ts";
import type { TermClaims } from "../../ports/term-claims.ts";
import { createClock } from "../../runtime/clock.ts";
import { identify } from "../../runtime/process-identity.ts";
import { createTermClaims } from "../../state/term-claims.ts";
import { openSteward, type Steward, type StewardOptions } from "../steward/steward.ts";
import type { GatewayPaths } from "./paths.ts";

export function testPaths(state: string): GatewayPaths {
  return {
    tableFile: join(state, "table.json"),
    boardFile: join(state, "board"),
    countersFile: join(state, "counters.json"),
    stickyKeyFile: join(state, "sticky-key"),
    gatewaySocket: join(state, "gateway.sock"),
    controlSocket: join(state, "control.sock"),
    accessLogFile: join(state, "access.log"),
    logFile: join(state, "gateway.log"),
  };
}

/** Of the program that is installed, which an upgrade changes under the processes that run. */
export function installedVersion(state: string): string {
  try {
    return readFileSync(join(state, "version"), "utf8");
  } catch {
    return "1.0.0";
  }
}

type Observed = Parameters<StewardOptions["onObservation"]>[0];

export interface TestGateway {
  readonly state: string;
  readonly port: number;
  readonly claims: TermClaims;
  readonly events: EventEntry[];
  readonly observations: Observed[];
  steward: Steward;
  table: RoutingTable;
  /** Publishes the table with these changes, as its next version. */
  publish(changes: Partial<RoutingTable>): void;
  /** What another control finds: a new steward on the same state. */
  reopenSteward(): Promise<void>;
  pids(role: "parent" | "worker"): readonly number[];
  log(): string;
  end(): Promise<void>;
}

export function testTable(port: number, workers: number): RoutingTable {
  return {
    version: 1,
    workers,
    listeners: [{ host: "127.0.0.1", port, protocol: "http" }],
    routes: [],
    services: [],
    limits: {
      headBytes: 16_384,
      headerCount: 100,
      targetBytes: 8_192,
      connections: 10_000,
      connectionsPerAddress: 10_000,
      minimumRate: 0,
    },
    drainMs: 2_000,
  };
}

/**
 * With listeners open on free ports and all workers serving, unless `workers` is 0: then nothing.
 * Its processes may open `openFiles` files each, the machine's own limit when not given.
 */
export async function startGateway(workers: number, openFiles?: number): Promise<TestGateway> {
  const state = mkdtempSync(join(tmpdir(), "nines-gateway-"));
  mkdirSync(join(state, "terms"));
  const self = identify(process.pid);
  if (self === undefined) throw new Error("this process has no identity");
  const claims = createTermClaims({ folder: join(state, "terms"), self, identify });
  const port = await freePort();
  const events: EventEntry[] = [];
  const observations: Observed[] = [];
  const shell = ["/bin/sh", "-c", `ulimit -n ${openFiles}; exec "$@"`, "sh"];
  const bounded = openFiles === undefined ? [] : shell;
  const open = (): Promise<Steward> =>
    openSteward({
      version: installedVersion(state),
      clock: createClock(),
      claims,
      identify,
      paths: testPaths(state),
      parentCommand: [...bounded, process.execPath, programFile, state, "parent"],
      events: { record: (event) => events.push(event) },
      onObservation: (observation) => observations.push(observation),
    });
  const gateway: TestGateway = {
    state,
    port,
    claims,
    events,
    observations,
    steward: await open(),
    table: testTable(port, Math.max(1, workers)),
    publish(changes) {
      gateway.table = { ...gateway.table, ...changes, version: gateway.table.version + 1 };
      gateway.steward.publish(gateway.table);
    },
    async reopenSteward() {
      gateway.steward.release();
      gateway.steward = await open();
    },
    pids: (role) => pidsOf(state, role),
    log: () => readFileSync(join(state, "gateway.log"), "utf8"),
    async end() {
      await gateway.steward.stop(0);
      for (const role of ["parent", "worker"] as const) {
        for (const pid of pidsOf(state, role)) process.kill(pid, "SIGKILL");
      }
      rmSync(state, { recursive: true, force: true });
    },
  };
  if (workers > 0) {
    gateway.steward.publish(gateway.table);
    await gateway.steward.ready(20_000);
  }
  return gateway;
}

const programFile = join(import.meta.dirname, "gateway-program.fixture.js");

/** By their command lines: what really runs, whatever they say of themselves. */
function pidsOf(state: string, role: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return args[2] === state && args[3] === role && identify(pid) !== undefined;
      } catch {
        return false;
      }
    });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Looks every 10 ms; fails loudly when it does not come true. */
export async function until(what: string, holds: () => boolean, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`never came true: ${what}`);
    await wait(10);
  }
}

/** One request on a new connection; the answer's body. Rejects with what went wrong. */
export function ask(port: number, path = "/"): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setTimeout(10_000, () => socket.destroy(new Error("no answer")));
    socket.on("connect", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      reject(new Error(error.code ?? error.message)),
    );
    socket.on("close", () => reject(new Error("closed without an answer")));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      resolve(text.slice(end + 4));
      socket.destroy();
    });
  });
}

export interface Load {
  /** Ends it and tells how many requests were answered, and why the others were not. */
  end(): Promise<{ readonly answered: number; readonly failures: readonly string[] }>;
}

/** A new connection and request every `everyMs`, whatever becomes of those before (open loop). */
export function hammer(port: number, everyMs = 5): Load {
  let answered = 0;
  const failures: string[] = [];
  const open = new Set<Promise<void>>();
  const timer = setInterval(() => {
    const one = ask(port)
      .then(() => {
        answered++;
      })
      .catch((error: Error) => {
        failures.push(error.message);
      })
      .finally(() => open.delete(one));
    open.add(one);
  }, everyMs);
  // A test that fails before it ends the load must not wait for it.
  timer.unref();
  return {
    async end() {
      clearInterval(timer);
      await Promise.all(open);
      return { answered, failures };
    },
  };
}

/** A connection that has had one exchange and stays open; which worker holds it. */
export async function keepAlive(port: number): Promise<{ socket: Socket; worker: string }> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const text = await new Promise<string>((resolve, reject) => {
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    socket.once("close", () => reject(new Error("closed without an answer")));
  });
  return { socket, worker: /worker (\d+)/.exec(text)?.[1] ?? "none" };
}
