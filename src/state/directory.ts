// The state directory: the one place on disk by which the processes of one Nines find each other,
// and all that outlives them. This file alone knows its layout.
//
//   state-version        which layout this is; a newer one is refused
//   control/ keeper/     term-N claims on an office (term-claims.ts)
//   gateway/             the same of its parent; table.json, board, sticky-key
//   backup/              the same of the vault's duty under way; its last word; drills
//   run/                 unix sockets
//   records/             small named values (records.ts)
//   history/             the journal of incidents (history.ts)
//   load/                what load tests have found out (load-results.ts)
//   data/INSTANCE/       what an instance keeps; owned by the user it runs as
//   logs/                INSTANCE.log, gateway.log, control.log, backup.log, events.jsonl
//
// Whoever can write here can have processes started and killed: it is 0700 and belongs to us, or it
// is refused. Only when an instance runs as another user do the two folders above its data and the
// one of the sockets become passable (0711), still not readable; of the sockets only that for signs
// of life may be written to by others.
// A socket's path may have 107 bytes at most. Where ours would be longer, the sockets live in a
// short private folder of the system's temporary one, and `run-folder` names it for everybody: two
// processes with different TMPDIR must not miss each other.

import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { assert } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import { makeFoldersSync } from "../runtime/make-folders.ts";

const layoutVersion = 1;
export const versionFileName = "state-version";
const socketPathBytesMax = 100;
const longestSocketName = "control.sock";
const folders = ["control", "keeper", "gateway", "backup", "records", "data", "logs"] as const;

export interface StateDirectory {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Twelve hex digits that tell this state directory from all others of the machine. */
  readonly id: string;
  /** Claims on being control, the gateway's parent, and control's keeper. */
  readonly controlTerms: string;
  readonly gatewayTerms: string;
  readonly keeperTerms: string;
  /** Claims on doing a duty of the vault, and what the last ones said. */
  readonly backup: string;
  readonly gatewayTable: string;
  readonly gatewayBoard: string;
  readonly gatewayCounters: string;
  /** What sticky cookies are signed with; made when a route first is. */
  readonly gatewayStickyKey: string;
  readonly controlSocket: string;
  readonly gatewaySocket: string;
  readonly adminSocket: string;
  /** Where instances give signs of life; their users may write to it. */
  readonly heartbeatSocket: string;
  readonly records: string;
  /** Made by the journal itself. */
  readonly history: string;
  /** What load tests have found out; made by the first of them. */
  readonly loadResults: string;
  readonly controlLog: string;
  readonly gatewayLog: string;
  readonly accessLog: string;
  readonly backupLog: string;
  readonly eventLog: string;
  logFileOf(instance: string): string;
  /** Made when missing; its owner is `owner`, or ourselves. */
  dataFolderOf(instance: string, owner?: FolderOwner): string;
}

export interface FolderOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Makes it when it is missing. Throws a NINES_STATE_* error when it cannot be ours. */
export function openStateDirectory(path: string): StateDirectory {
  const wanted = resolve(path);
  return saying(wanted, () => {
    makeFoldersSync(wanted);
    const root = realpathSync(wanted);
    checkOwnership(root);
    if (!hasVersion(root)) adopt(root);
    for (const folder of folders) makePrivateFolder(join(root, folder));
    return describe(root, makeSocketFolder(root));
  });
}

/** One that exists, for those who only look. Throws NINES_STATE_NOT_FOUND when there is none. */
export function findStateDirectory(path: string): StateDirectory {
  const wanted = resolve(path);
  let root: string;
  try {
    root = realpathSync(wanted);
    lstatSync(join(root, versionFileName));
  } catch (cause) {
    throw new NinesError("NINES_STATE_NOT_FOUND", `${wanted} is not a state directory.`, { cause });
  }
  return saying(root, () => {
    checkOwnership(root);
    hasVersion(root);
    return describe(root, makeSocketFolder(root));
  });
}

