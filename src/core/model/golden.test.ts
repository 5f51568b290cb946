// How many published examples there are, counted where they stand, and that each source named is
// one that something was taken from.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { sources } from "./golden.fixture.ts";

const examplesMin = 60;
const folder = join(import.meta.dirname, "..", "..", "..", "..", "src", "core", "model");

it("at least 60 published examples come out as they were published, from every source", (t) => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const tests = files.filter((name) => name.endsWith(".test.ts") && name !== "golden.test.ts");
  const text = tests.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  const used = [...text.matchAll(/^ *published\(\s*"(\w+)",\s*"([^"]+)"/gm)];
  const examples = new Set(used.map(([, source, example]) => `${source}: ${example}`));
  t.diagnostic(`${examples.size} examples of ${Object.keys(sources).length} sources`);
  assert.ok(examples.size >= examplesMin, `${examples.size}`);
  assert.equal(examples.size, used.length, "no example is there twice");
  assert.deepEqual(new Set(used.map(([, source]) => source)), new Set(Object.keys(sources)));
});
