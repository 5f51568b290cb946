// The shipped unit: systemd understands every line of it, the lines that everything rests on are
// there, and each command in it is one that `nines` has.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Actions } from "../src/program/cli/actions.ts";
import { buildCommandLine } from "../src/program/cli/command-line.ts";

const file = join(import.meta.dirname, "..", "..", "systemd", "nines.service");
const unit = readFileSync(file, "utf8");

describe("systemd/nines.service", () => {
  const lines: readonly (readonly [string, string])[] = [
    ["Restart=always", "control comes back"],
    ["KillMode=process", "instances and gateway outlive control"],
    ["OOMPolicy=continue", "an instance out of memory is not the unit's end"],
    ["StartLimitIntervalSec=0", "control is never given up"],
  ];
  for (const [line, why] of lines) {
    it(`has ${line}: ${why}`, () => assert.ok(unit.split("\n").includes(line)));
  }

  it("stops with down, reloads with apply, starts with up: options and all", () => {
    const asked: string[] = [];
    const action = (name: string) => async () => {
      asked.push(name);
      return 0;
    };
    const actions = { up: action("up"), down: action("down"), apply: action("apply") };
    for (const [, words = ""] of unit.matchAll(/^Exec\w+=\/usr\/bin\/nines (.+)$/gm)) {
      const line = buildCommandLine(actions as unknown as Actions, "0", () => undefined);
      line.parse(words.split(" "), { from: "user" });
    }
    assert.deepEqual(asked, ["up", "apply", "down"]);
  });

  it("is understood by systemd without a complaint", (t) => {
    const there = spawnSync("systemd-analyze", ["--version"]).status === 0;
    if (!there) return t.skip("systemd-analyze is not installed");
    const folder = mkdtempSync(join(tmpdir(), "nines-systemd-"));
    const installed = join(folder, "nines.service");
    // Verifying looks for the program, too.
    writeFileSync(installed, unit.replaceAll("/usr/bin/nines", "/bin/true"));
    const { stderr, status } = spawnSync("systemd-analyze", ["verify", "--man=no", installed], {
      encoding: "utf8",
    });
    rmSync(folder, { recursive: true });
    const complaints = stderr.split("\n").filter((line) => line.includes("nines.service"));
    assert.deepEqual(complaints, []);
    assert.equal(status, 0);
  });
});
