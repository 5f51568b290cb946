// Finding ports by asking the kernel: who can listen on every address of a port has it to himself.
//
// Ports lie below the kernel's ephemeral range, or an outgoing connection of anybody could sit on
// the port of an instance that restarts. The search starts at a random place, so that two Nines on
// one machine seldom meet, and goes on from where the last one ended, so that searches under way at
// the same time meet on no port. Between the answer and the program's own bind somebody else may
// take the port: the program then ends with "address in use", and is started again on another.

import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { NinesError } from "../core/base/errors.ts";
import type { Random } from "../core/base/prng.ts";
import type { FreePorts } from "../ports/free-ports.ts";

const lowest = 10_240;
const usualEphemeralLow = 32_768;
const triesMax = 500;

export function createFreePorts(random: Random): FreePorts {
  const ports = Math.max(ephemeralLow() - lowest, 1_000);
  let next = random.below(ports);

  async function find(preferred: number, taken: ReadonlySet<number>): Promise<number> {
    if (preferred > 0 && !taken.has(preferred) && (await isFree(preferred))) {
      return preferred;
    }
    for (let tries = 0; tries < triesMax; tries++) {
      const port = lowest + next;
      next = (next + 1) % ports;
      if (!taken.has(port) && (await isFree(port))) return port;
    }
    const range = `${lowest}-${lowest + ports - 1}`;
    throw new NinesError("NINES_PORT_NONE_FREE", `${triesMax} ports of ${range} are all taken.`);
  }

  return { find };
}

function ephemeralLow(): number {
  try {
    const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
    return Number.parseInt(range, 10) || usualEphemeralLow;
  } catch {
    return usualEphemeralLow;
  }
}

/** An address family that the machine has not says nothing about the port. */
async function isFree(port: number): Promise<boolean> {
  const [onBoth, onLoopback] = [await tryListen(port, "::"), await tryListen(port, "127.0.0.1")];
  return onBoth !== "taken" && onLoopback === "free";
}

function tryListen(port: number, host: string): Promise<"free" | "taken" | "unknown"> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE" || error.code === "EACCES";
      resolve(taken ? "taken" : "unknown");
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve("free")));
  });
}
