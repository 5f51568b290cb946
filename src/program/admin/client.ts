// Asks a running control over its admin socket. Every call has a deadline, and every way to fail
// has a code: nobody listens (NINES_NOT_RUNNING), nobody answers (NINES_CONTROL_NOT_ANSWERING), or
// the answer is an error, which is thrown here as it was thrown there.

import { request } from "node:http";
import { type ErrorCode, errorCatalogue, NinesError } from "../../core/base/errors.ts";

const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface AdminCall {
  readonly socketPath: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs: number;
}

export async function callAdmin(call: AdminCall): Promise<unknown> {
  const { status, text } = await exchange(call);
  const value: unknown = parse(text);
  if (status >= 400) throw toError(value, text);
  return value;
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
    const asked = request({
      socketPath: call.socketPath,
      method: call.method,
      path: call.path,
      agent: false,
      headers: {
        host: "nines",
        ...(payload === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
      },
    });
    const deadline = setTimeout(() => {
      asked.destroy();
      const what = `Control did not answer ${call.method} ${call.path} in ${call.timeoutMs} ms.`;
      reject(new NinesError("NINES_CONTROL_NOT_ANSWERING", what));
    }, call.timeoutMs);
    const settle = (run: () => void) => {
      clearTimeout(deadline);
      run();
    };
    asked.on("error", (error) => settle(() => reject(notReached(call.socketPath, error))));
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
      response.on("error", (error) => settle(() => reject(notReached(call.socketPath, error))));
    });
    asked.end(payload);
  });
}

function notReached(socketPath: string, error: Error): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ECONNRESET") {
    const what = `Nothing answers on ${socketPath}.`;
    return new NinesError("NINES_NOT_RUNNING", what, { cause: error });
  }
  return error;
}
