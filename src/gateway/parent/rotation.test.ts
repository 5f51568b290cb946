// A file that is too large moves on to FILE.1, the older ones with it; no more than are to be kept.
// A disk that hangs is waited for by nobody.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { Rotation, rotateIfLarge } from "./rotation.ts";

const folder = mkdtempSync(join(tmpdir(), "nines-rotation-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "access.log");
const kept = (): readonly string[] =>
  readdirSync(folder)
    .sort()
    .map((name) => `${name} ${readFileSync(join(folder, name), "utf8")}`);

it("leaves a file alone that is not too large, and one that is not there", async () => {
  assert.equal(await rotateIfLarge(file, 3, 2), false);
  assert.equal(await rotateIfLarge(join(folder, "nowhere", "access.log"), 3, 2), false);
  writeFileSync(file, "abc");
  assert.equal(await rotateIfLarge(file, 3, 2), false);
  assert.deepEqual(kept(), ["access.log abc"]);
});

it("keeps so many, the newest as FILE.1, and fewer when fewer are to be kept", async () => {
  for (const text of ["first", "second", "third"]) {
    writeFileSync(file, text);
    assert.equal(await rotateIfLarge(file, 3, 2), true);
  }
  assert.deepEqual(kept(), ["access.log.1 third", "access.log.2 second"]);
  writeFileSync(file, "fourth");
  await rotateIfLarge(file, 3, 1);
  assert.deepEqual(kept(), ["access.log.1 fourth"]);
  writeFileSync(file, "fifth");
  await rotateIfLarge(file, 3, 0);
  assert.deepEqual(kept(), []);
});

it("asks a disk that hangs once, says so once, and goes on when it has answered", async () => {
  const said: string[] = [];
  let asked = 0;
  let answer: () => void = () => undefined;
  const rotate = async (): Promise<boolean> => {
    asked++;
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return false;
  };
  const rotation = new Rotation({ say: (sentence) => said.push(sentence), rotate });
  for (let nowMs = 0; nowMs <= 30_000; nowMs += 1_000) rotation.look("a.log", 1, 1, nowMs);
  assert.equal(asked, 1);
  assert.deepEqual(said, ["a.log may grow on: its disk has not answered for 10 s"]);
  answer();
  await new Promise((resolve) => setImmediate(resolve));
  rotation.look("a.log", 1, 1, 31_000);
  assert.equal(asked, 2);
});

it("looks at another file while the first one's disk hangs, and names the right one", async () => {
  const said: string[] = [];
  const asked: string[] = [];
  let fail: (error: Error) => void = () => undefined;
  const rotate = async (name: string): Promise<boolean> => {
    asked.push(name);
    if (name !== "hung.log") return true;
    return await new Promise<boolean>((_, reject) => {
      fail = reject;
    });
  };
  const rotation = new Rotation({ say: (sentence) => said.push(sentence), rotate });
  const look = async (name: string, nowMs: number): Promise<void> => {
    rotation.look(name, 1, 1, nowMs);
    await new Promise((resolve) => setImmediate(resolve));
  };
  await look("hung.log", 0);
  for (const nowMs of [10_000, 11_000]) await look("other.log", nowMs);
  assert.deepEqual(asked, ["hung.log", "other.log", "other.log"]);
  assert.deepEqual(said, []);
  // Back at the first, which still owes its answer and is not asked again.
  for (const nowMs of [12_000, 13_000]) await look("hung.log", nowMs);
  assert.equal(asked.length, 3);
  assert.deepEqual(said, ["hung.log may grow on: its disk has not answered for 10 s"]);
  await look("other.log", 14_000);
  fail(new Error("EIO"));
  await look("other.log", 15_000);
  assert.equal(said.length, 1, "nobody writes to it any more");
  await look("hung.log", 16_000);
  assert.equal(asked.at(-1), "hung.log");
});

it("says once why it cannot, and again for another reason or after it could", async () => {
  const said: string[] = [];
  let why: string | undefined = "EACCES";
  const rotate = async (): Promise<boolean> => {
    if (why !== undefined) throw new Error(why);
    return true;
  };
  const rotation = new Rotation({ say: (sentence) => said.push(sentence), rotate });
  for (const next of ["EACCES", "EACCES", "EROFS", undefined, "EROFS"]) {
    why = next;
    rotation.look("a.log", 1, 1, 0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const grows = ["EACCES", "EROFS", "EROFS"].map((code) => `a.log grows on: ${code}`);
  assert.deepEqual(said, grows);
});
