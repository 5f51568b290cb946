// A reverse proxy as people write one in Node today, as a program: PORT, ORIGIN_PORT and KIND,
// which is a package (http-proxy-3, httpxy) or "undici", whose dispatch then stands behind
// node:http. Each keeps its connections to the origin and tells it who the client is, as the others
// do.

import {
  Agent,
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import { load } from "../shared/install.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const origin = `http://127.0.0.1:${process.env["ORIGIN_PORT"]}`;
const CONNECTIONS_MAX = 256;

interface ProxyPackage {
  createProxyServer(options: {
    readonly target: string;
    readonly agent: Agent;
    readonly xfwd: boolean;
  }): { web(request: IncomingMessage, response: ServerResponse): unknown };
}

function byPackage(name: string): Handler {
  const proxies = installedPackage<ProxyPackage>(name);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });
  const proxy = proxies.createProxyServer({ target: origin, agent, xfwd: true });
  return (request, response) => void proxy.web(request, response);
}

interface Undici {
  Pool: new (
    origin: string,
    options: { readonly connections: number },
  ) => { dispatch(request: UndiciRequest, handler: UndiciHandler): boolean };
}

interface UndiciRequest {
  readonly path: string;
  readonly method: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: IncomingMessage | null;
}

interface UndiciHandler {
  onRequestStart(): void;
  onResponseStart(controller: unknown, status: number, headers: OutgoingHttpHeaders): void;
  onResponseData(controller: { pause(): void; resume(): void }, bytes: Buffer): void;
  onResponseEnd(): void;
  onResponseError(): void;
}

const ofOneHop = ["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"];

function withoutHops(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const kept = { ...headers };
  for (const name of ofOneHop) delete kept[name];
  return kept;
}

function byUndici(): Handler {
  const { Pool } = installedPackage<Undici>("undici");
  const pool = new Pool(origin, { connections: CONNECTIONS_MAX });
  return (request, response) => {
    const { url = "/", method = "GET", headers, socket } = request;
    const hasBody = headers["content-length"] !== undefined;
    const told = { ...withoutHops(headers), "x-forwarded-for": socket.remoteAddress };
    pool.dispatch(
      { path: url, method, headers: told, body: hasBody ? request : null },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_, status, answered) => response.writeHead(status, withoutHops(answered)),
        onResponseData: (controller, bytes) => {
          if (response.write(bytes)) return;
          controller.pause();
          response.once("drain", () => controller.resume());
        },
        onResponseEnd: () => void response.end(),
        onResponseError: () => void response.destroy(),
      },
    );
  };
}

function installedPackage<Package>(name: string): Package {
  const found = load<Package>(name);
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}

const kind = process.env["KIND"] ?? "";
const handler = kind === "undici" ? byUndici() : byPackage(kind);
createServer(handler).listen(Number(process.env["PORT"]), "127.0.0.1");
