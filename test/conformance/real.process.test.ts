// The promises of the ports, kept by the implementations that a real run uses.

import { after } from "node:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPrng } from "../../src/core/base/prng.ts";
import type { ProbeTarget } from "../../src/ports/probe.ts";
import type { ProcessIdentity, StartRequest } from "../../src/ports/processes.ts";
import { createClock } from "../../src/runtime/clock.ts";
import { createFreePorts } from "../../src/runtime/free-ports.ts";
import { createProbes } from "../../src/runtime/probes.ts";
import { createProcesses } from "../../src/runtime/processes.ts";
import { createRecords } from "../../src/state/records.ts";
import { createTermClaims } from "../../src/state/term-claims.ts";
import { mountSmallDisk } from "../small-disk.fixture.ts";
import { clockConformance } from "./clock.ts";
import { freePortsConformance } from "./free-ports.ts";
import { type ProbesWorld, probesConformance } from "./probes.ts";
import { type Behaviour, processesConformance, type ProcessesWorld } from "./processes.ts";
import { recordsConformance } from "./records.ts";
import { termClaimsConformance } from "./term-claims.ts";
import { realWorld } from "./world.ts";

const scratch = mkdtempSync(join(tmpdir(), "nines-conformance-"));
// A value of 200 kB does not fit it. Without one, the folder's mode refuses writes (not to root).
const smallDisk = mountSmallDisk(192 * 1024);
after(() => {
  smallDisk?.unmount();
  rmSync(scratch, { recursive: true, force: true });
});

clockConformance("the clock on Node", realWorld, () => createClock({ keepAlive: true }));

freePortsConformance("the kernel's ports", () => createFreePorts(createPrng(process.pid)));

recordsConformance("records on files", (check) => {
  const folder = mkdtempSync(join(smallDisk?.folder ?? scratch, "records-"));
  try {
    check({
      open: () => createRecords(folder),
      refuseWrites(refuse) {
        if (smallDisk === undefined) chmodSync(folder, refuse ? 0o500 : 0o700);
      },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

termClaimsConformance("terms on files", () => {
  const folder = mkdtempSync(join(scratch, "terms-"));
  const living = new Map<number, ProcessIdentity>();
  let pids = 100;
  return {
    process() {
      const self = { pid: ++pids, startTime: `${pids}0` };
      living.set(self.pid, self);
      const identify = (pid: number): ProcessIdentity | undefined => living.get(pid);
      return { identity: self, claims: createTermClaims({ folder, self, identify }) };
    },
    kill: (identity) => void living.delete(identity.pid),
  };
});

processesConformance("processes of the machine", async (check) => {
  const folder = mkdtempSync(join(scratch, "processes-"));
  const started: ProcessIdentity[] = [];
  const scripts: Readonly<Record<Behaviour, readonly string[]>> = {
    serves: ["sleep", "60"],
    "is deaf": ["sh", "-c", 'trap "" TERM; while :; do sleep 60; done'],
    "exits with 3": ["sh", "-c", "exit 3"],
    "leaves a child": ["sh", "-c", "sleep 60 & exit 0"],
    "is missing": ["no-such-program"],
  };
  const world: ProcessesWorld = {
    ...realWorld,
    control() {
      const processes = createProcesses({ owner: "conformance" });
      return {
        adopt: (identity, name) => processes.adopt(identity, name),
        async start(request) {
          const running = await processes.start(request);
          started.push(running.identity);
          return running;
        },
      };
    },
    program: (behaviour): StartRequest => ({
      command: scripts[behaviour],
      workingDirectory: folder,
      environment: { PATH: process.env["PATH"] ?? "", NINES_INSTANCE: "web-1" },
      logFile: join(folder, "log"),
      name: "web-1",
    }),
  };
  try {
    await check(world);
  } finally {
    const processes = createProcesses({ owner: "conformance" });
    for (const identity of started) {
      const left = processes.adopt(identity, "web-1");
      left?.signal("SIGKILL");
      left?.release();
    }
  }
});

probesConformance("checks over sockets", async (check) => {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const answers: Readonly<Record<string, string>> = {
    answers: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "is unwell": "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
  };
  const world: ProbesWorld = {
    probes: createProbes(),
    async instance(behaviour): Promise<ProbeTarget> {
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("data", () => {
          const answer = answers[behaviour];
          if (answer !== undefined) socket.end(answer);
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      if (behaviour === "nobody") server.close();
      else servers.push(server);
      return { host: "127.0.0.1", port };
    },
  };
  try {
    await check(world);
  } finally {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  }
});
