// The output of a real command: whole, or no snapshot.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { NinesError } from "../core/base/errors.ts";
import type { TreeSource } from "../ports/tree-source.ts";
import { type CommandSourceOptions, createCommandSource, outputName } from "./command-source.ts";

async function begin(
  t: TestContext,
  line: string,
  more: Partial<CommandSourceOptions> = {},
): Promise<TreeSource> {
  const tree = await createCommandSource({
    name: "dump",
    command: ["/bin/sh", "-c", line],
    workingDirectory: "/",
    environment: process.env,
    timeoutMs: 30_000,
    bytesMax: 1_000_000,
    ...more,
  }).begin();
  t.after(() => tree.close());
  return tree;
}

async function readAll(tree: TreeSource): Promise<string> {
  const reader = (await tree.read([outputName])) ?? assert.fail("no output");
  const buffer = new Uint8Array(1_000);
  let text = "";
  for (;;) {
    const piece = await reader.next(buffer);
    if (piece.kind === "end") break;
    text += Buffer.from(buffer.subarray(0, piece.length)).toString("latin1");
  }
  await reader.close();
  return text;
}

function says(wanted: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof NinesError && error.code === "NINES_BACKUP_COMMAND", String(error));
    assert.match(error.message, wanted);
    return true;
  };
}

describe("a command as a source", () => {
  it("gives all that it prints as one file, and is whole once it has ended well", async (t) => {
    const tree = await begin(t, "seq 100000; echo noise >&2");
    const names = (await tree.list([]))?.entries.map(({ name }) => name);
    assert.deepEqual(names, ["output"]);
    await assert.rejects(tree.confirm(), says(/was not read to the end/));
    const text = await readAll(tree);
    assert.equal(text.length, 588_895);
    assert.ok(text.endsWith("\n100000\n"));
    await tree.confirm();
  });

  it("is no whole when it ends with another code, and has said why", async (t) => {
    const tree = await begin(t, "echo half; echo no such table >&2; exit 3");
    await assert.rejects(
      readAll(tree),
      says(/^The command of dump gives no snapshot: it ended with code 3 .*saying "no such table"/),
    );
    await assert.rejects(tree.confirm(), says(/was not read/));
  });

  it("is no whole when a signal ends it, or when it cannot be run", async (t) => {
    await assert.rejects(
      readAll(await begin(t, "echo half; kill -9 $$")),
      says(/ended by SIGKILL/),
    );
    const missing = await begin(t, "", { command: ["/no/such/program"] });
    await assert.rejects(readAll(missing), says(/could not be run .*ENOENT/));
  });

  it("is no whole when it prints more than it may", async (t) => {
    const tree = await begin(t, "yes", { bytesMax: 100_000 });
    await assert.rejects(readAll(tree), says(/printed more than 98 KiB \(`maxSize`\)/));
  });

  it("is killed with all that it started when it is late", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "nines-command-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const pidFile = join(folder, "pid");
    const line = `sleep 1000 & echo $! > ${pidFile}; wait`;
    const tree = await begin(t, line, { timeoutMs: 300 });
    await assert.rejects(readAll(tree), says(/did not end within 300 ms \(`timeout`\)/));
    await tree.close();
    assert.ok(existsSync(pidFile));
    assert.ok(!lives(Number(readFileSync(pidFile, "utf8"))));
  });
});

function lives(pid: number): boolean {
  try {
    return /^State:\s+[^Z]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
