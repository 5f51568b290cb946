// A hundred reloads while 1,000 WebSockets are open and clients come and go: nobody may notice, and
// nothing may stay behind.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Figure, figure } from "../shared/figures.ts";
import { pause } from "../shared/system.ts";
import { startOwnOrigin } from "./contenders.ts";
import { runLoad } from "./load.ts";
import { Nines } from "./nines.ts";
import { descriptors, residentBytes } from "./processes.ts";

const WEB_SOCKETS = 1000;
const AT_ONCE = 50;
const RELOADS = 100;
/** Worker, control and parent have the size of their heap and code by then. */
const WARM_RELOADS = 20;
const ANSWER_MS = 10_000;
/** What a table and a worker's heap vary by; a leak of a table's size a reload is beyond it. */
const MEMORY_BAR = 1.2;
/** Links and timers that come and go with the moment. */
const DESCRIPTORS_BAR = 4;
/** An idle connection to an instance is closed after 4 s. */
const IDLE_MS = 5000;

interface WebSocketClient {
  readonly socket: Socket;
  dropped: boolean;
}

export async function measureReloads(folder: string): Promise<readonly Figure[]> {
  const origin = await startOwnOrigin(1024);
  const nines = await Nines.start(folder, { instances: [origin.port] });
  try {
    return await measure(nines, folder);
  } finally {
    await nines.stop();
    await origin.stop();
  }
}

async function measure(nines: Nines, folder: string): Promise<readonly Figure[]> {
  const sumOf = (each: (pid: number) => number): number =>
    nines.pids.reduce((sum, pid) => sum + each(pid), 0);
  const before = sumOf(descriptors);
  const clients: WebSocketClient[] = [];
  while (clients.length < WEB_SOCKETS) {
    clients.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => open(nines.port)))));
  }
  let refused = 0;
  let requests = 0;
  let isOver = false;
  const load = async (): Promise<void> => {
    while (!isOver) {
      const plan = { port: nines.port, path: "/", connections: 4, seconds: 1, closing: true };
      const result = await runLoad(plan, folder);
      requests += result.requests;
      refused += result.errors + result.lost;
    }
  };
  const loads = load();
  let warmBytes = 0;
  for (let count = 1; count <= RELOADS; count++) {
    await nines.reload(count);
    if (count === WARM_RELOADS) warmBytes = sumOf(residentBytes);
  }
  isOver = true;
  await loads;
  const growth = sumOf(residentBytes) / warmBytes;
  const alive = await Promise.all(clients.map((client) => answers(client)));
  const dropped = alive.filter((isAlive) => !isAlive).length;
  for (const { socket } of clients) socket.destroy();
  await pause(IDLE_MS);
  const left = sumOf(descriptors) - before;
  console.log(`  ${RELOADS} reloads, ${requests} requests, ${dropped} WebSockets dropped`);
  const name = `${RELOADS} reloads with ${WEB_SOCKETS} WebSockets:`;
  return [
    figure({ name: `${name} dropped`, value: dropped, unit: "connections", bar: 0 }),
    figure({ name: `${name} requests lost`, value: refused, unit: "requests", bar: 0 }),
    figure({
      name: `${name} memory over that after ${WARM_RELOADS}`,
      value: growth,
      unit: "x",
      bar: MEMORY_BAR,
    }),
    figure({ name: `${name} descriptors left`, value: left, unit: "", bar: DESCRIPTORS_BAR }),
  ];
}

async function open(port: number): Promise<WebSocketClient> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const client = { socket, dropped: false };
  socket.on("error", () => undefined);
  socket.on("close", () => {
    client.dropped = true;
  });
  socket.write(
    "GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  const [answer] = (await once(socket, "data", timeLimit())) as [Buffer];
  if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) client.dropped = true;
  return client;
}

/** What is sent comes back. */
async function answers({ socket, dropped }: WebSocketClient): Promise<boolean> {
  if (dropped) return false;
  const answer = once(socket, "data", timeLimit());
  socket.write("still there?");
  return answer.then(
    () => true,
    () => false,
  );
}

function timeLimit(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(ANSWER_MS) };
}
