// The loader's cases: each `config/NAME.yaml` with what becomes of it beside it, the Config in
// `NAME.json`, or what `nines check` prints in `NAME.txt` (both, where there are warnings only).
// NINES_REWRITE=1 writes them anew; read the difference before you commit it.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseConfig } from "../../src/config/load.ts";
import { formatProblems } from "../../src/config/problems.ts";

const folder = join(import.meta.dirname, "..", "..", "..", "test", "golden", "config");
const rewrite = process.env["NINES_REWRITE"] === "1";

interface Outcome {
  readonly json: string;
  readonly txt: string;
}

function outcomeOf(name: string): Outcome {
  const text = readFileSync(join(folder, `${name}.yaml`), "utf8");
  const file = `/srv/shop/${name}.yaml`;
  const parsed = parseConfig({ file, format: "yaml", text, cores: 4 });
  const problems = parsed.ok ? parsed.warnings : parsed.problems;
  const code = parsed.ok ? "" : `${parsed.code}\n\n`;
  return {
    json: parsed.ok ? `${JSON.stringify(parsed.config, undefined, 2)}\n` : "",
    txt: problems.length === 0 ? "" : code + formatProblems(`${name}.yaml`, problems),
  };
}

/** An outcome that is empty has no file. */
function compare(path: string, actual: string): void {
  if (rewrite) {
    if (actual === "") rmSync(path, { force: true });
    else writeFileSync(path, actual);
  }
  assert.equal(actual, existsSync(path) ? readFileSync(path, "utf8") : "", path);
}

describe("golden configuration files", () => {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => name.slice(0, -".yaml".length));

  for (const name of names) {
    it(name.replaceAll("-", " "), () => {
      const { json, txt } = outcomeOf(name);
      compare(join(folder, `${name}.json`), json);
      compare(join(folder, `${name}.txt`), txt);
    });
  }

  it("are at least one of each kind", () => {
    const outcomes = names.map(outcomeOf);
    assert.ok(
      outcomes.some(({ json, txt }) => json !== "" && txt === ""),
      "a good file",
    );
    assert.ok(
      outcomes.some(({ json, txt }) => json !== "" && txt !== ""),
      "a file with warnings",
    );
    assert.ok(
      outcomes.some(({ txt }) => txt.startsWith("NINES_CONFIG_SYNTAX")),
      "bad syntax",
    );
    assert.ok(
      outcomes.some(({ txt }) => txt.startsWith("NINES_CONFIG_INVALID")),
      "bad content",
    );
  });
});
