// A deploy's table is complete, and what it says of the ways of a deploy.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Deploy, type DeployEvent, goesForward, isOver, stepDeploy } from "./deploy.ts";
import {
  deployEvents,
  deployImpossible,
  type DeployPhase,
  deployPhases,
  deployTable,
  deployWithoutEffect,
} from "./deploy-table.ts";
import { defaultDeploy, type DeploySettings } from "./settings.ts";

const canary: DeploySettings = { ...defaultDeploy, canary: [0.1, 0.5] };

function deployIn(phase: DeployPhase, settings = defaultDeploy, step = 0): Deploy {
  return { from: 3, to: 4, phase, step, settings, by: "alice", beganWallMs: 0, cause: "", why: "" };
}

function eventOf(kind: DeployEvent["kind"]): DeployEvent {
  const caused = kind === "failed" || kind === "withdrawn" || kind === "overtaken";
  return caused ? { kind, cause: "web-4 failed: exit code 1" } : { kind };
}

function step(deploy: Deploy, kind: DeployEvent["kind"], nowMs = 12_000) {
  const context = { service: "web", nowMs, wallMs: nowMs, deadlineMs: undefined };
  return stepDeploy(deploy, eventOf(kind), context);
}

/** Phases that events lead through, and what was said. */
function walk(settings: DeploySettings, kinds: readonly DeployEvent["kind"][]) {
  let deploy = deployIn("rolling", settings);
  const said: string[] = [];
  const phases: string[] = [];
  for (const kind of kinds) {
    const result = step(deploy, kind);
    deploy = result.deploy;
    phases.push(deploy.phase);
    if (result.said !== undefined) said.push(result.said.sentence);
  }
  return { deploy, said, phases };
}

test("each pair of phase and event is a row, without effect, or impossible; exactly one", () => {
  for (const phase of deployPhases) {
    for (const kind of deployEvents) {
      const rows = deployTable.filter((row) => row.from === phase && row.on === kind);
      const places = [
        rows.length > 0,
        deployWithoutEffect[phase].includes(kind),
        deployImpossible[phase].includes(kind),
      ].filter(Boolean).length;
      assert.equal(places, 1, `${phase} ${kind}`);
      // The last row of a pair takes whatever the others did not.
      if (rows.length > 0) assert.equal(rows.at(-1)?.when, undefined, `${phase} ${kind}`);
      assert.ok(rows.slice(0, -1).every((row) => row.when !== undefined));
    }
  }
});

test("without canary steps it rolls, lets the extra ones go, and is finished", () => {
  const { phases, said } = walk(defaultDeploy, ["progressed", "settled", "settled"]);
  assert.deepEqual(phases, ["rolling", "finishing", "finished"]);
  assert.deepEqual(said, [
    "web: all instances are at version 4 and well",
    "web is at version 4, 12 s after it began",
  ]);
});

test("each canary step is reached, held, and followed by the next", () => {
  const { phases, said, deploy } = walk(canary, [
    "settled",
    "time-over",
    "settled",
    "time-over",
    "settled",
    "settled",
  ]);
  assert.deepEqual(phases, ["holding", "rolling", "holding", "rolling", "finishing", "finished"]);
  assert.equal(deploy.step, 2);
  assert.deepEqual(said.slice(0, 3), [
    "web: version 4 is well and has 10% of the traffic for 30 s",
    "web: version 4 did well with 10% of the traffic",
    "web: version 4 is well and has 50% of the traffic for 30 s",
  ]);
});

test("what fails goes back by itself, and says why until the end", () => {
  const { phases, said } = walk(defaultDeploy, ["failed", "failed", "settled"]);
  assert.deepEqual(phases, ["rolling-back", "rolling-back", "rolled-back"]);
  assert.deepEqual(said, [
    "web goes back to version 3: web-4 failed: exit code 1",
    "web is back at version 3, 12 s after the deploy of 4 began: web-4 failed: exit code 1",
  ]);
});

test("with rollback by hand it stops where it is, until a person decides", () => {
  const byHand: DeploySettings = { ...defaultDeploy, rollback: "manual" };
  const { phases, said } = walk(byHand, ["failed", "settled", "withdrawn", "settled"]);
  assert.deepEqual(phases, ["stopped", "stopped", "rolling-back", "rolled-back"]);
  assert.match(said[0] ?? "", /stops where it is: web-4 failed: exit code 1/);
});

test("no progress in time is a failure; progress begins the time anew", () => {
  const progressed = step(deployIn("rolling"), "progressed", 50_000);
  assert.equal(progressed.deadlineMs, 50_000 + defaultDeploy.deadlineMs);
  const { deploy, said } = step(deployIn("rolling"), "time-over");
  assert.equal(deploy.phase, "rolling-back");
  assert.match(said?.sentence ?? "", /no progress towards version 4 in 10 min/);
});

test("a deploy that a new control finds goes on in its phase, with a deadline of its own", () => {
  for (const phase of deployPhases.filter((each) => !isOver(deployIn(each)))) {
    const { deploy, deadlineMs, said } = step(deployIn(phase), "resumed", 1_000);
    assert.equal(deploy.phase, phase);
    assert.match(said?.sentence ?? "", /goes on under a new control/);
    const waits = phase === "rolling" || phase === "holding" || phase === "rolling-back";
    assert.equal(deadlineMs !== undefined, waits, phase);
  }
});

test("no way leads forward from a version that has failed, whatever happens", () => {
  const kinds = fc.array(fc.constantFrom(...deployEvents), { maxLength: 30 });
  const settings = fc.constantFrom(canary, defaultDeploy, {
    ...canary,
    rollback: "manual" as const,
  });
  fc.assert(
    fc.property(kinds, settings, (events, chosen) => {
      let deploy = deployIn("rolling", chosen);
      let failed = false;
      for (const kind of events) {
        if (isOver(deploy)) break;
        if (deployImpossible[deploy.phase].includes(kind)) continue;
        deploy = step(deploy, kind).deploy;
        failed ||= kind === "failed" || kind === "withdrawn";
        assert.ok(deploy.step <= chosen.canary.length);
        if (failed) assert.ok(!goesForward(deploy) && deploy.phase !== "finished");
      }
    }),
  );
});
