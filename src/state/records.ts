// The records port on files: `instances+web-2.json` for the key "instances/web-2". One flat folder,
// so that no key can be in another's way.
//
// A file is one line that says what it is, with the SHA-256 of the rest, and then the value as
// JSON. What was torn by a failing disk, cut short or edited by hand no longer fits its sum and is
// refused by name; a write is atomic and durable when it returns (files.ts). Two fsyncs a write,
// some milliseconds: records are for what must be remembered, not for what changes each second.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import type { Records } from "../ports/records.ts";
import { readIfThere, removeFile, replaceFile, writerOfTemporary } from "./files.ts";

const format = "nines-record 1";
const suffix = ".json";
const keyLengthMax = 200;
const valueBytesMax = 1024 * 1024;

/** `folder` exists. Anyone may read; only the holder of control's term may write. */
export function createRecords(folder: string): Records {
  let swept = false;

  function changing(key: string, change: (path: string) => unknown): void {
    const path = pathOf(folder, key);
    try {
      if (!swept) sweep(folder);
      swept = true;
      change(path);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new NinesError("NINES_STATE_WRITE", `${path}: ${why}.`, { cause });
    }
  }

  return {
    read: (key) => readRecord(pathOf(folder, key)),
    list: (prefix) =>
      readdirSync(folder)
        .filter((name) => name.endsWith(suffix))
        .map((name) => name.slice(0, -suffix.length).replaceAll("+", "/"))
        // What somebody else put here has no key.
        .filter((key) => key.startsWith(prefix) && isKey(key))
        .sort(),
    write(key, value) {
      const content = encode(value);
      changing(key, (path) => replaceFile(path, content));
    },
    remove: (key) => changing(key, (path) => existsSync(path) && removeFile(path)),
  };
}

function pathOf(folder: string, key: string): string {
  assert(isKey(key), `"${key}" is a record's key`);
  return join(folder, key.replaceAll("/", "+") + suffix);
}

function isKey(key: string): boolean {
  return key.length <= keyLengthMax && key.split("/").every((word) => /^[\w.-]+$/.test(word));
}

function encode(value: unknown): string {
  const text = JSON.stringify(value);
  assert(text !== undefined, "a record's value is JSON");
  assert(Buffer.byteLength(text) <= valueBytesMax, "a record's value has 1 MiB at most");
  return `${format} ${sumOf(text)}\n${text}\n`;
}

function sumOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function readContent(path: string): string | undefined {
  try {
    return readIfThere(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NinesError("NINES_STATE_CORRUPT", `${path} cannot be read: ${why}.`, { cause });
  }
}

function readRecord(path: string): unknown {
  const content = readContent(path);
  if (content === undefined) return undefined;
  const lineEnd = content.indexOf("\n");
  const text = content.slice(lineEnd + 1, -1);
  const whole = content.slice(0, lineEnd) === `${format} ${sumOf(text)}` && content.endsWith("\n");
  if (!whole) throw new NinesError("NINES_STATE_CORRUPT", `${path} is not what Nines wrote.`);
  return JSON.parse(text);
}

/** Removes copies that writers before us were killed over. We are the one writer now. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (writerOfTemporary(name) !== undefined) rmSync(join(folder, name), { force: true });
  }
}
