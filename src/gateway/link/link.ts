// One end of a conversation between two processes of Nines: JSON messages, one a line, over a unix
// socket.
//
// Bounded both ways. A peer that reads slowly costs a fixed amount of memory: of messages that a
// newer one makes worthless (tables, stats, heartbeats) only the latest waits, and of the others
// the oldest are dropped and counted. A peer that sends garbage, or a line beyond the bound, is cut
// off: it connects again or it is not ours. Rejected: Node's IPC channel (it ends with the process
// that spawned us, and we outlive it).

import type { Socket } from "node:net";

/** Longest line. A routing table of 10,000 instances has about 2 MiB. */
export const LINE_BYTES_MAX = 16 * 1024 * 1024;
/** Messages of the kind that must not replace each other, waiting for a slow peer. */
export const QUEUE_LENGTH_MAX = 1_000;

const NEWLINE = 10;

export interface Message {
  readonly type: string;
}

export interface LinkHandlers<In extends Message> {
  /** The message, or undefined when it is not one that this side takes: the link is then cut. */
  readonly parse: (value: unknown) => In | undefined;
  readonly onMessage: (message: In) => void;
  /** Called once, whoever ended it. */
  readonly onClose: (why: string) => void;
}

export interface Link<Out extends Message> {
  /** Keeps its place in line; the oldest of more than QUEUE_LENGTH_MAX waiting is dropped. */
  send(message: Out): void;
  /** Replaces a waiting message of the same type. */
  sendLatest(message: Out): void;
  /** Messages that a slow peer never got. */
  readonly dropped: number;
  /** Sends what waits, then ends; cut after a second. */
  end(): void;
  /** Cuts it at once. */
  close(why: string): void;
}

export function openLink<In extends Message, Out extends Message>(
  socket: Socket,
  handlers: LinkHandlers<In>,
): Link<Out> {
  return new SocketLink<In, Out>(socket, handlers);
}

class SocketLink<In extends Message, Out extends Message> implements Link<Out> {
  readonly #socket: Socket;
  readonly #handlers: LinkHandlers<In>;
  readonly #latest = new Map<string, Out>();
  #queue: Out[] = [];
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #full = false;
  #ending = false;
  #closed = false;
  dropped = 0;

  constructor(socket: Socket, handlers: LinkHandlers<In>) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("drain", () => this.#flush());
    socket.on("end", () => this.close("the peer ended the link"));
    socket.on("error", (error) => this.close(error.message));
    socket.on("close", () => this.close("the link broke"));
  }

  send(message: Out): void {
    if (this.#closed) return;
    if (!this.#full) return this.#write(message);
    this.#queue.push(message);
    if (this.#queue.length <= QUEUE_LENGTH_MAX) return;
    this.#queue.shift();
    this.dropped++;
  }

  sendLatest(message: Out): void {
    if (this.#closed) return;
    if (this.#full) this.#latest.set(message.type, message);
    else this.#write(message);
  }

  end(): void {
    if (this.#closed) return;
    this.#ending = true;
    if (!this.#full) this.#socket.end();
    this.#socket.setTimeout(1_000, () => this.close("the peer did not take the last messages"));
  }

  close(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.#latest.clear();
    this.#partial = [];
    this.#socket.destroy();
    this.#handlers.onClose(why);
  }

  #write(message: Out): void {
    this.#full = !this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  #flush(): void {
    this.#full = false;
    while (!this.#full && this.#queue.length > 0) this.#write(this.#queue.shift() as Out);
    for (const [type, message] of this.#latest) {
      if (this.#full) return;
      this.#latest.delete(type);
      this.#write(message);
    }
    if (this.#ending && !this.#full) this.#socket.end();
  }

  #read(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#partial.push(chunk.subarray(start, end));
      const line = Buffer.concat(this.#partial).toString("utf8");
      this.#partial = [];
      this.#partialBytes = 0;
      start = end + 1;
      this.#take(line);
      if (this.#closed) return;
    }
    this.#partialBytes += chunk.length - start;
    if (this.#partialBytes > LINE_BYTES_MAX) return this.close("the peer sent an endless line");
    if (start < chunk.length) this.#partial.push(chunk.subarray(start));
  }

  #take(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return this.close("the peer sent something that is not JSON");
    }
    const message = this.#handlers.parse(value);
    if (message === undefined) return this.close("the peer sent a message that is not one of ours");
    this.#handlers.onMessage(message);
  }
}
