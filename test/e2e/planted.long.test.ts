// The end-to-end tests, tested: each fault planted in a copy of the build breaks one promise of the
// program, and the named test has to fail.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

interface Fault {
  readonly name: string;
  /** Built file, from `dist/`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly tests: string;
  /** Part of the name of the test that has to find it. */
  readonly finder: string;
}

const faults: readonly Fault[] = [
  {
    name: "a wrong file keeps control from coming back",
    file: "src/program/roles/kept-control.js",
    find: "if (!(error instanceof NinesError) || kept === undefined)",
    replace: "",
    tests: "detached",
    finder: "has become wrong",
  },
  {
    name: "nobody replaces a killed keeper",
    file: "src/program/roles/control.js",
    find: 'startRole("keeper", words, state.controlLog);',
    replace: "",
    tests: "detached",
    finder: "a killed keeper",
  },
  {
    name: "a replaced control goes on",
    file: "src/program/roles/control.js",
    find: 'this.#end({ kind: "replaced" });',
    replace: "{}",
    tests: "without-control",
    finder: "finds itself replaced",
  },
  {
    name: "down waits for a hung control",
    file: "src/program/cli/down.js",
    find: 'signalExactly(holder.identity, "SIGKILL");',
    replace: "",
    tests: "without-control",
    finder: "do not wait for a control",
  },
  {
    name: "idle clients hold up the end",
    file: "src/gateway/parent/parent.js",
    find: "final: this.#stopping",
    replace: "final: false",
    tests: "clients-and-end",
    finder: "keeps its connection",
  },
  {
    name: "a second signal hurries nobody",
    file: "src/program/roles/control.js",
    find: "this.#hurry.abort();",
    replace: "{}",
    tests: "clients-and-end",
    finder: "at once when asked twice",
  },
  {
    name: "a first start that cannot listen goes on",
    file: "src/program/roles/control.js",
    find: 'const fatal = first && error.code !== "NINES_GATEWAY_NOT_SERVING";',
    replace: "const fatal = false;",
    tests: "bad-world",
    finder: "whose port is taken",
  },
  {
    name: "apply follows a file before it is judged",
    file: "src/program/config-file.js",
    find: "throw new NinesError(parsed.code, formatProblems(file, parsed.problems).trimEnd());",
    replace: 'return { config: { file, services: [] }, warnings: "" };',
    tests: "operate",
    finder: "a wrong file changes nothing",
  },
];

describe("a planted fault is found:", () => {
  for (const fault of faults) {
    it(fault.name, () => {
      const copy = mkdtempSync(join(tmpdir(), "nines-planted-"));
      try {
        const output = runWith(fault, copy);
        assert.match(
          output,
          new RegExp(`^not ok .*${fault.finder}|    not ok .*${fault.finder}`, "m"),
        );
      } finally {
        rmSync(copy, { recursive: true, force: true });
      }
    });
  }
});

/** A fault often shows as something that never happens: that is soon believed here. */
const soonBelieved = { find: "WITHIN_MS = 30_000", replace: "WITHIN_MS = 8_000" };

function plant(file: string, { find, replace }: Pick<Fault, "find" | "replace">): void {
  const text = readFileSync(file, "utf8");
  assert.equal(text.split(find).length, 2, `"${find}" is once in ${file}`);
  writeFileSync(
    file,
    text.replace(find, () => replace),
  );
}

function runWith({ file, find, replace, tests, finder }: Fault, copy: string): string {
  const root = join(import.meta.dirname, "..", "..", "..");
  cpSync(join(root, "dist"), join(copy, "dist"), { recursive: true });
  for (const name of ["node_modules", "package.json"])
    symlinkSync(join(root, name), join(copy, name));
  plant(join(copy, "dist", file), { find, replace });
  const e2e = join(copy, "dist", "test", "e2e");
  plant(join(e2e, "nines.fixture.js"), soonBelieved);
  const test = join(e2e, `${tests}.process.test.js`);
  const words = ["--test", "--test-reporter=tap", `--test-name-pattern=${finder}`, test];
  // A test inside a test would report to the outer runner, not to us.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = spawnSync(process.execPath, words, { encoding: "utf8", timeout: 120_000, env });
  return run.stdout;
}
