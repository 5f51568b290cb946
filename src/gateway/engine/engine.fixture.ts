// A real engine between raw sockets: what the tests of this folder stand on.
//
// Both ends are scripts over a Peer, which sees bytes and the three ways a connection ends. Every
// wait has a deadline and says what it waited for. Nothing is left running after `close`.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import {
  defaultHedge,
  plainService,
  type RoutingTable,
  type TableInstance,
  type TableRoute,
  type TableService,
  type Timeouts,
  plainRule,
} from "../../core/route/table.ts";
import type { Engine, InstanceNotice } from "../contract.ts";
import { type Listener, openListener } from "../transport/listener.ts";
import type { Wire } from "../transport/wire.ts";
import { createEngine } from "./engine.ts";

const DEADLINE_MS = 10_000;

/** One end of a connection, scripted. */
export class Peer {
  readonly socket: Socket;
  /** Received and not taken yet. */
  received = "";
  /** How the other side ended: not yet, by FIN, or by reset. */
  end: "open" | "fin" | "reset" = "open";
  readonly #watchers = new Set<(closed: boolean) => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      this.received += bytes.toString("latin1");
      this.#changed();
    });
    socket.on("end", () => {
      this.end = "fin";
      this.#changed();
    });
    socket.on("error", () => {
      this.end = "reset";
      this.#changed();
    });
    socket.on("close", () => this.#changed(true));
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const watch = (closed: boolean): void => {
        if (!holds() && !closed) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        if (holds()) resolve();
        else reject(new Error(`${this.#tell(what)}, and then it was closed`));
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        reject(new Error(`${this.#tell(what)}, for too long`));
      }, DEADLINE_MS);
      this.#watchers.add(watch);
    });
  }

  #tell(what: string): string {
    const got = JSON.stringify(this.received.slice(0, 500));
    return `waited for ${what}: the connection is ${this.end}, got ${got}`;
  }

  async take(byteCount: number): Promise<string> {
    await this.until(`${byteCount} bytes`, () => this.received.length >= byteCount);
    const taken = this.received.slice(0, byteCount);
    this.received = this.received.slice(byteCount);
    return taken;
  }

  /** Up to and with the mark. */
  async takeThrough(mark: string): Promise<string> {
    await this.until(JSON.stringify(mark), () => this.received.includes(mark));
    return this.take(this.received.indexOf(mark) + mark.length);
  }

  /** A head without its empty line, and its body, cut as its fields say. */
  async message(options: { readonly bodiless?: boolean } = {}): Promise<Message> {
    const head = (await this.takeThrough("\r\n\r\n")).slice(0, -4);
    if (options.bodiless === true) return { head, body: "" };
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    if (length !== undefined) return { head, body: await this.take(Number(length)) };
    if (!/^transfer-encoding: *chunked/im.test(head)) return { head, body: "" };
    let body = "";
    for (;;) {
      const size = Number.parseInt(await this.takeThrough("\r\n"), 16);
      body += await this.take(size);
      assert.equal(await this.take(2), "\r\n");
      if (size === 0) return { head, body };
    }
  }

  /** Waits for the other side's end. */
  async ended(): Promise<"fin" | "reset"> {
    await this.until("the end", () => this.end !== "open");
    return this.end === "fin" ? "fin" : "reset";
  }

  /** Sends FIN. */
  finish(): void {
    this.socket.end();
  }

  close(): void {
    this.socket.destroy();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  #changed(closed = false): void {
    for (const watch of this.#watchers) watch(closed);
  }
}

export interface Message {
  readonly head: string;
  readonly body: string;
}

/** Something that is closed at the test's end. */
export interface Opened {
  close(): Promise<void>;
}

export interface Origin extends Opened {
  readonly port: number;
  /** Connections in the order they came. */
  readonly peers: readonly Peer[];
  /** Waits for the connection of that number, from 0. */
  peer(index: number): Promise<Peer>;
  /** Stops listening; connections stay. */
  refuse(): Promise<void>;
}

/** `serve` is the script of each connection; without it the test speaks itself. */
export async function startOrigin(serve?: (peer: Peer) => Promise<void>): Promise<Origin> {
  const peers: Peer[] = [];
  const waiting = new Set<() => void>();
  let open = true;
  const failures: unknown[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const peer = new Peer(socket);
    peers.push(peer);
    for (const check of waiting) check();
    serve?.(peer).catch((error: unknown) => {
      if (open && peer.end === "open") failures.push(error);
    });
  });
  const port = await listen(server);
  return {
    port,
    peers,
    peer: (index) =>
      withDeadline(`connection ${index} at the origin`, (resolve) => {
        const check = (): void => {
          const peer = peers[index];
          if (peer === undefined) return;
          waiting.delete(check);
          resolve(peer);
        };
        waiting.add(check);
        check();
      }),
    refuse: () => closeServer(server),
    async close() {
      open = false;
      for (const peer of peers) peer.close();
      await closeServer(server);
      assert.deepEqual(failures, []);
    },
  };
}

