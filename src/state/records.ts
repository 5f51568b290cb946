// The records port on files: `records/web-2.json` for the key "web-2", folders for its slashes.
//
// A file is one line that says what it is, with the SHA-256 of the rest, and then the value as JSON.
// What was torn by a failing disk, cut short or edited by hand no longer fits its sum and is refused
// by name; a write is atomic and durable when it returns (files.ts). Two fsyncs a write, some
// milliseconds: records are for what must be remembered, not for what changes each second.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { assert } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import type { Records } from "../ports/records.ts";
import { flushFolder, readIfThere, removeFile, replaceFile, writerOfTemporary } from "./files.ts";

const format = "nines-record 1";
const suffix = ".json";
const valueBytesMax = 1024 * 1024;

/** `folder` exists. Anyone may read; only the holder of control's term may write. */
export function createRecords(folder: string): Records {
  let swept = false;

  function changing(key: string, change: (path: string) => void): void {
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
    list: (prefix) => listKeys(folder, "", prefix).sort(),
    write(key, value) {
      const content = encode(value);
      changing(key, (path) => {
        makeFolders(folder, dirname(path));
        replaceFile(path, content);
      });
    },
    remove: (key) => changing(key, (path) => void (exists(path) && removeFile(path))),
  };
}

function exists(path: string): boolean {
  return readIfThere(path) !== undefined;
}

function pathOf(folder: string, key: string): string {
  assert(key.length <= 200, "a record's key has 200 characters at most");
  for (const word of key.split("/")) {
    assert(/^[A-Za-z0-9._-]+$/.test(word) && !/^\.+$/.test(word), `"${key}" is a record's key`);
  }
  return join(folder, key + suffix);
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

function readRecord(path: string): unknown {
  const content = readIfThere(path);
  if (content === undefined) return undefined;
  const lineEnd = content.indexOf("\n");
  const text = content.slice(lineEnd + 1, -1);
  const whole = content.slice(0, lineEnd) === `${format} ${sumOf(text)}` && content.endsWith("\n");
  if (!whole) throw new NinesError("NINES_STATE_CORRUPT", `${path} is not what Nines wrote.`);
  return JSON.parse(text);
}

function listKeys(folder: string, above: string, prefix: string): string[] {
  return readdirSync(join(folder, above), { withFileTypes: true }).flatMap((entry) => {
    const key = above + entry.name;
    if (entry.isDirectory()) return listKeys(folder, `${key}/`, prefix);
    if (!entry.name.endsWith(suffix) || !key.startsWith(prefix)) return [];
    return [key.slice(0, -suffix.length)].filter((name) => name.startsWith(prefix));
  });
}

/** Makes missing folders from the outermost on, each one's name durable in the one above. */
function makeFolders(outermost: string, folder: string): void {
  if (folder === outermost) return;
  const above = dirname(folder);
  makeFolders(outermost, above);
  try {
    mkdirSync(folder, { mode: 0o700 });
    flushFolder(above);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

/** Removes copies that writers before us were killed over. We are the one writer now. */
function sweep(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) sweep(path);
    else if (writerOfTemporary(entry.name) !== undefined) rmSync(path, { force: true });
  }
}