function describe(root: string, run: string): StateDirectory {
  const at = (...parts: string[]): string => join(root, ...parts);
  return {
    path: root,
    id: idOf(root),
    controlTerms: at("control"),
    keeperTerms: at("keeper"),
    gatewayTerms: at("gateway"),
    backup: at("backup"),
    gatewayTable: at("gateway", "table.json"),
    gatewayBoard: at("gateway", "board"),
    gatewayCounters: at("gateway", "counters.json"),
    gatewayStickyKey: at("gateway", "sticky-key"),
    controlSocket: join(run, "control.sock"),
    gatewaySocket: join(run, "gateway.sock"),
    adminSocket: join(run, "admin.sock"),
    heartbeatSocket: join(run, "beat.sock"),
    records: at("records"),
    history: at("history"),
    loadResults: at("load"),
    controlLog: at("logs", "control.log"),
    gatewayLog: at("logs", "gateway.log"),
    accessLog: at("logs", "access.log"),
    backupLog: at("logs", "backup.log"),
    eventLog: at("logs", "events.jsonl"),
    logFileOf: (instance) => at("logs", `${fileNameOf(instance)}.log`),
    dataFolderOf: (instance, owner) => makeDataFolder(root, run, fileNameOf(instance), owner),
  };
}

function fileNameOf(instance: string): string {
  assert(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(instance), "an instance's name is a file name");
  return instance;
}

function idOf(root: string): string {
  return createHash("sha256").update(root).digest("hex").slice(0, 12);
}

function makeDataFolder(
  root: string,
  run: string,
  instance: string,
  owner: FolderOwner | undefined,
): string {
  const folder = join(root, "data", instance);
  saying(folder, () => {
    makeFoldersSync(folder);
    const has = lstatSync(folder);
    if (owner === undefined || owner.uid === userId()) return;
    for (const above of [root, join(root, "data"), run]) chmodSync(above, 0o711);
    if (has.uid !== owner.uid || has.gid !== owner.gid) chownSync(folder, owner.uid, owner.gid);
  });
  return folder;
}

/** Throws unless it is ours alone to write; takes away what others could read. */
function checkOwnership(folder: string): void {
  const found = lstatSync(folder);
  const refuse = (why: string): never => {
    throw new NinesError("NINES_STATE_OWNER", `${folder} ${why}.`);
  };
  if (!found.isDirectory()) refuse("is not a directory");
  if (found.uid !== userId()) refuse(`belongs to user ${found.uid}, and this is ${userId()}`);
  if ((found.mode & 0o022) !== 0) refuse("may be written to by other users");
  if ((found.mode & 0o044) !== 0) chmodSync(folder, found.mode & 0o711);
}

function makePrivateFolder(folder: string): void {
  makeFoldersSync(folder);
  checkOwnership(folder);
}

function userId(): number {
  return process.geteuid?.() ?? 0;
}

function hasVersion(root: string): boolean {
  let text: string;
  try {
    text = readFileSync(join(root, versionFileName), "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
  const version = /^\d{1,9}\n$/.test(text) ? Number(text) : Number.NaN;
  if (version === layoutVersion) return true;
  if (version > layoutVersion) {
    throw new NinesError(
      "NINES_STATE_NEWER",
      `${root} has layout ${version}; this Nines knows ${layoutVersion}.`,
    );
  }
  throw new NinesError("NINES_STATE_CORRUPT", `${join(root, versionFileName)} names no layout.`);
}

/** Takes an empty folder into use. Many may do so at once: all write the same. */
function adopt(root: string): void {
  const foreign = readdirSync(root).filter((name) => !name.startsWith(versionFileName));
  // Somebody quicker has it in use already, if the version is there now.
  if (foreign.length > 0 && !hasVersion(root)) {
    throw new NinesError("NINES_STATE_FOREIGN", `${root} holds ${foreign.sort()[0]}.`);
  }
  const temporary = join(root, `${versionFileName}~${process.pid}`);
  writeFileSync(temporary, `${layoutVersion}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, join(root, versionFileName));
}

function makeSocketFolder(root: string): string {
  const near = join(root, "run");
  if (Buffer.byteLength(join(near, longestSocketName)) <= socketPathBytesMax) {
    makePrivateFolder(near);
    return near;
  }
  const pointer = join(root, "run-folder");
  const known = readIfThere(pointer);
  const folder = known ?? join(tmpdir(), `nines-${userId()}-${idOf(root)}`);
  makePrivateFolder(folder);
  if (known === undefined) {
    const temporary = `${pointer}~${process.pid}`;
    writeFileSync(temporary, folder, { mode: 0o600 });
    renameSync(temporary, pointer);
  }
  return folder;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** What the file system refuses becomes one of our errors, which names the place. */
function saying<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    if (!(cause instanceof Error) || cause instanceof NinesError || !("code" in cause)) throw cause;
    throw new NinesError("NINES_STATE_WRITE", `${path}: ${cause.message}.`, { cause });
  }
}
