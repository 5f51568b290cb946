// A restore writes below its root and nowhere else, whatever a vault says.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { NinesError } from "../core/base/errors.ts";
import type { Bulk, SealedChunk } from "../core/vault/crypto.ts";
import type { EntryFacts } from "../core/vault/entry.ts";
import type { TreePlace } from "../ports/tree-place.ts";
import { bulkHere, createBulkThreads } from "./bulk-threads.ts";
import { createFileTreePlace } from "./file-tree-place.ts";
import { sealedChunkOf } from "./sealed-chunk.fixture.ts";

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
  return {
    root,
    outside,
    tree: await createFileTreePlace({ root, mayHold: false, bulk: bulkHere }),
  };
}

async function write(tree: TreePlace, path: readonly string[], text: string): Promise<void> {
  const writer = await tree.openFile(path, text.length, facts);
  if (writer === undefined) return;
  assert.equal(await writer.write(sealedChunkOf(Buffer.from(text)), 0), true);
  await writer.finish(facts);
}

/** What this process has open below the folder, under names that it may have no more. */
function openBelow(folder: string): readonly string[] {
  const open = readdirSync("/proc/self/fd").map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      // It was that of the folder that was read.
      return "";
    }
  });
  return open.filter((path) => path.startsWith(`${folder}/`));
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
    const small = { name: "file", facts, chunk: undefined };
    await assert.rejects(tree.putFiles(["way"], [small]), /leads through a link/);
    await assert.rejects(tree.linkSame(["same"], ["way", "file"]), /leads through a link/);
    await assert.rejects(tree.finishFolder(["way"], facts), /leads through a link/);
    const attributes = [{ name: "user.one", value: Buffer.from("1") }];
    await assert.rejects(tree.finishFolder(["way"], { ...facts, attributes }), /through a link/);
    symlinkSync("../outside", join(root, "file"));
    await write(tree, ["file"], "new");
    assert.equal(readFileSync(join(elsewhere, "outside"), "utf8"), "untouched");
    assert.equal(readFileSync(join(root, "file"), "utf8"), "new");
  });

  it("says in words where no folder can be made, and when there is no room left", async (t) => {
    const { root, outside } = await place(t);
    for (const where of [outside, join(outside, "below"), "/proc/nowhere/at/all"]) {
      const making = createFileTreePlace({ root: where, mayHold: false, bulk: bulkHere });
      await assert.rejects(making, {
        code: "NINES_RESTORE_PLACE",
        message: /cannot be made a fold/,
      });
    }
    const full = async () => {
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    };
    const bulk = { openTo: full, makeFiles: full };
    const tree = await createFileTreePlace({ root, mayHold: false, bulk });
    const refused = { code: "NINES_RESTORE_PLACE", message: /^file .*: there is no room left\.$/ };
    await assert.rejects(write(tree, ["file"], "x"), refused);
    const files = ["file", "other"].map((name) => ({ name, facts, chunk: undefined }));
    await assert.rejects(tree.putFiles([], files.slice(0, 1)), refused);
    const several = {
      ...refused,
      message: /^What is in the root cannot .*: there is no room left\.$/,
    };
    await assert.rejects(tree.putFiles([], files), several);
    await tree.close();
  });

  it("gives files, folders and links their times, to the microsecond, also before 1970", async (t) => {
    const { tree, root } = await place(t);
    // From 1953 to 2035, for some disks end in 2038; every microsecond as likely as another.
    const some = Array.from({ length: 60 }, (_, n) => BigInt(n - 12) * 44_000_000_012_347n);
    for (const [at, microseconds] of [-1_500_000n, -1n, 0n, 1n, ...some].entries()) {
      const timed = { ...facts, modifiedNs: microseconds * 1_000n };
      const names = { file: `file-${at}`, folder: `folder-${at}`, link: `link-${at}` };
      await tree.putFiles([], [{ name: names.file, facts: timed, chunk: undefined }]);
      await tree.makeFolder([names.folder]);
      await tree.finishFolder([names.folder], timed);
      await tree.makeLink([names.link], "nowhere", timed);
      for (const name of Object.values(names)) {
        const { mtimeNs } = lstatSync(join(root, name), { bigint: true });
        // Newer Nodes keep nanoseconds, and get what lies in the middle.
        const offNs = mtimeNs - timed.modifiedNs;
        assert.ok(
          offNs > -1_000n && offNs < 1_000n,
          `${name}: ${microseconds} us, off ${offNs} ns`,
        );
        if (microseconds >= 0n) assert.equal(mtimeNs / 1_000n, microseconds, name);
      }
    }
  });

  it("leaves no file that looks whole when it is abandoned", async (t) => {
    const { tree, root } = await place(t);
    const writer = await tree.openFile(["file"], 10, facts);
    await writer?.write(sealedChunkOf(Buffer.from("half")), 0);
    await writer?.abandon();
    assert.ok(!existsSync(join(root, "file")));
  });

  it("leaves nothing of a file that it may not make or finish, and nothing open", async (t) => {
    const { tree, root } = await place(t);
    t.after(() => tree.close());
    // No file has so many bytes.
    await assert.rejects(tree.openFile(["endless"], 2 ** 60, facts));
    await tree.makeFolder(["taken"]);
    const writer = (await tree.openFile(["taken"], 2_000_000, facts)) ?? assert.fail();
    assert.ok(openBelow(root).length > 0);
    await assert.rejects(writer.finish(facts), { code: "NINES_RESTORE_PLACE", message: /EISDIR/ });
    assert.deepEqual(readdirSync(root), ["taken"]);
    assert.deepEqual(openBelow(root), []);
    await writer.abandon();
  });

  it("takes away what a killed restore has left, and nothing that lives", async (t) => {
    const { tree, root } = await place(t);
    await tree.makeFolder(["folder"]);
    // No process has this id: the kernel gives none above 2^22.
    const left = ["", "folder"].map((folder) => join(root, folder, ".nines-restore.4194305.1"));
    const kept = [`.nines-restore.${process.pid}.9`, ".nines-restore", "other.nines-restore.1.1"];
    for (const file of [...left, ...kept.map((name) => join(root, name))]) writeFileSync(file, "");
    const next = await createFileTreePlace({ root, mayHold: true, bulk: bulkHere });
    await next.makeFolder(["folder"]);
    await next.close();
    assert.deepEqual(readdirSync(root).sort(), [...kept, "folder"].sort());
    assert.deepEqual(readdirSync(join(root, "folder")), []);
  });

  it("passes over files that an earlier restore has finished", async (t) => {
    const { root, tree: earlier } = await place(t);
    await write(earlier, ["file"], "whole");
    await earlier.close();
    const tree = await createFileTreePlace({ root, mayHold: true, bulk: bulkHere });
    t.after(() => tree.close());
    assert.equal(await tree.openFile(["file"], 5, facts), undefined);
    const other = { ...facts, modifiedNs: facts.modifiedNs + 1_000_000_000n };
    const kept = { name: "file", facts, sizeBytes: 5 };
    const others = [
      { ...kept, facts: other },
      { ...kept, sizeBytes: 6 },
      { ...kept, name: "no" },
    ];
    const found = await tree.findFinished([], [kept, ...others]);
    assert.deepEqual(found, [true, false, false, false]);
    const again = await tree.openFile(["file"], 5, other);
    assert.ok(again !== undefined);
    await again.abandon();
  });

  it("writes large files on threads, whatever their chunks begin and end with", async (t) => {
    const threads = createBulkThreads(2);
    t.after(() => threads.close());
    const { root } = await place(t);
    const tree = await createFileTreePlace({ root, mayHold: false, bulk: threads.bulk });
    const whole = randomBytes(3_500_000);
    // 9 bytes beside blocks, less than a block, whole blocks, a hole; not in their order.
    const ends = [0, 1_000_009, 1_001_000, 2_097_152, 2_101_248, 2_400_000, 3_400_001];
    whole.fill(0, 2_101_248, 2_400_000);
    whole.fill(0, 3_400_001);
    const writer = (await tree.openFile(["file"], whole.length, facts)) ?? assert.fail();
    const parts = ends.slice(1).map((end, at) => [ends[at] ?? 0, end] as const);
    const written = parts.filter(([start]) => start !== 2_101_248).reverse();
    await Promise.all(
      written.map(async ([start, end]) => {
        const chunk = sealedChunkOf(whole.subarray(start, end));
        assert.equal(await writer.write(chunk, start), true);
      }),
    );
    await writer.finish(facts);
    assert.ok(readFileSync(join(root, "file")).equals(whole));
  });

  it("makes small files in their folder, wherever it goes meanwhile and when it closes", async (t) => {
    const { root } = await place(t);
    const waiting: (() => void)[] = [];
    const makeFiles: Bulk["makeFiles"] = async (...given) => {
      await new Promise<void>((goOn) => waiting.push(goOn));
      return bulkHere.makeFiles(...given);
    };
    const bulk = { ...bulkHere, makeFiles };
    const tree = await createFileTreePlace({ root, mayHold: false, bulk });
    const small = (name: string) => [{ name, facts, chunk: undefined }];
    for (const path of [["a"], ["b"], ["b", "c"]]) await tree.makeFolder(path);
    const first = tree.putFiles(["a"], small("first"));
    await write(tree, ["b", "c", "other"], "x");
    waiting.shift()?.();
    assert.deepEqual(await first, ["made"]);
    const second = tree.putFiles(["a"], small("second"));
    await tree.close();
    waiting.shift()?.();
    assert.deepEqual(await second, ["made"]);
    assert.deepEqual(openBelow(root), []);
    const found = readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
    assert.deepEqual(found, ["a", "a/first", "a/second", "b", "b/c", "b/c/other"]);
  });

  it("makes small files whole or not at all, and says which", async (t) => {
    const threads = createBulkThreads(2);
    t.after(() => threads.close());
    const { root, tree: earlier } = await place(t);
    await write(earlier, ["there"], "other");
    await earlier.close();
    const tree = await createFileTreePlace({ root, mayHold: true, bulk: threads.bulk });
    t.after(() => tree.close());
    const right = sealedChunkOf(Buffer.from("right"));
    const wrong = { ...right, sealed: right.sealed.map((byte, at) => byte ^ (at === 2 ? 1 : 0)) };
    const file = (name: string, chunk: SealedChunk | undefined) => ({ name, facts, chunk });
    const [there, empty] = [file("there", right), file("empty", undefined)];
    const files = [file("right", right), file("wrong", wrong), empty, there];
    assert.deepEqual(await tree.putFiles([], files), ["made", "wrong", "made", "made"]);
    assert.deepEqual(readdirSync(root).sort(), ["empty", "right", "there"]);
    for (const name of ["right", "there"]) {
      assert.equal(readFileSync(join(root, name), "utf8"), "right");
    }
    const { mode, mtimeMs } = statSync(join(root, "empty"));
    assert.deepEqual([mode & 0o7777, mtimeMs], [facts.mode, 1_700_000_000_000]);
    await assert.rejects(tree.putFiles([], [file("../outside", right)]), NinesError);
  });
});
