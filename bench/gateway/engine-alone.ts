// What of a request is ours: CPU of the engine on wires without a kernel below them, as a program.
// TABLE is the file with the routing table of the Nines that is measured beside it.
//
// No socket, no load and no origin share the machine with it, so it is steady where the others are
// not. What a request costs beyond it is the kernel's and Node's way into JavaScript.

import { createEngine } from "../../src/gateway/engine/engine.ts";
import { loadTable } from "../../src/gateway/process/table-file.ts";
import { nobody, sharedBuffer, type Wire } from "../../src/gateway/transport/wire.ts";

const CLIENTS = 64;
const ROUNDS = 6;
const REQUESTS_A_ROUND = 100_000;

const request = Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
const answer = Buffer.from(
  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n" +
    "Content-Type: text/plain\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\nhello world\n",
);

/** Takes everything at once. */
class EndlessWire implements Wire {
  owner = nobody;
  open = true;
  readonly peerAddress = "127.0.0.1";
  readonly pendingBytes = 0;
  readonly takenBytes = 0;
  readonly #onWrite: (wire: EndlessWire) => void;

  constructor(onWrite: (wire: EndlessWire) => void) {
    this.#onWrite = onWrite;
  }

  write(): boolean {
    this.#onWrite(this);
    return true;
  }

  pass(): boolean {
    return this.write();
  }

  hears(bytes: Buffer): void {
    sharedBuffer.set(bytes);
    this.owner.onBytes(sharedBuffer, 0, bytes.length);
  }

  progressed(): boolean {
    return false;
  }

  pause(): void {}
  resume(): void {}
  keepAlive(): void {}
  end(): void {}

  destroy(): void {
    this.open = false;
  }

  reset(): void {
    this.open = false;
  }
}

async function main(): Promise<void> {
  const table = loadTable(process.env["TABLE"] ?? "");
  if (table === undefined) throw new Error("there is no routing table");
  const asked: EndlessWire[] = [];
  let answered = 0;
  const engine = createEngine({
    worker: 1,
    table,
    onNotice: () => undefined,
    stickyKey: () => Buffer.alloc(32),
    connect(_host, _port, owner, onConnected) {
      const wire = new EndlessWire((instance) => asked.push(instance));
      wire.owner = owner;
      queueMicrotask(onConnected);
      return wire;
    },
  });
  const clients = Array.from({ length: CLIENTS }, () => new EndlessWire(() => void answered++));
  for (const client of clients) engine.acceptHttp(client);
  let leastUs = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    const from = answered;
    while (answered - from < REQUESTS_A_ROUND) {
      for (const client of clients) client.hears(request);
      // Whoever was given a new connection asks when it is there.
      if (asked.length < CLIENTS) await new Promise((resolve) => setImmediate(resolve));
      for (const instance of asked.splice(0)) instance.hears(answer);
    }
    const { user, system } = process.cpuUsage(before);
    leastUs = Math.min(leastUs, (user + system) / (answered - from));
  }
  process.stdout.write(`${leastUs}\n`);
  process.exit(0);
}

await main();
