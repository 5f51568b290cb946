// A tree in which some may not be read: that is said of each, and not taken for a failure.

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readName } from "../core/vault/entry.ts";
import { createFileTreeSource, identityOf } from "./file-tree-source.ts";

/** Whom root becomes for a while, since it may read everything. */
const nobody = 65_534;

describe("a tree of files", () => {
  it("leaves out what keeps the vault itself, and says so", async (t) => {
    const root = mkdtempSync(join(tmpdir(), "nines-source-"));
    for (const name of ["disk", "files", "hung"]) mkdirSync(join(root, name));
    // Whoever configures a target may have come to it by another path.
    symlinkSync(join(root, "disk"), join(root, "elsewhere"));
    const own = new Set([identityOf(statSync(join(root, "elsewhere"), { bigint: true }))]);
    const kept = { own, ownPaths: ["hung"] };
    const source = createFileTreeSource({ name: "data", path: root, exclude: [], ...kept });
    t.after(async () => {
      await source.close();
      rmSync(root, { recursive: true });
    });
    const listing = await source.list([]);
    assert.deepEqual(
      listing?.entries.map(({ name }) => name),
      ["elsewhere", "files"],
    );
    const reason = "a target of the vault itself";
    assert.deepEqual(listing?.left, [
      { name: "disk", reason, isOwn: true },
      { name: "hung", reason, isOwn: true },
    ]);
  });

  it("passes over what it is told to, and tells what of that it has not met", async (t) => {
    const root = mkdtempSync(join(tmpdir(), "nines-source-"));
    mkdirSync(join(root, "folder"));
    for (const name of ["caché", "folder/tmp", "kept"]) writeFileSync(join(root, name), "");
    const exclude = ["caché", "folder/tmp", "folder/tpm", "caché/x"].map(readName);
    const source = createFileTreeSource({ name: "data", path: root, exclude });
    t.after(async () => {
      await source.close();
      rmSync(root, { recursive: true });
    });
    const names: string[] = [];
    for (const path of [[], ["folder"]]) {
      for (const { name } of (await source.list(path))?.entries ?? []) names.push(name);
    }
    assert.deepEqual(names, ["folder", "kept"]);
    assert.deepEqual(source.notMet(), ["exclude folder/tpm"]);
  });

  it("says of a file and a folder that they may not be read, and gives the others", async (t) => {
    const root = mkdtempSync(join(tmpdir(), "nines-source-"));
    mkdirSync(join(root, "folder"));
    for (const name of ["file", "open"]) writeFileSync(join(root, name), name);
    for (const name of ["file", "folder"]) chmodSync(join(root, name), 0);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) {
      chownSync(root, nobody, nobody);
      chownSync(join(root, "open"), nobody, nobody);
      process.seteuid?.(nobody);
    }
    const source = createFileTreeSource({ name: "data", path: root, exclude: [] });
    t.after(async () => {
      await source.close();
      if (isRoot) process.seteuid?.(0);
      rmSync(root, { recursive: true });
    });
    const listing = await source.list([]);
    assert.deepEqual(
      listing?.entries.map(({ name }) => name),
      ["file", "folder", "open"],
    );
    const refused = (name: string) => ({
      code: "NINES_BACKUP_SOURCE",
      message: `${join(root, name)} may not be read (EACCES).`,
    });
    await assert.rejects(source.read(["file"]), refused("file"));
    await assert.rejects(source.list(["folder"]), refused("folder"));
    const reader = (await source.read(["open"])) ?? assert.fail("it is there");
    assert.deepEqual(await reader.next(new Uint8Array(9)), { kind: "bytes", length: 4 });
    await reader.close();
  });
});
