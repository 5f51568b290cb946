// Extended attributes through a backup's hands: out of one tree, into another.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { readAttributes } from "./attributes.ts";
import { bulkHere } from "./bulk-threads.ts";
import { createFileTreePlace } from "./file-tree-place.ts";
import { createFileTreeSource } from "./file-tree-source.ts";
import { sealedChunkOf } from "./sealed-chunk.fixture.ts";

const hasTools = spawnSync("setfattr", ["--version"]).status === 0;
const skip = hasTools ? false : "setfattr and getfattr are not installed";

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-attributes-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function set(path: string, name: string, value: string): void {
  const { status, stderr } = spawnSync("setfattr", ["-h", "-n", name, "-v", value, path]);
  assert.equal(status, 0, String(stderr));
}

/** Of a path below a root, as text. */
async function attributesAt(root: string, path: string): Promise<Record<string, string>> {
  const { attributes } = await readAttributes(root);
  const found = attributes.get(path) ?? [];
  return Object.fromEntries(found.map(({ name, value }) => [name, Buffer.from(value).toString()]));
}

describe("extended attributes", () => {
  it("come back on files, folders and odd names, and nowhere else", { skip }, async (t) => {
    const [from, to, outside] = [newFolder(t), newFolder(t), newFolder(t)];
    mkdirSync(join(from, "sub"));
    for (const name of ["plain", "sub/li\nne", "sub/a=b"]) writeFileSync(join(from, name), name);
    writeFileSync(join(outside, "target"), "");
    symlinkSync(join(outside, "target"), join(from, "link"));
    set(join(from, "plain"), "user.one", "0x6f6e65");
    set(join(from, "plain"), "user.empty", "");
    set(join(from, "sub"), "user.folder", "0x78");
    set(join(from, "sub/li\nne"), "user.odd=", "0x79");
    set(join(from, "sub/a=b"), "user.b", "0x7a");
    await copy(from, to);
    assert.deepEqual(await attributesAt(to, "plain"), { "user.empty": "", "user.one": "one" });
    assert.deepEqual(await attributesAt(to, "sub"), { "user.folder": "x" });
    assert.deepEqual(await attributesAt(to, "sub/li\nne"), { "user.odd=": "y" });
    assert.deepEqual(await attributesAt(to, "sub/a=b"), { "user.b": "z" });
    assert.deepEqual(await attributesAt(outside, "target"), {});
    assert.equal(readFileSync(join(to, "sub/a=b"), "utf8"), "sub/a=b");
  });

  it("are set on files that a restore had made when it was cut off", { skip }, async (t) => {
    const [from, to] = [newFolder(t), newFolder(t)];
    const names = ["small", "large"];
    for (const root of [from, to]) {
      for (const name of names) {
        writeFileSync(join(root, name), "");
        utimesSync(join(root, name), 1_700_000_000, 1_700_000_000);
      }
    }
    for (const name of names) set(join(from, name), "user.one", "0x6f6e65");
    const source = createFileTreeSource({ name: "x", path: from, exclude: [] });
    const [large, small] = (await source.list([]))?.entries ?? [];
    await source.close();
    assert.ok(large?.kind === "file" && small?.kind === "file");
    const place = await createFileTreePlace({ root: to, mayHold: true, bulk: bulkHere });
    assert.deepEqual(await place.findFinished([], [small]), [true]);
    assert.equal(await place.openFile(["large"], 0, large.facts), undefined);
    await place.close();
    for (const each of names) {
      assert.deepEqual(await attributesAt(to, each), { "user.one": "one" }, each);
    }
  });

  it("of one file that is a source by itself are read alone", { skip }, async (t) => {
    const folder = newFolder(t);
    for (const name of ["one", "other"]) {
      writeFileSync(join(folder, name), "");
      set(join(folder, name), "user.name", "0x61");
    }
    const { attributes } = await readAttributes(folder, "one");
    assert.deepEqual([...attributes.keys()], ["one"]);
  });

  it("are named as not kept where there is no getfattr", async (t) => {
    const path = process.env["PATH"];
    t.after(() => {
      process.env["PATH"] = path;
    });
    process.env["PATH"] = "/nowhere";
    const source = createFileTreeSource({ name: "x", path: newFolder(t), exclude: [] });
    assert.deepEqual((await source.list([]))?.entries, []);
    assert.deepEqual(source.notKept(), ["extended attributes and ACLs: getfattr is not installed"]);
    await source.close();
  });
});

/** As a restore goes through a tree. */
async function copy(from: string, to: string): Promise<void> {
  const source = createFileTreeSource({ name: "x", path: from, exclude: [] });
  const place = await createFileTreePlace({ root: to, mayHold: true, bulk: bulkHere });
  const folder = async (path: readonly string[]): Promise<void> => {
    for (const entry of (await source.list(path))?.entries ?? []) {
      const inner = [...path, entry.name];
      if (entry.kind === "folder") {
        await place.makeFolder(inner);
        await folder(inner);
        await place.finishFolder(inner, entry.facts);
      } else if (entry.kind === "link") {
        await place.makeLink(inner, entry.pointsTo, entry.facts);
      } else {
        const writer = await place.openFile(inner, entry.sizeBytes, entry.facts);
        const reader = await source.read(inner);
        const bytes = new Uint8Array(entry.sizeBytes);
        await reader?.next(bytes);
        await reader?.close();
        assert.equal(await writer?.write(sealedChunkOf(bytes), 0), true);
        await writer?.finish(entry.facts);
      }
    }
  };
  await folder([]);
  await place.close();
  await source.close();
  assert.deepEqual(place.leftOut(), []);
}
