// The tokens of the admin API's TCP listener, from the files that the configuration names.
//
// A token is a password for everything that Nines can do, so its file is refused when others could
// read or change it, as ssh does with keys. Only digests are kept in memory: a token is in no
// message, no log and no core dump.

import { createHash, timingSafeEqual } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { NinesError } from "../../core/base/errors.ts";

export interface Tokens {
  /** May do everything. */
  readonly all: Buffer;
  /** May only look. */
  readonly look?: Buffer;
}

/** 128 bits as hexadecimal digits; nobody types it. */
const TOKEN_LENGTH_MIN = 32;
const TOKEN_LENGTH_MAX = 1024;

export function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Throws NINES_ADMIN_TOKEN_FILE, saying what is wrong with which file. */
export function readTokens(allFile: string, lookFile: string | undefined): Tokens {
  const all = digestOf(readToken(allFile));
  if (lookFile === undefined) return { all };
  const look = digestOf(readToken(lookFile));
  if (timingSafeEqual(all, look)) {
    throw unusable(lookFile, "holds the token that may do everything; it needs one of its own");
  }
  return { all, look };
}

/** The token in a file of this user's alone. */
export function readToken(file: string): string {
  const token = readPrivate(file).trim();
  if (!/^[\x21-\x7e]*$/.test(token)) throw unusable(file, "holds more than one word of ASCII");
  if (token.length < TOKEN_LENGTH_MIN) {
    const what = `holds ${token.length} characters; a token has ${TOKEN_LENGTH_MIN} at least`;
    throw unusable(file, what);
  }
  if (token.length > TOKEN_LENGTH_MAX) throw unusable(file, `is over ${TOKEN_LENGTH_MAX} bytes`);
  return token;
}

function readPrivate(file: string): string {
  let descriptor: number | undefined;
  try {
    // Opening a pipe would wait for its writer.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw unusable(file, "is not a file");
    const user = process.geteuid?.() ?? 0;
    if (found.uid !== user && found.uid !== 0) throw unusable(file, "belongs to another user");
    if ((found.mode & 0o027) !== 0) {
      throw unusable(file, `has mode ${(found.mode & 0o777).toString(8)}; others can use it`);
    }
    const bytes = Buffer.alloc(TOKEN_LENGTH_MAX + 2);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes));
  } catch (cause) {
    if (cause instanceof NinesError) throw cause;
    throw unusable(file, `cannot be read: ${(cause as Error).message}`, cause);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function unusable(file: string, what: string, cause?: unknown): NinesError {
  return new NinesError("NINES_ADMIN_TOKEN_FILE", `${file} ${what}.`, { cause });
}
