// The completion scripts, in the shells themselves where they are installed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Actions } from "./actions.ts";
import { leavesOf, pathOf, buildCommandLine } from "./command-line.ts";
import { exitCodeNotes } from "./exit-codes.ts";
import { completionScript } from "./completion.ts";

const program = join(import.meta.dirname, "..", "main.js");
const nines = buildCommandLine({} as Actions, "", () => undefined);

/** What bash offers for the last word of a line; `nines` itself is a function that says who asked. */
function offered(line: string): readonly string[] {
  const words = line.split(" ");
  const script = `
${completionScript("bash")}
nines() { [[ "$1 $2" == "completion --names" ]] && echo "$3-1 $3-2 \${*:4}"; }
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_nines
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  return stdout.split("\n").filter((word) => word !== "");
}

describe("completion in bash", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["nines statu", ["status"]],
    ["nines control ", ["restart"]],
    ["nines status --j", ["--json"]],
    ["nines scale ", ["service-1", "service-2"]],
    ["nines scale web ", []],
    ["nines drain instance-2", ["instance-2"]],
    ["nines logs web-1 any-1", ["any-1"]],
    ["nines drain --state-dir /srv/x ", ["instance-1", "instance-2", "--state-dir", "/srv/x"]],
    ["nines completion ", ["bash", "zsh", "fish"]],
    ["nines nonsense ", []],
  ];
  for (const [line, expected] of cases) {
    it(`offers for "${line}" ${expected.join(", ") || "nothing"}`, () => {
      assert.deepEqual(offered(line), expected);
    });
  }

  it("offers every command and every option that the parser takes", () => {
    for (const command of leavesOf(nines)) {
      const path = pathOf(command).split(" ");
      const typed = ["nines", ...path.slice(0, -1), ""].join(" ");
      assert.ok(offered(typed).includes(path.at(-1) ?? ""), pathOf(command));
      const flags = offered(`nines ${pathOf(command)} --`);
      for (const { long } of command.options) assert.ok(flags.includes(long ?? ""), long);
    }
  });
});

describe("completion in other shells", () => {
  for (const shell of ["zsh", "fish"] as const) {
    const installed = spawnSync(shell, ["--version"]).status === 0;
    it(`is a script that ${shell} reads`, { skip: !installed && `${shell} is not here` }, () => {
      const words = ["-n", "-c", completionScript(shell)];
      const { stderr, status } = spawnSync(shell, words, { encoding: "utf8" });
      assert.equal(stderr, "");
      assert.equal(status, 0);
    });
  }
});

describe("completion in fish", () => {
  const installed = spawnSync("fish", ["--version"]).status === 0;
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["nines statu", ["status"]],
    ["nines control ", ["restart"]],
    ["nines status --js", ["--json"]],
    ["nines drain inst", ["instance-1"]],
    ["nines completion z", ["zsh"]],
  ];
  for (const [line, expected] of cases) {
    it(`offers for "${line}" ${expected.join(", ")}`, { skip: !installed && "no fish" }, () => {
      const script = `${completionScript("fish")}
function nines; echo $argv[3]-1; end
complete -C '${line}'`;
      const { stdout, stderr } = spawnSync("fish", ["-N", "-c", script], { encoding: "utf8" });
      const words = stdout.split("\n").map((row) => row.split("\t")[0] ?? "");
      assert.deepEqual(
        words.filter((word) => word !== ""),
        expected,
        stderr,
      );
    });
  }
});

describe("exit codes", () => {
  const run = (...words: readonly string[]) => {
    const folder = mkdtempSync(join(tmpdir(), "nines-codes-"));
    const { status } = spawnSync(process.execPath, [program, ...words], { cwd: folder });
    rmSync(folder, { recursive: true });
    return status;
  };

  it("are 0 for what is done, 2 for a wrong line or file, 3 where nothing runs", () => {
    assert.equal(run("version"), 0);
    assert.equal(run("completion", "bash"), 0);
    assert.equal(run("completion", "tcsh"), 2);
    assert.equal(run("frobnicate"), 2);
    assert.equal(run("check"), 2);
    assert.equal(run("status"), 3);
    assert.equal(run("scale", "web", "2"), 3);
    assert.equal(run("completion", "--names", "any"), 3);
  });

  it("are noted for commands that there are", () => {
    const paths = leavesOf(nines).map(pathOf);
    for (const path of Object.keys(exitCodeNotes)) assert.ok(paths.includes(path), path);
  });
});
