// The plan holds together, and the page that describes it describes all of it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { compared, ninesOnly } from "./plan.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const page = readFileSync(join(root, "docs", "internals", "benchmarks.md"), "utf8");
const all = [...compared.map(({ name }) => name), ...ninesOnly.map(({ name }) => name)];

describe("the scenarios of bench:failover", () => {
  it("have names of their own", () => {
    assert.equal(new Set(all).size, all.length);
  });

  it("are described in docs/internals/benchmarks.md, all of them and no others", () => {
    const rows = [...page.matchAll(/^\| `([^`]+)` \| (?:timed|idle|first|second|third)/gm)].map(
      ([, name]) => String(name),
    );
    assert.deepEqual(rows.toSorted(), all.toSorted());
  });

  it("have figures even when nothing could be measured, none of them ok", () => {
    for (const { name, promises } of [...compared, ...ninesOnly]) {
      const figures = promises([]);
      assert.ok(figures.length > 0, name);
      for (const figure of figures) assert.deepEqual([figure.value, figure.ok], [null, false]);
    }
  });
});
