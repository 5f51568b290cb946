// `nines load` against services whose slots and service times are known, through a real gateway.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { PlanReport } from "../../src/program/predict/plan-report.ts";
import type { LoadReport } from "../../src/program/load/report.ts";
import { findStateDirectory } from "../../src/state/directory.ts";
import { readLoadResult } from "../../src/state/load-results.ts";
import { until } from "./nines.fixture.ts";
import { slotsBehindGateway, trueCapacity } from "./slots.fixture.ts";

describe("nines load", () => {
  it("finds the capacity of a service and where its knee is, and keeps them", async (t) => {
    const nines = await slotsBehindGateway(t, { replicas: 2, slots: 2, holdMs: 20 });
    const steps = ["--from", "40", "--to", "640", "--step", "x2", "--duration", "1s", "--json"];
    const { code, stdout, stderr } = await nines.run("load", "web", ...steps);
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as LoadReport;
    assert.match(stderr, /Sends GET \/ to web through the gateway at 127\.0\.0\.1:\d+/);
    assert.equal(report.instances, 2);
    const last = report.steps.at(-1);
    assert.equal(typeof last?.tooMuch, "string", stdout);
    assert.ok((last?.offeredPerSecond ?? 0) >= 160, stdout);
    assert.equal(report.fit?.isCapacityReached, true);
    const found = (report.fit?.capacityPerInstance ?? 0) * 2;
    const really = await trueCapacity(nines, 2);
    assert.ok(Math.abs(found / really - 1) < 0.2, `found ${found}, really ${really}`);
    assert.ok((report.fit?.base.meanMs ?? 0) >= 18, "no answer is quicker than its work");
    const kept = readLoadResult(findStateDirectory(join(nines.folder, ".nines")), "web");
    assert.deepEqual(kept?.fit, report.fit);
    assert.equal(kept?.kneePerSecond, report.kneePerSecond);
    const load = Math.round(3 * found);
    const words = ["--target", "99%", "--load", `${load}`, "--years", "0", "--json"];
    const plan = await nines.run("plan", "web", ...words);
    assert.equal(plan.code, 0, plan.stderr);
    const { needed, neededWhy } = JSON.parse(plan.stdout) as PlanReport;
    assert.equal(needed, 7, "three times as much, of which an instance takes nine tenths");
    assert.match(neededWhy, /as `nines load` measured/);
  });

  it("goes only to the service, by the gateway or directly, and draws what it finds", async (t) => {
    const nines = await slotsBehindGateway(t, { replicas: 1, slots: 4, holdMs: 5 });
    const refused = async (message: RegExp, ...words: readonly string[]) => {
      const { code, stderr } = await nines.run("load", ...words);
      assert.match(stderr, message);
      return code;
    };
    const elsewhere = /GET \/other\/x leads to service other, not to web/;
    assert.equal(await refused(elsewhere, "web", "--path", "/other/x"), 1);
    assert.equal(await refused(/GET \/gone is answered 404/, "web", "--path", "/gone"), 1);
    assert.equal(await refused(/There is no service "wbe"/, "wbe"), 2, "an unknown name");
    const turned = ["--from", "50", "--to", "20"];
    assert.equal(await refused(/--from 50 is above --to 20/, "web", ...turned), 1);
    assert.equal((await nines.run("load", "web", "--path", "http://example.com/")).code, 2);
    const words = ["--from", "20", "--to", "40", "--step", "20", "--duration", "500ms", "--direct"];
    const { code, stdout } = await nines.run("load", "web", ...words);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /asked\/s {2}answered\/s/);
    assert.match(stdout, /· p50 {2}o p90 {2}# p99/);
    assert.match(stdout, /web keeps up with 40\/s \(99% within .*\); more was not asked\./);
    assert.match(stdout, /Capacity: [\d.]+\/s or more of an instance/);
    assert.match(stdout, /Kept for `nines model`/);
  });

  it("ends at Ctrl-C with what it has found out by then", async (t) => {
    const nines = await slotsBehindGateway(t, { replicas: 1, slots: 8, holdMs: 5 });
    const words = ["--from", "30", "--to", "40", "--duration", "600ms"];
    const running = nines.start("load", "web", ...words, "--step", "x1.05");
    await until(() => /\n +30 /.test(running.said()), running.said);
    running.child.kill("SIGINT");
    const { code, stdout } = await running.ended;
    assert.equal(code, 0);
    assert.match(stdout, /Note: it was interrupted; the step under way is left out\./);
    assert.match(stdout, /web keeps up with 30\/s/);
  });
});
