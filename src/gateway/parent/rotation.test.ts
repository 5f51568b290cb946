// A file that is too large moves on to FILE.1, the older ones with it; no more than are to be kept.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { rotateIfLarge } from "./rotation.ts";

const folder = mkdtempSync(join(tmpdir(), "nines-rotation-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "access.log");
const kept = (): readonly string[] =>
  readdirSync(folder)
    .sort()
    .map((name) => `${name} ${readFileSync(join(folder, name), "utf8")}`);

it("leaves a file alone that is not too large, and one that is not there", () => {
  assert.equal(rotateIfLarge(file, 3, 2), false);
  writeFileSync(file, "abc");
  assert.equal(rotateIfLarge(file, 3, 2), false);
  assert.deepEqual(kept(), ["access.log abc"]);
});

it("keeps so many, the newest as FILE.1, and fewer when fewer are to be kept", () => {
  for (const text of ["first", "second", "third"]) {
    writeFileSync(file, text);
    assert.equal(rotateIfLarge(file, 3, 2), true);
  }
  assert.deepEqual(kept(), ["access.log.1 third", "access.log.2 second"]);
  writeFileSync(file, "fourth");
  rotateIfLarge(file, 3, 1);
  assert.deepEqual(kept(), ["access.log.1 fourth"]);
  writeFileSync(file, "fifth");
  rotateIfLarge(file, 3, 0);
  assert.deepEqual(kept(), []);
});
