// Asks a running control, over its admin socket or over TCP. Every call has a deadline, and every
// way to fail has a code: nobody listens (NINES_NOT_RUNNING), nobody answers
// (NINES_CONTROL_NOT_ANSWERING), the network does not lead there (NINES_ADMIN_UNREACHABLE: that
// says nothing about control), somebody else answers (NINES_ADMIN_FOREIGN), or the answer is an
// error, which is thrown here as it was thrown there.

import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
} from "node:http";
import { request as requestOverTls } from "node:https";
import { type ErrorCode, errorCatalogue, NinesError } from "../../core/base/errors.ts";

const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** Until a stream begins. */
const FOLLOW_ANSWER_MS = 5_000;
/** A stream says something every 15 s. */
const FOLLOW_SILENT_MS = 40_000;

/** A unix socket; or an address, with the token that it asks for. */
export type AdminPlace =
  | { readonly socketPath: string }
  | { readonly url: URL; readonly token: string };

export type AdminCall = AdminPlace & {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs: number;
};

export async function callAdmin(call: AdminCall): Promise<unknown> {
  return parse(await fetchAdminText(call));
}

/**
 * Server-sent events, until the signal or the other side ends it; resolves then. `heard` gets each
 * event's name and data.
 */
export async function followAdmin(
  place: AdminPlace,
  path: string,
  heard: (name: string, data: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const call = { ...place, method: "GET", path, timeoutMs: FOLLOW_ANSWER_MS } as const;
  const asked = send(call);
  const stop = (): void => void asked.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const response = await beginning(call, asked);
    const status = response.statusCode ?? 500;
    let text = "";
    response.setEncoding("utf8");
    for await (const chunk of response as AsyncIterable<string>) {
      text += chunk;
      if (text.length > ANSWER_BYTES_MAX) throw notReached(place, tooLong());
      if (status >= 400) continue;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) tellEvent(block, heard);
    }
    if (status >= 400) throw toError(place, status, text);
  } catch (error) {
    // Cut off in the middle of a stream: whoever follows asks again.
    if (error instanceof NinesError || !asked.destroyed) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    asked.destroy();
  }
}

function beginning(call: AdminCall, asked: ClientRequest): Promise<IncomingMessage> {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const deadline = setTimeout(() => reject(notAnswered(call)), call.timeoutMs);
    asked.on("close", () => clearTimeout(deadline));
    asked.on("response", (response) => {
      clearTimeout(deadline);
      resolve(response);
    });
    asked.on("error", (error) => reject(notReached(call, error)));
    asked.setTimeout(FOLLOW_SILENT_MS, () => asked.destroy());
    asked.end();
  });
}

function tellEvent(block: string, heard: (name: string, data: unknown) => void): void {
  const fieldOf = (name: string): string | undefined =>
    block
      .split("\n")
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  const data = fieldOf("data");
  if (data !== undefined) heard(fieldOf("event") ?? "message", parse(data));
}

/** For answers that are not JSON. */
export async function fetchAdminText(call: AdminCall): Promise<string> {
  const { status, text } = await exchange(call);
  if (status >= 400) throw toError(call, status, text);
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A proxy before it answers for a control that does not. */
const spokenByProxy: Readonly<Record<number, ErrorCode>> = {
  502: "NINES_NOT_RUNNING",
  503: "NINES_NOT_RUNNING",
  504: "NINES_CONTROL_NOT_ANSWERING",
};

function toError(place: AdminPlace, status: number, text: string): Error {
  const value = parse(text) as { error?: { code?: string; message?: string } } | null | undefined;
  const error = value?.error;
  if (error?.code !== undefined && Object.hasOwn(errorCatalogue, error.code)) {
    return new NinesError(error.code as ErrorCode, error.message ?? `status ${status}`);
  }
  const byProxy = spokenByProxy[status];
  if (error === undefined && byProxy !== undefined) {
    return new NinesError(byProxy, `A proxy on ${sayPlace(place)} answers for it: ${status}.`);
  }
  return new Error(error?.message ?? `the admin API answered: ${text.slice(0, 200)}`);
}

function exchange(call: AdminCall): Promise<{ status: number; text: string }> {
  const payload = call.body === undefined ? undefined : JSON.stringify(call.body);
  return new Promise((resolve, reject) => {
    const asked = send(call, bodyHeaders(payload));
    const deadline = setTimeout(() => {
      asked.destroy();
      reject(notAnswered(call));
    }, call.timeoutMs);
    const settle = (run: () => void) => {
      clearTimeout(deadline);
      run();
    };
    asked.on("error", (error) => settle(() => reject(notReached(call, error))));
    asked.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) asked.destroy(tooLong());
        else chunks.push(chunk);
      });
      response.on("end", () =>
        settle(() =>
          resolve({
            status: response.statusCode ?? 500,
            text: Buffer.concat(chunks).toString("utf8"),
          }),
        ),
      );
      response.on("error", (error) => settle(() => reject(notReached(call, error))));
    });
    asked.end(payload);
  });
}

function bodyHeaders(payload: string | undefined): OutgoingHttpHeaders {
  if (payload === undefined) return {};
  return { "content-type": "application/json", "content-length": Buffer.byteLength(payload) };
}

function send(call: AdminCall, headers: OutgoingHttpHeaders = {}): ClientRequest {
  const { method, path } = call;
  const what = { method, path } as const;
  if ("socketPath" in call) {
    const { socketPath } = call;
    return request({ ...what, socketPath, agent: false, headers: { host: "nines", ...headers } });
  }
  const { url, token } = call;
  const authorization = `Bearer ${token}`;
  const options = { ...what, agent: false, headers: { authorization, ...headers } } as const;
  return url.protocol === "https:" ? requestOverTls(url, options) : request(url, options);
}

/** For people; a token is in no message. */
export function sayPlace(place: AdminPlace): string {
  return "socketPath" in place ? place.socketPath : place.url.origin;
}

/** It may be there in a moment: it restarts, or the network does not lead there now. */
export function isAway(error: unknown): boolean {
  return error instanceof NinesError && away.has(error.code);
}

const away: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "NINES_NOT_RUNNING",
  "NINES_CONTROL_NOT_ANSWERING",
  "NINES_ADMIN_UNREACHABLE",
]);

function notAnswered({ method, path, timeoutMs }: AdminCall): NinesError {
  const what = `Control did not answer ${method} ${path} in ${timeoutMs} ms.`;
  return new NinesError("NINES_CONTROL_NOT_ANSWERING", what);
}

function tooLong(): Error {
  return new Error(`the answer is over ${ANSWER_BYTES_MAX} bytes`);
}

/** What the system refused has a syscall; the rest was found wrong in what was received. */
function notReached(place: AdminPlace, error: Error): NinesError {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const where = sayPlace(place);
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ECONNRESET") {
    const what = `Nothing answers on ${where}.`;
    return new NinesError("NINES_NOT_RUNNING", what, { cause: error });
  }
  if (syscall !== undefined && code !== "EPROTO") {
    const what = `${where} cannot be reached: ${error.message}.`;
    return new NinesError("NINES_ADMIN_UNREACHABLE", what, { cause: error });
  }
  const what = `${where} gives no answer of a Nines: ${error.message}.`;
  return new NinesError("NINES_ADMIN_FOREIGN", what, { cause: error });
}
