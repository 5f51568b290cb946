// The state directory is ours alone, found by all, and nothing else is ever taken for it.

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { AssertionError } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import { findStateDirectory, openStateDirectory } from "./directory.ts";

const isRoot = process.geteuid?.() === 0;

function scratchFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-state-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function fails(code: string): (error: unknown) => boolean {
  return (error) => error instanceof NinesError && error.code === code;
}

function modeOf(path: string): number {
  return lstatSync(path).mode & 0o777;
}

test("it is made with all its folders, ours alone, and found again the same", (t) => {
  const path = join(scratchFolder(t), "deep", ".nines");
  const made = openStateDirectory(path);
  for (const folder of ["", "control", "keeper", "gateway", "records", "data", "logs", "run"]) {
    assert.equal(modeOf(join(path, folder)), 0o700);
  }
  const paths = JSON.stringify(made);
  assert.equal(JSON.stringify(openStateDirectory(path)), paths);
  assert.equal(JSON.stringify(findStateDirectory(path)), paths);
  assert.equal(made.logFileOf("web-1"), join(path, "logs", "web-1.log"));
});

test("a link to it is the same directory, and two directories have two ids", (t) => {
  const folder = scratchFolder(t);
  const made = openStateDirectory(join(folder, "one"));
  symlinkSync(join(folder, "one"), join(folder, "link"));
  assert.equal(openStateDirectory(join(folder, "link")).id, made.id);
  assert.notEqual(openStateDirectory(join(folder, "two")).id, made.id);
});

test("who only looks makes nothing, and is told when there is nothing", (t) => {
  const path = join(scratchFolder(t), ".nines");
  assert.throws(() => findStateDirectory(path), fails("NINES_STATE_NOT_FOUND"));
  assert.ok(!existsSync(path));
  mkdirSync(path);
  assert.throws(() => findStateDirectory(path), fails("NINES_STATE_NOT_FOUND"));
});

test("a folder with other things in it is not taken over", (t) => {
  const folder = scratchFolder(t);
  writeFileSync(join(folder, "thesis.txt"), "");
  assert.throws(() => openStateDirectory(folder), fails("NINES_STATE_FOREIGN"));
  assert.throws(() => openStateDirectory(join(folder, "thesis.txt")), NinesError);
});

test("an opening that was killed early is opened anew", (t) => {
  const folder = scratchFolder(t);
  writeFileSync(join(folder, "state-version~4711"), "");
  openStateDirectory(folder);
  assert.equal(findStateDirectory(folder).path, folder);
});

test("a layout of a later version, or none that can be read, is refused", (t) => {
  const path = join(scratchFolder(t), ".nines");
  openStateDirectory(path);
  for (const [text, code] of [
    ["2\n", "NINES_STATE_NEWER"],
    ["999\n", "NINES_STATE_NEWER"],
    ["", "NINES_STATE_CORRUPT"],
    ["one\n", "NINES_STATE_CORRUPT"],
    ["1", "NINES_STATE_CORRUPT"],
  ] as const) {
    writeFileSync(join(path, "state-version"), text);
    assert.throws(() => openStateDirectory(path), fails(code));
    assert.throws(() => findStateDirectory(path), fails(code));
  }
});

test("one that others may write to is refused; one that they may read is closed", (t) => {
  const path = join(scratchFolder(t), ".nines");
  openStateDirectory(path);
  for (const mode of [0o702, 0o720, 0o777]) {
    chmodSync(path, mode);
    assert.throws(() => openStateDirectory(path), fails("NINES_STATE_OWNER"));
    assert.throws(() => findStateDirectory(path), fails("NINES_STATE_OWNER"));
  }
  chmodSync(path, 0o755);
  openStateDirectory(path);
  assert.equal(modeOf(path), 0o711);
});

const needsRoot = isRoot ? false : "only root can give a folder away";

test("one of another user is refused", { skip: needsRoot }, (t) => {
  const path = join(scratchFolder(t), ".nines");
  openStateDirectory(path);
  chownSync(path, 65_534, 65_534);
  assert.throws(() => openStateDirectory(path), fails("NINES_STATE_OWNER"));
  assert.throws(() => findStateDirectory(path), fails("NINES_STATE_OWNER"));
});

test("an instance's data is kept, and belongs to whom it runs as", { skip: needsRoot }, (t) => {
  const path = join(scratchFolder(t), ".nines");
  const state = openStateDirectory(path);
  const own = state.dataFolderOf("web-1");
  writeFileSync(join(own, "orders"), "1");
  assert.equal(modeOf(path), 0o700);

  const others = state.dataFolderOf("web-1", { uid: 65_534, gid: 65_534 });
  assert.equal(others, own);
  assert.equal(lstatSync(own).uid, 65_534);
  assert.ok(existsSync(join(own, "orders")));
  // That user passes through what is above it, and reads none of it.
  // Among the sockets it finds the one for its signs of life; the others are closed to it.
  for (const above of [path, dirname(own), join(path, "run")]) assert.equal(modeOf(above), 0o711);
  for (const closed of ["records", "logs"]) assert.equal(modeOf(join(path, closed)), 0o700);
  openStateDirectory(path);
  assert.equal(modeOf(path), 0o711);
});

test("no instance's name leads out of the directory", (t) => {
  const state = openStateDirectory(join(scratchFolder(t), ".nines"));
  for (const name of ["", "..", "../web", "a/b", ".hidden", "a\0b"]) {
    assert.throws(() => state.logFileOf(name), AssertionError);
    assert.throws(() => state.dataFolderOf(name), AssertionError);
  }
});

test("deep down, the sockets are in a short private folder that all agree on", (t) => {
  const path = join(scratchFolder(t), "deep".repeat(20), ".nines");
  const state = openStateDirectory(path);
  const sockets = [state.controlSocket, state.gatewaySocket, state.adminSocket];
  const folder = dirname(state.adminSocket);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const socket of sockets) assert.ok(Buffer.byteLength(socket) <= 100, socket);
  assert.equal(modeOf(folder), 0o700);
  // Another process's TMPDIR may be another: the directory itself says where they are.
  const { TMPDIR } = process.env;
  process.env["TMPDIR"] = "/nowhere";
  try {
    assert.equal(findStateDirectory(path).adminSocket, state.adminSocket);
  } finally {
    if (TMPDIR === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = TMPDIR;
  }
  // A cleaner of temporary folders has been here.
  rmSync(folder, { recursive: true });
  openStateDirectory(path);
  assert.equal(modeOf(folder), 0o700);
  // Somebody else was quicker to make it.
  chmodSync(folder, 0o777);
  assert.throws(() => openStateDirectory(path), fails("NINES_STATE_OWNER"));
});

test("where no folder can be made that is said, and nobody waits for ever", () => {
  assert.throws(() => openStateDirectory("/proc/nowhere/.nines"), fails("NINES_STATE_WRITE"));
});