/** Answers each request with 200 and `name`, and keeps the connection for longer than a test. */
export function naming(name: string): (peer: Peer) => Promise<void> {
  return async (peer) => {
    while (peer.end === "open") {
      const { head } = await peer.message();
      const body = head.startsWith("HEAD ") ? "" : name;
      const fields = `Keep-Alive: timeout=60\r\nContent-Length: ${name.length}`;
      peer.send(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${body}`);
    }
  };
}

export const testKey = Buffer.from("what all gateways of a test know");

export interface Gateway extends Opened {
  readonly engine: Engine;
  readonly port: number;
  readonly notices: readonly InstanceNotice[];
  /** What was said of the access log. */
  readonly troubles: readonly string[];
  client(): Promise<Peer>;
  /** Sends a whole request on a new connection and takes the answer. */
  ask(request: string): Promise<Message>;
}

export async function startGateway(table: RoutingTable): Promise<Gateway> {
  const notices: InstanceNotice[] = [];
  const troubles: string[] = [];
  const engine = createEngine({
    worker: 1,
    table,
    onNotice: (notice) => notices.push(notice),
    stickyKey: () => testKey,
    accessLog: { defaultFile: "access.log", say: (sentence) => troubles.push(sentence) },
  });
  const opened = table.listeners[0]?.protocol === "tcp" ? "tcp" : "http";
  const { port, listener } = await listenOnDescriptor((wire) => {
    if (opened === "tcp") engine.acceptTcp(wire, 0);
    else engine.acceptHttp(wire);
  });
  const clients: Peer[] = [];
  const client = async (): Promise<Peer> => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    const peer = new Peer(socket);
    clients.push(peer);
    return peer;
  };
  return {
    engine,
    port,
    notices,
    troubles,
    client,
    async ask(request) {
      const peer = await client();
      peer.send(request);
      const answer = await peer.message({ bodiless: request.startsWith("HEAD ") });
      peer.close();
      return answer;
    },
    async close() {
      listener.close();
      for (const peer of clients) peer.close();
      await inTime("the engine's end", engine.drain(0));
    },
  };
}

interface UnboundHandle {
  readonly fd: number;
  getsockname(out: { port?: number }): number;
}

/** As a worker does: the descriptor was bound elsewhere, and is only listened on here. */
export async function listenOnDescriptor(
  onConnection: (wire: Wire) => void,
): Promise<{ readonly port: number; readonly listener: Listener }> {
  const net = (await import("node:net")) as unknown as {
    _createServerHandle(host: string, port: number, family: number): UnboundHandle;
  };
  const handle = net._createServerHandle("127.0.0.1", 0, 4);
  const name: { port?: number } = {};
  handle.getsockname(name);
  const port = name.port ?? 0;
  return withDeadline("listening", (resolve, reject) => {
    const listener: Listener = openListener({
      fd: handle.fd,
      onConnection,
      onError: reject,
      onListening: () => resolve({ port, listener }),
    });
  });
}

/** Longer than any test waits: what ends by a timeout says so. */
export const timeouts: Timeouts = {
  connectMs: 60_000,
  headMs: 60_000,
  idleMs: 60_000,
  keepAliveMs: 60_000,
  queueMs: 60_000,
  responseMs: 60_000,
  tunnelMs: 60_000,
};

/** All that is set is what the test is about. */
export interface TableOptions {
  readonly ports: readonly number[];
  readonly instances?: readonly Partial<TableInstance>[];
  readonly service?: Partial<TableService>;
  readonly route?: Partial<TableRoute>;
  readonly timeouts?: Partial<Timeouts>;
  readonly replayBytes?: number;
  readonly attempts?: number;
  readonly limits?: Partial<RoutingTable["limits"]>;
  readonly protocol?: "http" | "tcp";
  readonly version?: number;
}

export function tableOf(options: TableOptions): RoutingTable {
  const instances = options.ports.map(
    (port, index): TableInstance => ({
      id: `web-${index + 1}`,
      host: "127.0.0.1",
      port,
      weight: 1,
      backup: false,
      verdict: "up",
      generation: 1,
      share: 1,
      ...options.instances?.[index],
    }),
  );
  const route: TableRoute = {
    match: { path: "/" },
    service: "web",
    rateLimits: [],
    balance: plainRule("round-robin"),
    retry: {
      attempts: options.attempts ?? 2,
      budgetRatio: 0.2,
      budgetPerSecond: 10,
      replayBytes: options.replayBytes ?? 65_536,
    },
    hedge: defaultHedge,
    timeouts: { ...timeouts, ...options.timeouts },
    ...options.route,
  };
  const protocol = options.protocol ?? "http";
  return {
    version: options.version ?? 1,
    workers: 1,
    listeners: [{ host: "127.0.0.1", port: 0, protocol, tcpRoute: 0 }],
    routes: [route],
    services: [{ ...plainService, name: "web", queueLength: 100, ...options.service, instances }],
    limits: {
      headBytes: 16_384,
      headerCount: 100,
      targetBytes: 8192,
      connections: 1000,
      connectionsPerAddress: 1000,
      minimumRate: 0,
      ...options.limits,
    },
    drainMs: 1000,
  };
}

/** Runs the test with what it opens, and closes all of it. */
export function opening(
  run: (open: <T extends Opened>(opened: Promise<T>) => Promise<T>) => Promise<void>,
) {
  return async (): Promise<void> => {
    const all: Opened[] = [];
    try {
      await run(async (opened) => {
        const each = await opened;
        all.unshift(each);
        return each;
      });
    } finally {
      for (const each of all) await each.close();
    }
  };
}

/** The promise's value, or a failure that says what was waited for. */
export async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  return withDeadline(what, (resolve, reject) => {
    promise.then(resolve, reject);
  });
}

/** Looks again each turn of the event loop. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  let look = (): void => undefined;
  const seen = withDeadline<void>(what, (resolve) => {
    look = () => {
      if (holds()) resolve();
      else if (!given) setImmediate(look);
    };
  });
  let given = false;
  look();
  await seen.finally(() => {
    given = true;
  });
}

export async function withDeadline<T>(
  what: string,
  start: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited for ${what}`)), DEADLINE_MS);
    const settle = (value: T): void => {
      clearTimeout(timer);
      resolve(value);
    };
    start(settle, (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await closeServer(server);
  return port;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null, "a TCP server has an address");
  return address.port;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  // Connections are the test's; only the listening ends here.
  if (server.connections === 0) await closed;
}
