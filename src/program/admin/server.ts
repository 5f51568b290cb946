// Serves the endpoints, on a unix socket and on TCP. Strict and bounded: what is too long, too slow
// or too much is refused with a reason, and a client that reads too slowly is cut off rather than
// buffered for.
//
// `node:http` here, unlike in the gateway: a few requests a second, where plainness counts.

import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { ListenOptions, Socket } from "node:net";
import { type ErrorCode, errorCatalogue, NinesError } from "../../core/base/errors.ts";
import { INTERNAL_ERROR } from "./answers.ts";
import { type AdminActions, type Endpoint, endpoints, type Follow } from "./endpoints.ts";
import type { Gate, Grant } from "./gate.ts";
import { Refusal, refusal } from "./refusal.ts";

const BODY_BYTES_MAX = 64 * 1024;
const CONNECTIONS_MAX = 64;
const REQUEST_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 5_000;
/** So often the two above are looked at; every 30 s unless told. */
const LATE_CHECK_INTERVAL_MS = 1_000;
/** A follower that leaves this much unread is cut off; it asks again with the last number. */
const UNREAD_BYTES_MAX = 1024 * 1024;
const KEEPALIVE_MS = 15_000;

export interface AdminServer {
  /** Ends the streams whose grant does not hold any more. */
  review(): void;
  /** Ends all connections; resolves when the socket is closed. */
  close(): Promise<void>;
}

/** Resolves when it listens. The socket's folder exists, and nobody else listens there. */
export async function serveAdmin(socketPath: string, actions: AdminActions): Promise<AdminServer> {
  const { server, ...open } = createAdminServer(actions, async () => () => true);
  rmSync(socketPath, { force: true });
  await listening(server, { path: socketPath });
  chmodSync(socketPath, 0o600);
  return open;
}

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** The same on TCP, to those whom the gate lets pass. */
export async function serveAdminOnTcp(
  address: TcpAddress,
  actions: AdminActions,
  gate: Gate,
): Promise<AdminServer> {
  const { server, ...open } = createAdminServer(actions, gate);
  await listening(server, address);
  return open;
}

function createAdminServer(
  actions: AdminActions,
  gate: Gate,
): AdminServer & { readonly server: Server } {
  const streams = new Map<ServerResponse, Grant>();
  const server = createServer(
    {
      maxHeaderSize: 8192,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: LATE_CHECK_INTERVAL_MS,
    },
    (request, response) => {
      gate(request)
        .then(async (grant) => {
          strangers.delete(request.socket);
          const lasts = await answer(actions, request, response);
          if (!lasts || response.destroyed) return;
          streams.set(response, grant);
          response.on("close", () => streams.delete(response));
        })
        .catch((error: unknown) => sendError(response, error));
    },
  );
  const strangers = boundConnections(server);
  return {
    server,
    close: () => closeServer(server),
    review() {
      for (const [response, holds] of streams) if (!holds()) response.destroy();
    },
  };
}

/**
 * Connections that the gate has let nothing pass on yet. At the limit the oldest of them goes, and
 * is the newcomer itself when there is no other: who says nothing locks nobody out.
 */
function boundConnections(server: Server): Set<Socket> {
  const open = new Set<Socket>();
  const strangers = new Set<Socket>();
  const forget = (socket: Socket): void => {
    open.delete(socket);
    strangers.delete(socket);
  };
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    strangers.add(socket);
    socket.once("close", () => forget(socket));
    if (open.size <= CONNECTIONS_MAX) return;
    for (const oldest of strangers) {
      forget(oldest);
      oldest.destroy();
      return;
    }
  });
  return strangers;
}

function listening(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      server.on("error", () => undefined); // accepting failed once (descriptors); it goes on
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    // An answer that tells of the stop itself may still be on its way out.
    setTimeout(() => server.closeAllConnections(), 200).unref();
  });
}

