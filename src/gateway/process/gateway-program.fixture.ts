// A program of gateway processes for tests: real parent, real worker, an engine of twenty lines.
//
//   node gateway-program.fixture.js STATE_DIR parent|worker --term …
//
// A file named after a fault in the state directory makes the first process that gets there suffer
// it.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { createClock } from "../../runtime/clock.ts";
import { identify } from "../../runtime/process-identity.ts";
import { createTermClaims } from "../../state/term-claims.ts";
import { quietWorker } from "../../core/measure/gateway-stats.ts";
import type { TermClaims } from "../../ports/term-claims.ts";
import type { Engine, EngineOptions } from "../contract.ts";
import { runParent } from "../parent/parent.ts";
import { runWorker } from "../worker/worker.ts";
import type { Wire } from "../transport/wire.ts";
import { installedVersion, testPaths } from "./harness.fixture.ts";
import { readLaunch } from "./launch.ts";

const [state = "", role = "", ...rest] = process.argv.slice(2);
const launch = readLaunch(rest);
const self = identify(process.pid);
if (launch === undefined || self === undefined) throw new Error(`bad arguments: ${rest.join(" ")}`);

/** True once: for the first process that finds the file. */
function suffers(fault: string): boolean {
  try {
    rmSync(join(state, fault));
    return true;
  } catch {
    return false;
  }
}

function faulty(claims: TermClaims): TermClaims {
  return {
    holder: () => claims.holder(),
    claim: (identity, instead) => {
      const term = claims.claim(identity, instead);
      if (term !== undefined && suffers(`die-after-claim-${role}`)) {
        process.kill(process.pid, "SIGKILL");
      }
      if (term !== undefined && suffers(`stop-after-claim-${role}`)) {
        process.kill(process.pid, "SIGSTOP");
      }
      return term;
    },
  };
}

/** Answers whatever comes with the worker's number; asked for /slow, after 300 ms. */
function tinyEngine(options: EngineOptions): Engine {
  let table = options.table;
  const open = new Set<Client>();
  let accepted = 0;
  let told = 0;
  let heard = 0;
  let draining = false;
  let controlAlive = true;
  let controlLost = 0;
  let drained = (): void => undefined;
  interface Client {
    readonly wire: Wire;
    exchanges: number;
    active: number;
  }
  const answer = (client: Client): void => {
    client.active--;
    client.exchanges++;
    const control = controlAlive ? "there" : "away";
    const seen = `control ${control}, lost ${controlLost} times`;
    const body = `worker ${options.worker} ${seen}, table ${table.version}, heard ${heard}`;
    const close = draining ? "Connection: close\r\n" : "";
    const head = `HTTP/1.1 200 OK\r\n${close}Content-Length: ${body.length}\r\n\r\n`;
    client.wire.write(Buffer.from(head + body));
    if (draining) client.wire.end();
  };
  const take = (wire: Wire): void => {
    accepted++;
    const gone = (): void => {
      open.delete(client);
      if (draining && open.size === 0) drained();
    };
    wire.owner = {
      onBytes: (bytes, from, to) => {
        client.active++;
        const slow = bytes.toString("latin1", from, to).includes("/slow");
        if (slow) setTimeout(() => answer(client), 300);
        else answer(client);
      },
      onEnd: () => wire.end(),
      onDrained: () => undefined,
      onClosed: gone,
    };
    wire.resume();
    const client: Client = { wire, exchanges: 0, active: 0 };
    open.add(client);
  };
  return {
    acceptHttp: take,
    acceptTcp: take,
    swap: (next) => {
      table = next;
    },
    setControlAlive: (alive) => {
      if (controlAlive && !alive) controlLost++;
      controlAlive = alive;
    },
    closeConnections: () => undefined,
    standAt: () => undefined,
    takeSpent: () => {
      const count = accepted - told;
      told = accepted;
      return count > 0 ? [{ limit: "all", key: "", count }] : [];
    },
    hearSpent: (spent) => {
      for (const { count } of spent) heard += count;
    },
    get connections() {
      return open.size;
    },
    get keptConnections() {
      return [...open].filter((client) => client.exchanges > 0).length;
    },
    drain: async (deadlineMs) => {
      draining = true;
      // One whose first request is on its way is answered yet.
      for (const client of open) {
        if (client.active === 0 && client.exchanges > 0) client.wire.end();
      }
      if (open.size === 0) return;
      await new Promise<void>((resolve) => {
        drained = resolve;
        setTimeout(resolve, deadlineMs);
      });
    },
    stats: () => ({
      ...quietWorker,
      worker: options.worker,
      pid: process.pid,
      connections: open.size,
      connectionsAccepted: accepted,
      tableVersion: table.version,
    }),
  };
}

const commandOf = (other: string): readonly string[] => [
  process.execPath,
  import.meta.filename,
  state,
  other,
];
const common = {
  launch,
  identity: self,
  version: installedVersion(state),
  clock: createClock(),
  claims: faulty(createTermClaims({ folder: join(state, "terms"), self, identify })),
  identify,
  paths: testPaths(state),
};
if (role === "parent") {
  process.exitCode =
    (await runParent({ ...common, workerCommand: commandOf("worker") })) === "stopped" ? 0 : 3;
} else {
  await runWorker({
    ...common,
    parentCommand: commandOf("parent"),
    records: { read: () => undefined },
    createEngine: tinyEngine,
  });
}
process.exit();
