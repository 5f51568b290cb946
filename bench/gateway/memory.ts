// What idle kept connections cost in memory: 9,000 clients have asked once and stay.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Figure, figure } from "../shared/figures.ts";
import { pause } from "../shared/system.ts";
import type { Contender } from "./contenders.ts";
import { residentBytes } from "./processes.ts";

const CONNECTIONS = 9000;
const AT_ONCE = 100;
const BAR_VERSUS_HAPROXY = 4;
const MIB = 1024 * 1024;

/** Contenders that have served nobody yet. */
export async function measureMemory(
  contenders: readonly Contender[],
  names: readonly string[],
): Promise<readonly Figure[]> {
  console.log(`memory with ${CONNECTIONS} idle kept connections`);
  const bytes = new Map<string, number>();
  const figures: Figure[] = [];
  for (const contender of contenders.filter(({ name }) => names.includes(name))) {
    const before = residentBytes(contender.pid);
    const clients = await open(contender.port);
    // What is collected or given back now and then has its chance.
    await pause(1000);
    const held = residentBytes(contender.pid);
    bytes.set(contender.name, held);
    await leave(clients);
    const each = ((held - before) / CONNECTIONS / 1024).toFixed(1);
    console.log(`  ${contender.name}: ${Math.round(held / MIB)} MiB, ${each} KiB a connection`);
    figures.push(figure({ name: nameOf(contender.name), value: held / MIB, unit: "MiB" }));
    for (const [other, pid] of Object.entries(contender.others)) {
      const name = nameOf(`${contender.name}'s ${other}`);
      figures.push(figure({ name, value: residentBytes(pid) / MIB, unit: "MiB" }));
    }
  }
  const [ours, theirs] = [bytes.get("nines"), bytes.get("haproxy")];
  const isBoth = ours !== undefined && theirs !== undefined;
  const value = isBoth ? ours / theirs : undefined;
  const name = `${nameOf("nines")} vs HAProxy`;
  const note = isBoth ? {} : { note: "needs HAProxy" };
  return [figure({ name, value, unit: "x", bar: BAR_VERSUS_HAPROXY, ...note }), ...figures];
}

function nameOf(contender: string): string {
  return `memory at ${CONNECTIONS} idle connections, ${contender}`;
}

async function open(port: number): Promise<readonly Socket[]> {
  const clients: Socket[] = [];
  while (clients.length < CONNECTIONS) {
    clients.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => askOnce(port)))));
  }
  return clients;
}

/** A hundred at a time, as they came: 9,000 ends at once keep a worker busy for 200 ms. */
async function leave(clients: readonly Socket[]): Promise<void> {
  for (const [index, client] of clients.entries()) {
    client.destroy();
    if (index % AT_ONCE === 0) await pause(5);
  }
}

async function askOnce(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  await once(socket, "data", { signal: AbortSignal.timeout(10_000) });
  socket.pause();
  return socket;
}
