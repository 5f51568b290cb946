// An error on its way between threads: by itself it would arrive without its class and its code,
// by which whoever catches it goes.

import { errorCatalogue, type ErrorCode, NinesError } from "../core/base/errors.ts";

export interface SentError {
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

export function toSend(thrown: unknown): SentError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = "code" in error ? String(error.code) : undefined;
  return { message: error.message, code, stack: error.stack };
}

export function received({ message, code, stack }: SentError): Error {
  if (code !== undefined && isOurs(code)) return new NinesError(code, message);
  const error =
    code === undefined ? new Error(message) : Object.assign(new Error(message), { code });
  if (stack !== undefined) error.stack = stack;
  return error;
}

function isOurs(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}
