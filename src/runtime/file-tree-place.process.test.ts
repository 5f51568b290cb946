// A restore writes below its root and nowhere else, whatever a vault says.

import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { NinesError } from "../core/base/errors.ts";
import type { EntryFacts } from "../core/vault/entry.ts";
import type { TreePlace } from "../ports/tree-place.ts";
import { createFileTreePlace } from "./file-tree-place.ts";

const facts: EntryFacts = {
  mode: 0o600,
  userId: process.getuid?.() ?? 0,
  groupId: process.getgid?.() ?? 0,
  modifiedNs: 1_700_000_000_000_000_000n,
  attributes: [],
};

async function place(t: TestContext): Promise<{ root: string; outside: string; tree: TreePlace }> {
  const folder = mkdtempSync(join(tmpdir(), "nines-restore-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [root, outside] = [join(folder, "root"), join(folder, "outside")];
  writeFileSync(outside, "untouched");
  return { root, outside, tree: await createFileTreePlace({ root, mayHold: false }) };
}

async function write(tree: TreePlace, path: readonly string[], text: string): Promise<void> {
  const writer = await tree.openFile(path, text.length, facts);
  await writer?.write(Buffer.from(text), 0);
  await writer?.finish(text.length, facts);
}

describe("a place to restore to", () => {
  it("refuses names that lead elsewhere", async (t) => {
    const { tree, outside } = await place(t);
    for (const name of ["..", ".", "", "a/b", "../outside", "a\0b"]) {
      await assert.rejects(write(tree, [name], "x"), NinesError);
      await assert.rejects(tree.makeFolder([name]), NinesError);
      await assert.rejects(tree.makeLink([name], "x", facts), NinesError);
    }
    assert.equal(readFileSync(outside, "utf8"), "untouched");
  });

  it("does not go through a link that it has made itself, or that somebody put there", async (t) => {
    const { tree, root } = await place(t);
    const elsewhere = join(root, "..");
    await tree.makeLink(["way"], elsewhere, facts);
    await assert.rejects(write(tree, ["way", "file"], "x"), /leads through a link/);
    await assert.rejects(tree.makeFolder(["way"]), /no folder/);
    await assert.rejects(tree.finishFolder(["way"], facts));
    symlinkSync("../outside", join(root, "file"));
    await write(tree, ["file"], "new");
    assert.equal(readFileSync(join(elsewhere, "outside"), "utf8"), "untouched");
    assert.equal(readFileSync(join(root, "file"), "utf8"), "new");
  });

  it("leaves no file that looks whole when it is abandoned", async (t) => {
    const { tree, root } = await place(t);
    const writer = await tree.openFile(["file"], 10, facts);
    await writer?.write(Buffer.from("half"), 0);
    await writer?.abandon();
    assert.ok(!existsSync(join(root, "file")));
  });

  it("takes away what a killed restore has left, and nothing that lives", async (t) => {
    const { tree, root } = await place(t);
    await tree.makeFolder(["folder"]);
    // No process has this id: the kernel gives none above 2^22.
    const left = ["", "folder"].map((folder) => join(root, folder, ".nines-restore.4194305.1"));
    const kept = [`.nines-restore.${process.pid}.9`, ".nines-restore", "other.nines-restore.1.1"];
    for (const file of [...left, ...kept.map((name) => join(root, name))]) writeFileSync(file, "");
    const next = await createFileTreePlace({ root, mayHold: true });
    await next.makeFolder(["folder"]);
    await next.close();
    assert.deepEqual(readdirSync(root).sort(), [...kept, "folder"].sort());
    assert.deepEqual(readdirSync(join(root, "folder")), []);
  });

  it("passes over files that an earlier restore has finished", async (t) => {
    const { root, tree: earlier } = await place(t);
    await write(earlier, ["file"], "whole");
    await earlier.close();
    const tree = await createFileTreePlace({ root, mayHold: true });
    t.after(() => tree.close());
    assert.equal(await tree.openFile(["file"], 5, facts), undefined);
    const other = { ...facts, modifiedNs: facts.modifiedNs + 1_000_000_000n };
    const again = await tree.openFile(["file"], 5, other);
    assert.ok(again !== undefined);
    await again.abandon();
  });
});
