// Open-loop load in a process of its own: a request is due every 1/rate seconds, whatever the
// answers do, and its latency counts from when it was due. A closed loop would wait out an outage
// and count it as one slow request (Gil Tene's coordinated omission).
//
// Half of the requests ride kept-alive connections, half open one of their own; one in five is a
// POST with a unique number. A kept connection that closes while idle is replaced in silence, as
// any client does; one that closes with a request on it is a failed request. Nothing is retried.
// Argument: JSON LoadOptions. Output: JSON LoadResult; traffic.ts computes all figures from it.

import { createConnection, type Socket } from "node:net";

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly ratePerSecond: number;
  readonly durationMs: number;
  readonly timeoutMs: number;
}

/** What became of one request. */
export interface Answer {
  readonly number: number;
  readonly method: "GET" | "POST";
  readonly kept: boolean;
  /** Both in milliseconds after the load's start. */
  readonly dueMs: number;
  readonly doneMs: number;
  /** Absent when it was answered well; "refused", "reset", "closed", "timeout", "status 503", … */
  readonly failure?: string;
}

export interface LoadResult {
  /** By the wall clock, in milliseconds, as all processes of one machine read it. */
  readonly startedAtMs: number;
  readonly answers: readonly Answer[];
}

interface Request {
  readonly number: number;
  readonly method: "GET" | "POST";
  readonly dueMs: number;
  readonly kept: boolean;
}

const KEPT_CONNECTIONS = 16;

class Load {
  readonly #options: LoadOptions;
  readonly #startedAtMs = Date.now();
  readonly #startMs = performance.now();
  readonly #answers: Answer[] = [];
  readonly #idle: Connection[] = [];
  #sent = 0;
  #open = 0;
  #finish: () => void = () => {};

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  run(): Promise<LoadResult> {
    const timer = setInterval(() => this.#tick(), 1);
    return new Promise((resolve) => {
      this.#finish = () => {
        clearInterval(timer);
        for (const connection of this.#idle) connection.end();
        resolve({ startedAtMs: this.#startedAtMs, answers: this.#answers });
      };
    });
  }

  #tick(): void {
    const elapsedMs = performance.now() - this.#startMs;
    const total = Math.floor((this.#options.durationMs * this.#options.ratePerSecond) / 1000);
    const due = Math.min(total, Math.floor((elapsedMs * this.#options.ratePerSecond) / 1000));
    while (this.#sent < due) this.#send();
    if (this.#sent === total && this.#open === 0) this.#finish();
  }

  #send(): void {
    const number = this.#sent++;
    const request: Request = {
      number,
      method: number % 5 === 4 ? "POST" : "GET",
      dueMs: (number * 1000) / this.#options.ratePerSecond,
      kept: number % 2 === 0,
    };
    this.#open += 1;
    const reusable = request.kept ? this.#idle.shift() : undefined;
    const connection = reusable ?? new Connection(this.#options, (idle) => this.#forget(idle));
    connection.send(request, (kind) => this.#done(request, connection, kind));
  }

  #forget(connection: Connection): void {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  #done(request: Request, connection: Connection, failure: string | undefined): void {
    const doneMs = performance.now() - this.#startMs;
    this.#open -= 1;
    this.#answers.push({ ...request, doneMs, ...(failure === undefined ? {} : { failure }) });
    const keep = request.kept && connection.usable && this.#idle.length < KEPT_CONNECTIONS;
    if (keep) this.#idle.push(connection);
    else connection.end();
  }
}

/** One connection with at most one request under way. */
class Connection {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #onIdleClose: (connection: Connection) => void;
  #received = "";
  #report: ((kind: string | undefined) => void) | undefined;
  #deadline: NodeJS.Timeout | undefined;
  usable = true;

  constructor(options: LoadOptions, onIdleClose: (connection: Connection) => void) {
    this.#timeoutMs = options.timeoutMs;
    this.#onIdleClose = onIdleClose;
    this.#socket = createConnection({ host: options.host, port: options.port, noDelay: true });
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text: string) => this.#onData(text));
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#close(error.code === "ECONNREFUSED" ? "refused" : "reset");
    });
    this.#socket.on("end", () => this.#close("closed"));
    this.#socket.on("close", () => this.#close("closed"));
  }

  send(request: Request, report: (kind: string | undefined) => void): void {
    this.#report = report;
    this.#deadline = setTimeout(() => this.#close("timeout"), this.#timeoutMs);
    const target = `/bench/${request.number}`;
    const body = request.method === "POST" ? `order ${request.number}` : "";
    const length = request.method === "POST" ? `Content-Length: ${body.length}\r\n` : "";
    const connection = request.kept ? "" : "Connection: close\r\n";
    this.#socket.write(
      `${request.method} ${target} HTTP/1.1\r\nHost: bench\r\n${length}${connection}\r\n${body}`,
    );
  }

  end(): void {
    this.usable = false;
    this.#socket.destroy();
  }

  #onData(text: string): void {
    this.#received += text;
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const head = this.#received.slice(0, headEnd).toLowerCase();
    const length = Number(/\r\ncontent-length: *(\d+)/.exec(head)?.[1] ?? "0");
    if (this.#received.length < headEnd + 4 + length) return;
    this.#received = "";
    if (/\r\nconnection: *close/.test(head)) this.usable = false;
    const status = head.slice(9, 12);
    this.#settle(status === "200" ? undefined : `status ${status}`);
  }

  #close(kind: string): void {
    if (!this.usable && this.#report === undefined) return;
    this.usable = false;
    this.#socket.destroy();
    if (this.#report === undefined) this.#onIdleClose(this);
    else this.#settle(kind);
  }

  #settle(kind: string | undefined): void {
    clearTimeout(this.#deadline);
    const report = this.#report;
    this.#report = undefined;
    report?.(kind);
  }
}

const options = JSON.parse(process.argv[2] ?? "{}") as LoadOptions;
console.log(JSON.stringify(await new Load(options).run()));
