// What is remembered of a service's versions.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fingerprint } from "../supervise/fingerprint.ts";
import { defaultDeploy } from "./settings.ts";
import {
  currentVersion,
  firstLedger,
  inForce,
  type Ledger,
  previousVersion,
  readLedger,
  versionsKept,
  type Wish,
  withVersion,
} from "./versions.ts";

function wish(command: string): Wish {
  const fingerprint: Fingerprint = { command, env: "same" };
  return { fingerprint, how: "deploy", by: "alice", wallMs: 1 };
}

/** With one version after another in force. */
function after(...commands: readonly string[]): Ledger {
  const [first = "", ...rest] = commands;
  let ledger = firstLedger(wish(first));
  for (const command of rest) {
    const next = withVersion(ledger, wish(command));
    ledger = inForce(next.ledger, next.number);
  }
  return ledger;
}

test("versions count up, and say what is not as in the one before", () => {
  const ledger = after("a", "b");
  assert.equal(ledger.inForce, 2);
  assert.deepEqual(currentVersion(ledger).changed, ["command"]);
});

test("what was there before has its old number", () => {
  const { ledger, number } = withVersion(after("a", "b", "c"), wish("a"));
  assert.equal(number, 1);
  assert.equal(ledger.versions.length, 3);
});

test("a rollback goes to the last one that was in force, past those that only failed", () => {
  const failed = withVersion(after("a", "b"), wish("broken")).ledger;
  const next = withVersion(failed, wish("d"));
  const ledger = inForce(next.ledger, next.number);
  assert.equal(previousVersion(ledger)?.number, 2);
  assert.equal(previousVersion(after("a")), undefined);
});

test("the last ten are kept, and what a deploy goes between", () => {
  const commands = Array.from({ length: 30 }, (_, index) => `v${index + 1}`);
  const ledger = after(...commands);
  assert.equal(ledger.versions.length, versionsKept);
  assert.equal(ledger.latest, 30);
  const deploy = {
    from: 30,
    to: 21,
    phase: "rolling" as const,
    step: 0,
    settings: defaultDeploy,
    by: "alice",
    beganWallMs: 0,
    cause: "",
    why: "",
  };
  let moving: Ledger = { ...ledger, deploy };
  for (let index = 0; index < 20; index++) {
    moving = withVersion(moving, wish(`later ${index}`)).ledger;
    const numbers = moving.versions.map(({ number }) => number);
    assert.ok(numbers.includes(21) && numbers.includes(30) && numbers.length <= versionsKept);
  }
});

test("a ledger that is torn or foreign is none; what it names must be there", () => {
  const ledger = after("a", "b");
  const written = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  assert.deepEqual(readLedger(written(ledger)), written(ledger));
  for (const value of [
    undefined,
    7,
    [],
    {},
    { ...ledger, versions: [] },
    { ...ledger, inForce: 9 },
  ]) {
    assert.equal(readLedger(value), undefined);
  }
  const deploy = { from: 1, to: 9, phase: "rolling", settings: {} };
  assert.equal(readLedger({ ...ledger, deploy })?.deploy, undefined);
});
