// Asks a running control, over its admin socket or over TCP. Every call has a deadline, and every
// way to fail has a code: nobody listens (NINES_NOT_RUNNING), nobody answers
// (NINES_CONTROL_NOT_ANSWERING), or the answer is an error, which is thrown here as it was thrown
// there.

import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type RequestOptions,
} from "node:http";
import { request as requestOverTls } from "node:https";
import { type ErrorCode, errorCatalogue, NinesError } from "../../core/base/errors.ts";

const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
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
  const { status, text } = await exchange(call);
  const value: unknown = parse(text);
  if (status >= 400) throw toError(value, text);
  return value;
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
  const asked = send(place, { method: "GET", path });
  const stop = (): void => void asked.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      asked.on("response", resolve);
      asked.on("error", (error) => reject(notReached(place, error)));
      asked.setTimeout(FOLLOW_SILENT_MS, () => asked.destroy());
      asked.end();
    });
    let text = "";
    response.setEncoding("utf8");
    for await (const chunk of response as AsyncIterable<string>) {
      text += chunk;
      if ((response.statusCode ?? 500) >= 400) continue;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) tellEvent(block, heard);
    }
    if ((response.statusCode ?? 500) >= 400) throw toError(parse(text), text);
  } catch (error) {
    // Cut off in the middle of a stream: whoever follows asks again.
    if (error instanceof NinesError || !asked.destroyed) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    asked.destroy();
  }
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
  if (status >= 400) throw toError(parse(text), text);
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function toError(value: unknown, text: string): Error {
  const error = (value as { error?: { code?: string; message?: string } } | undefined)?.error;
  const message = error?.message ?? `the admin API answered: ${text.slice(0, 200)}`;
  const known = error?.code !== undefined && Object.hasOwn(errorCatalogue, error.code);
  return known ? new NinesError(error.code as ErrorCode, message) : new Error(message);
}

function exchange(call: AdminCall): Promise<{ status: number; text: string }> {
  const payload = call.body === undefined ? undefined : JSON.stringify(call.body);
  return new Promise((resolve, reject) => {
    const { method, path } = call;
    const asked = send(call, { method, path }, bodyHeaders(payload));
    const deadline = setTimeout(() => {
      asked.destroy();
      const what = `Control did not answer ${call.method} ${call.path} in ${call.timeoutMs} ms.`;
      reject(new NinesError("NINES_CONTROL_NOT_ANSWERING", what));
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
        if (bytes > ANSWER_BYTES_MAX) asked.destroy(new Error("the answer is too long"));
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

function send(
  place: AdminPlace,
  what: Pick<RequestOptions, "method" | "path">,
  headers: OutgoingHttpHeaders = {},
): ClientRequest {
  if ("socketPath" in place) {
    const { socketPath } = place;
    return request({ ...what, socketPath, agent: false, headers: { host: "nines", ...headers } });
  }
  const { url, token } = place;
  const authorization = `Bearer ${token}`;
  const options = { ...what, agent: false, headers: { authorization, ...headers } } as const;
  return url.protocol === "https:" ? requestOverTls(url, options) : request(url, options);
}

/** For people; a token is in no message. */
export function sayPlace(place: AdminPlace): string {
  return "socketPath" in place ? place.socketPath : place.url.origin;
}

function notReached(place: AdminPlace, error: Error): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ECONNRESET") {
    const what = `Nothing answers on ${sayPlace(place)}.`;
    return new NinesError("NINES_NOT_RUNNING", what, { cause: error });
  }
  return error;
}