/** Whether the answer goes on: it is a stream. */
async function answer(
  actions: AdminActions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const url = targetOf(request);
  const here = endpoints.filter((endpoint) => endpoint.path === url.pathname);
  if (here.length === 0) throw refusal(404, `There is no ${url.pathname} in the admin API.`);
  const endpoint = here.find(({ method }) => method === request.method);
  if (endpoint === undefined) {
    const allowed = here.map(({ method }) => method).join(", ");
    throw refusal(405, `${url.pathname} takes ${allowed}, not ${request.method}.`);
  }
  const raw = endpoint.method === "GET" ? queryOf(endpoint, url, request) : await body(request);
  const result = await endpoint.answer(actions, checkInput(endpoint, raw));
  if (endpoint.type === "stream") follow(response, result as Follow);
  else if (endpoint.type === "text")
    send(response, 200, endpoint.media ?? "text/plain; charset=utf-8", String(result));
  else sendJson(response, 200, result);
  return endpoint.type === "stream";
}

function targetOf({ url }: IncomingMessage): URL {
  try {
    return new URL(url ?? "/", "http://nines");
  } catch {
    throw refusal(400, `${url} is no address of the admin API.`);
  }
}

/** An EventSource that connects again asks the same address, and says in a header where it was. */
function queryOf({ type }: Endpoint, url: URL, request: IncomingMessage): Record<string, string> {
  const query = Object.fromEntries(url.searchParams);
  const last = request.headers["last-event-id"];
  return type === "stream" && typeof last === "string" ? { ...query, after: last } : query;
}

function checkInput(endpoint: Endpoint, raw: unknown): unknown {
  const parsed = endpoint.input.safeParse(raw);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "the input"}: ${issue.message}`,
  );
  throw refusal(
    400,
    `${endpoint.method} ${endpoint.path} was not understood: ${problems.join("; ")}.`,
  );
}

async function body(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw refusal(413, `The body is over ${BODY_BYTES_MAX} bytes.`);
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
  } catch {
    throw refusal(400, "The body is not JSON.");
  }
}

/** Server-sent events (event-stream.ts), to one that reads them. */
function follow(response: ServerResponse, subscribe: Follow): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.flushHeaders();
  const write = (text: string) => {
    if (response.writableLength > UNREAD_BYTES_MAX) response.destroy();
    else response.write(text);
  };
  const subscription = subscribe(write);
  // Finds out that the follower is gone, even when nothing happens here.
  const keepAlive = setInterval(() => write(":\n\n"), KEEPALIVE_MS);
  keepAlive.unref();
  response.on("close", () => {
    clearInterval(keepAlive);
    subscription[Symbol.dispose]();
  });
}

/** What the state of things does not allow now. */
const conflicts = new Set<ErrorCode>([
  "NINES_CONTROL_STOPPING",
  "NINES_DEPLOY_CANARY",
  "NINES_DEPLOY_ENDPOINTS",
  "NINES_DEPLOY_UNDER_WAY",
  "NINES_ENDPOINT_REFUSED",
  "NINES_FAILOVER_MODE",
  "NINES_FAILOVER_REFUSED",
]);

function statusOf(error: NinesError): number {
  if (error instanceof Refusal) return error.status;
  if (error.code.endsWith("_UNKNOWN")) return 404;
  if (conflicts.has(error.code)) return 409;
  return error.code.startsWith("NINES_CONFIG") || error.code.endsWith("_RANGE") ? 422 : 500;
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  response.setHeader("connection", "close"); // what is left of the body is not read
  if (error instanceof Refusal && error.status === 401) {
    response.setHeader("www-authenticate", ["Bearer", 'Basic realm="Nines"']);
  }
  if (error instanceof NinesError) {
    sendJson(response, statusOf(error), { error: describeError(error) });
  } else {
    const message = error instanceof Error ? error.message : String(error);
    sendJson(response, 500, { error: { code: INTERNAL_ERROR, message, retriable: false } });
  }
}

export interface ErrorDescription {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly retriable: boolean;
}

function describeError(error: NinesError): ErrorDescription {
  const { remedy, retriable } = errorCatalogue[error.code];
  return { code: error.code, message: error.message, remedy, retriable };
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, "application/json", `${JSON.stringify(value)}\n`);
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    // Nothing of an answer is a program, and no other page shows it as its own.
    "content-security-policy":
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}
