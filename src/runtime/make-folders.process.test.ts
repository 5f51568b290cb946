// Where folders cannot be made the kernel's own word is told, and soon.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createDisk } from "./disk.ts";
import { makeFolders, makeFoldersSync } from "./make-folders.ts";

const nobody = 65_534;
const ways = { makeFolders, makeFoldersSync: async (path: string) => makeFoldersSync(path) };

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-folders-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

for (const [name, make] of Object.entries(ways)) {
  describe(name, () => {
    it("makes all that is missing, for its owner alone, and says where it began", async (t) => {
      const root = scratch(t);
      const path = join(root, "a", "b", "c");
      assert.equal(await make(path), join(root, "a"));
      assert.equal(statSync(join(root, "a")).mode & 0o777, 0o700);
      assert.equal(await make(path), undefined);
      assert.equal(await make(join(path, "d")), join(path, "d"));
      assert.ok(existsSync(join(path, "d")));
    });

    it("says what the kernel says where none can be made", async (t) => {
      const root = scratch(t);
      writeFileSync(join(root, "file"), "");
      await assert.rejects(make(join(root, "file", "a", "b")), { code: "ENOTDIR" });
      await assert.rejects(make("/proc/nowhere/at/all"), { code: "ENOENT" });
      await assert.rejects(make(""), { code: "ENOENT" });
    });
  });
}

/** A process sees mounts of its own where it may make them. */
const mayMount = spawnSync("unshare", ["--mount", "true"]).status === 0;

describe("a folder of a disk", () => {
  it("is said to be on a disk that may only be read", { skip: !mayMount }, (t) => {
    const root = scratch(t);
    const module = join(import.meta.dirname, "disk.js");
    const program = `const { createDisk } = await import(${JSON.stringify(module)});
      const opening = createDisk().openFolder("${root}/a/b", { create: true });
      await opening.catch(({ kind, message }) => console.log(kind, message));`;
    const script = 'mount -t tmpfs -o ro none "$1" && exec "$2" --input-type=module -e "$3"';
    const shell = ["sh", "-c", script, "sh", root, process.execPath, program];
    const { stdout, stderr } = spawnSync("unshare", ["--mount", ...shell], { encoding: "utf8" });
    assert.match(stdout, /^read-only cannot make .*EROFS/, stderr);
  });

  it("is refused in the kernel's words where it cannot be made", async (t) => {
    const root = scratch(t);
    writeFileSync(join(root, "file"), "");
    const disk = createDisk();
    const open = (path: string) => disk.openFolder(path, { create: true });
    await assert.rejects(open("/proc/nowhere/at/all"), { message: /^cannot make .*ENOENT/ });
    await assert.rejects(open(join(root, "file")), { message: /^cannot open .*ENOTDIR/ });
    await assert.rejects(open(join(root, "file", "a")), { message: /^cannot make .*ENOTDIR/ });
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(nobody);
    try {
      // Its owner's alone, or root's.
      const elsewhere = isRoot ? join(root, "a", "b") : "/a/b";
      await assert.rejects(open(elsewhere), { kind: "not-allowed", message: /EACCES/ });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});
