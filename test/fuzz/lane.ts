// A lane: one real engine between clients in memory and an instance on a loopback socket, for one
// fuzz case after another. Clients hand their pieces to the engine one by one, so every cut is
// seen.

import { createServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import {
  defaultHedge,
  plainService,
  type RoutingTable,
  plainRule,
} from "../../src/core/route/table.ts";
import type { createEngine } from "../../src/gateway/engine/engine.ts";
import { SocketWire } from "../../src/gateway/transport/socket-wire.ts";
import { SERIAL } from "./judge.ts";
import { type Message, readRequests } from "./twin.ts";

/** A case that takes longer hangs. Nothing in it waits for a clock. */
const CASE_MS = 3000;

const key = Buffer.alloc(32);

/** Turns of the event loop in which what is on its way arrives, however busy the machine is. */
const TURNS_MAX = 10_000;

/** The gateway's side of a client's connection, as a socket without a kernel. */
class MemorySocket extends Duplex {
  readonly remoteAddress = "127.0.0.1";
  received = "";
  wasReset = false;
  onChange: () => void = () => {};

  constructor() {
    super({ allowHalfOpen: true, decodeStrings: true });
    this.on("close", () => this.onChange());
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.received += bytes.toString("latin1");
    done();
    this.onChange();
  }

  override _final(done: () => void): void {
    done();
    this.onChange();
  }

  resetAndDestroy(): this {
    this.wasReset = true;
    return this.destroy();
  }
}

/** What the instance sends to each request of a case; undefined: a numbered answer. */
export interface InstanceAnswer {
  readonly pieces: readonly string[];
  readonly close: boolean;
}

export interface Outcome {
  readonly received: string;
  readonly wasReset: boolean;
  readonly forwarded: readonly Message[];
  readonly streams: readonly string[];
}

/** What a connection to the instance has carried in this case, and its last, incomplete message. */
interface Carried {
  stream: string;
  unread: string;
}

export class HangError extends Error {}

export class Lane {
  readonly #server: Server;
  readonly #engine: ReturnType<typeof createEngine>;
  readonly #connections = new Map<Socket, Carried>();
  #forwarded: Message[] = [];
  #closedStreams: string[] = [];
  #answer: InstanceAnswer | undefined;
  /** Connections that the instance has closed and the gateway has not. */
  #closing = 0;
  #client: MemorySocket | undefined;

  private constructor(server: Server, create: typeof createEngine) {
    this.#server = server;
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    this.#engine = create({
      worker: 1,
      table: tableTo(port),
      onNotice: () => {},
      stickyKey: () => key,
    });
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async open(create: typeof createEngine): Promise<Lane> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Lane(server, create);
  }

  async close(): Promise<void> {
    await this.#engine.drain(0);
    for (const socket of this.#connections.keys()) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /**
   * Sends the pieces and returns when the gateway has closed. The client closes its side when
   * `isAnswered` says so of what it has got.
   */
  async run(
    pieces: readonly string[],
    isAnswered: (received: string) => boolean,
    answer?: InstanceAnswer,
  ): Promise<Outcome> {
    this.#forwarded = [];
    this.#closedStreams = [];
    this.#answer = answer;
    // What a case before this one left unfinished may still go on arriving.
    for (const carried of this.#connections.values()) carried.stream = carried.unread;
    const client = new MemorySocket();
    this.#client = client;
    this.#engine.acceptHttp(new SocketWire(client as unknown as Socket));
    const closed = whenClosed(client, isAnswered);
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await nextTurn();
      if (!client.destroyed && !client.readableEnded) client.push(Buffer.from(piece, "latin1"));
    }
    client.onChange();
    await closed;
    // The gateway must have seen a close before the next case, or that would meet it by chance.
    for (let turn = 0; this.#closing > 0; turn++) {
      if (turn > TURNS_MAX) throw new HangError("a connection that the instance closed stays open");
      await nextTurn();
    }
    const open = [...this.#connections.values()].map((carried) => carried.stream);
    const streams = [...this.#closedStreams, ...open];
    const { received, wasReset } = client;
    return { received, wasReset, forwarded: this.#forwarded, streams };
  }

  /** Ends the case under way: its outcome matters to nobody any more. */
  abandon(): void {
    this.#client?.destroy();
  }

  /** Sends `piece` again and again until the gateway has closed. Returns how many bytes it took. */
  async flood(start: string, piece: string, bytesMax: number): Promise<number> {
    const client = new MemorySocket();
    this.#engine.acceptHttp(new SocketWire(client as unknown as Socket));
    const closed = whenClosed(client, () => false);
    client.push(Buffer.from(start, "latin1"));
    let sentBytes = start.length;
    while (!client.writableEnded && !client.destroyed && sentBytes < bytesMax) {
      client.push(Buffer.from(piece, "latin1"));
      sentBytes += piece.length;
      await nextTurn();
    }
    if (sentBytes >= bytesMax) client.destroy();
    await closed;
    return sentBytes;
  }

  /** One connection from the gateway to the instance. */
  #serve(socket: Socket): void {
    const carried: Carried = { stream: "", unread: "" };
    let isClosing = false;
    this.#connections.set(socket, carried);
    socket.on("data", (bytes) => {
      carried.stream += bytes.toString("latin1");
      carried.unread += bytes.toString("latin1");
      const reading = readRequests(carried.unread);
      carried.unread = carried.unread.slice(reading.restFrom);
      for (const message of reading.messages) if (message.complete) this.#take(socket, message);
      // The judge will say it; until then nobody need wait.
      if (reading.rest === "refused") socket.destroy();
    });
    socket.on("finish", () => {
      this.#closing++;
      isClosing = true;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#closedStreams.push(carried.stream);
      this.#connections.delete(socket);
      if (isClosing) this.#closing--;
    });
  }

  #take(socket: Socket, message: Message): void {
    const serial = this.#forwarded.length;
    this.#forwarded.push(message);
    if (this.#answer !== undefined) void sendPieces(socket, this.#answer);
    else {
      const body = `answer to ${message.target}`;
      const fields = `${SERIAL}: ${serial}\r\nContent-Length: ${body.length}\r\n`;
      const head = `HTTP/1.1 200 OK\r\n${fields}\r\n`;
      socket.write(message.method === "HEAD" ? head : head + body, "latin1");
    }
  }
}

async function sendPieces(socket: Socket, answer: InstanceAnswer): Promise<void> {
  for (const [index, piece] of answer.pieces.entries()) {
    if (index > 0) await nextTurn();
    socket.write(Buffer.from(piece, "latin1"));
  }
  if (answer.close) socket.end();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

function whenClosed(
  client: MemorySocket,
  isAnswered: (received: string) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const hangs = setTimeout(() => {
      const hang = new HangError(`got only ${JSON.stringify(client.received)}`);
      // A process that stood still itself finds its timer due first: what waits may come now.
      void turns(100).then(() => reject(hang));
    }, CASE_MS);
    let ended = false;
    client.onChange = () => {
      if (client.destroyed) {
        clearTimeout(hangs);
        resolve();
      } else if (!ended && (client.writableEnded || isAnswered(client.received))) {
        ended = true;
        client.push(null);
      }
    };
  });
}

function tableTo(port: number): RoutingTable {
  const retry = { attempts: 1, budgetRatio: 1, budgetPerSecond: 1000, replayBytes: 65_536 };
  const timeouts = {
    connectMs: 2000,
    headMs: 60_000,
    idleMs: 60_000,
    keepAliveMs: 60_000,
    queueMs: 2000,
    responseMs: 60_000,
    tunnelMs: 60_000,
  };
  const instance = {
    id: "web-1",
    host: "127.0.0.1",
    port,
    weight: 1,
    backup: false,
    generation: 1,
    share: 1,
  };
  return {
    version: 1,
    workers: 1,
    listeners: [],
    routes: [
      {
        match: {},
        service: "web",
        rateLimits: [],
        balance: plainRule("round-robin"),
        retry,
        hedge: defaultHedge,
        timeouts,
      },
    ],
    services: [
      {
        ...plainService,
        name: "web",
        instances: [{ ...instance, verdict: "up" }],
        queueLength: 100,
      },
    ],
    limits: {
      headBytes: 16_384,
      headerCount: 100,
      targetBytes: 8192,
      connections: 1000,
      connectionsPerAddress: 1000,
      minimumRate: 0,
    },
    drainMs: 1000,
  };
}
