// Many processes want one office, and die holding it, wanting it, or in between.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { ProcessIdentity } from "../ports/processes.ts";
import { createTermClaims } from "./term-claims.ts";

const needsProc = process.platform === "linux" ? false : "the claimers read /proc";
const claimer = join(import.meta.dirname, "claimer.fixture.js");

interface Race {
  readonly folder: string;
  readonly wins: () => readonly { term: number; pid: number; holds: string; others: number }[];
  readonly enter: () => ChildProcess;
  readonly over: (children: readonly ChildProcess[]) => Promise<void>;
}

function openRace(context: TestContext): Race {
  const scratch = mkdtempSync(join(tmpdir(), "nines-race-"));
  const [folder, told] = [join(scratch, "office"), join(scratch, "told")];
  mkdirSync(folder);
  writeFileSync(told, "");
  const started: ChildProcess[] = [];
  context.after(() => {
    for (const child of started) child.kill("SIGKILL");
    rmSync(scratch, { recursive: true, force: true });
  });
  return {
    folder,
    wins: () =>
      [...readFileSync(told, "utf8").matchAll(/^won (\d+) (\d+) \d+ (\w+) (\d+)$/gm)].map(
        ([, term, pid, holds = "", others]) => ({
          term: Number(term),
          pid: Number(pid),
          holds,
          others: Number(others),
        }),
      ),
    enter() {
      const child = spawn(process.execPath, [claimer, folder, told], { stdio: "inherit" });
      started.push(child);
      return child;
    },
    async over(children) {
      const running = children.filter(
        ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
      );
      await Promise.all(
        running.map((child) => new Promise((resolve) => child.once("exit", resolve))),
      );
    },
  };
}

test("twenty race: each holds once, one at a time, in growing terms", {
  skip: needsProc,
}, async (t) => {
  const race = openRace(t);
  await race.over(Array.from({ length: 20 }, () => race.enter()));
  const wins = race.wins();
  assert.deepEqual(
    wins.map(({ term }) => term),
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  assert.equal(new Set(wins.map(({ pid }) => pid)).size, 20);
  assert.deepEqual(
    wins.filter(({ holds, others }) => holds !== "holds" || others > 0),
    [],
  );
  assert.ok(readdirSync(race.folder).length <= 8, "old terms are swept away");
});

test("killed at any point, they block nobody and no term is held twice", {
  skip: needsProc,
}, async (t) => {
  const race = openRace(t);
  const children: ChildProcess[] = [];
  for (let round = 0; round < 16; round++) {
    const child = race.enter();
    children.push(child);
    // Each second one dies wherever it happens to be, most while they start or claim.
    if (round % 2 === 1) setTimeout(() => child.kill("SIGKILL"), 30 + round * 4);
  }
  await race.over(children);
  const wins = race.wins();
  const terms = wins.map(({ term }) => term);
  assert.ok(wins.length >= 8, "those that nobody killed all held it");
  assert.deepEqual(
    terms,
    [...new Set(terms)].sort((one, other) => one - other),
  );
  assert.deepEqual(
    wins.filter(({ holds, others }) => holds !== "holds" || others > 0),
    [],
  );
  // Whoever comes last finds no living holder, whatever the killed ones left.
  const last = race.enter();
  await race.over([last]);
  assert.equal(race.wins().at(-1)?.pid, last.pid);
});

function scratchOffice(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-office-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("a taker that was held up does not hold a term that is long past", (t) => {
  const folder = scratchOffice(t);
  let living: ProcessIdentity | undefined;
  let hold: (() => void) | undefined;
  const identify = (pid: number): ProcessIdentity | undefined => {
    // Everything below happens while the taker looks at whether the old holder lives.
    const happen = hold;
    hold = undefined;
    happen?.();
    return living?.pid === pid ? living : undefined;
  };
  const as = (pid: number) => {
    const self = { pid, startTime: `${pid}` };
    return { self, claims: createTermClaims({ folder, self, identify }) };
  };
  assert.equal(as(1).claims.claim(), 1);
  hold = () => {
    for (let pid = 2; pid <= 30; pid++) assert.equal(as(pid).claims.claim(), pid);
    living = as(30).self;
  };
  assert.equal(as(99).claims.claim(), undefined);
  assert.deepEqual(as(99).claims.holder(), { term: 30, identity: living, alive: true });
  assert.ok(!readdirSync(folder).includes("term-2"), "and nothing of the attempt is left");
});

test("a claim that power loss or a hand has torn counts as a dead holder's", (t) => {
  const folder = scratchOffice(t);
  const self = { pid: 7, startTime: "7" };
  const identify = (pid: number): ProcessIdentity => ({ pid, startTime: "7" });
  const claims = createTermClaims({ folder, self, identify });
  for (const [index, text] of ["", "{", "null", '{"pid":"7"}'].entries()) {
    const term = index * 2 + 1;
    writeFileSync(join(folder, `term-${term}`), text);
    assert.equal(claims.holder()?.alive, false);
    assert.equal(claims.claim(), term + 1);
  }
});

test("files of others in the folder are no claims", (t) => {
  const folder = scratchOffice(t);
  for (const name of ["term-", "term-0", "term-x", "term-12~4", "table.json", "term-1e9"]) {
    writeFileSync(join(folder, name), "{}");
  }
  const self = { pid: 7, startTime: "7" };
  const claims = createTermClaims({ folder, self, identify: () => undefined });
  assert.equal(claims.holder(), undefined);
  assert.equal(claims.claim(), 1);
});
