// `nines plan`, as a shell runs it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { PlanReport } from "../predict/plan-report.ts";

const program = join(import.meta.dirname, "..", "main.js");

const file = `
services:
  web: { command: node web.js, replicas: 2, health: { http: /healthz } }
  db: { endpoints: ["10.0.0.1:5432", "10.0.0.2:5432"], failover: { mode: primary-standby } }
gateway:
  listen: [{ address: ":8080" }]
  routes: [{ match: { path: / }, service: web }]
predict:
  services:
    web: { capacity: 700, serviceTime: 5ms }
    db: { load: 100, capacity: 80 }
`;

function ninesIn(t: TestContext, text = file) {
  const folder = mkdtempSync(join(tmpdir(), "nines-plan-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "nines.yaml"), text);
  return (...words: readonly string[]) => {
    const options = { cwd: folder, encoding: "utf8" } as const;
    return spawnSync(process.execPath, [program, "plan", ...words], options);
  };
}

describe("nines plan", () => {
  it("plans for a load that the file does not have yet, from what the file says", (t) => {
    const goal = ["--load", "2000", "--latency", "50ms at 99%"];
    const words = ["web", "--target", "99.9%", ...goal, "--years", "2", "--json"];
    const { status, stdout, stderr } = ninesIn(t)(...words);
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout) as PlanReport;
    // 2,000 at nine tenths of 700 each.
    assert.equal(report.needed, 4);
    assert.ok((report.chosen?.unavailability ?? 1) <= 1e-3 * (1 + 1e-9));
    assert.ok((report.latencyMs?.withNeeded ?? Infinity) <= 50);
    assert.match(report.change, /replicas: \d/);
    assert.match(report.change, /web: \{ load: 2000 \}/);
    const { lower = 1, upper = 0 } = report.simulated?.unavailability ?? {};
    assert.ok(lower < upper && upper < 1, "two years are few, and say something");
  });

  it("says what it could not simulate, and why", (t) => {
    const words = ["web", "--target", "99.98%", "--load", "100", "--gateways", "2", "--json"];
    const { status, stdout, stderr } = ninesIn(t)(...words);
    assert.equal(status, 0, stderr);
    const { simulated, cautions, chosen } = JSON.parse(stdout) as PlanReport;
    assert.equal(chosen?.gateways, 2);
    assert.equal(simulated, null);
    assert.match(cautions.join(), /not simulated: this version of Nines has one gateway/);
  });

  it("ends with 1 and says what stands in the way when nothing reaches the target", (t) => {
    const { status, stdout } = ninesIn(t)("web", "--target", "99.99%", "--load", "100");
    assert.equal(status, 1);
    assert.match(stdout, /Nothing reaches 99\.990 %/);
    assert.match(stdout, /machines that fail/);
    assert.match(stdout, /With gateways on more machines \(--gateways \d\) it would be reached/);
  });

  it("refuses questions that contradict themselves, or that nobody could answer", (t) => {
    const nines = ninesIn(t);
    const refused = (code: number, message: RegExp, ...words: readonly string[]) => {
      const { status, stderr } = nines(...words);
      assert.equal(status, code);
      assert.match(stderr, message);
    };
    refused(1, /2 instances are needed, and of a primary there is one/, "db", "--target", "99%");
    refused(2, /Say for which service: web, db/, "--target", "99%");
    const quick = ["web", "--target", "99%", "--load", "9", "--latency", "1ms"];
    refused(1, /take longer than 1 ms even when they wait for nobody/, ...quick);
    assert.equal(nines("web", "--target", "100%").status, 2);
  });

  it("wants capacity to be measured where a load is to be planned for", (t) => {
    const { status, stderr } = ninesIn(t, "services: { web: { command: node web.js } }")(
      "--target",
      "99%",
      "--load",
      "5",
    );
    assert.equal(status, 1);
    assert.match(stderr, /run `nines load web`.*NINES_PLAN_UNKNOWN/s);
  });
});
