// A new version goes out under load; a version that does not start is taken back.

import { waitUntil } from "../../shared/system.ts";
import { measured, noneFailed } from "../figures.ts";
import type { Nines } from "../nines.ts";
import { INSTANCES, nobodyElse, type Scenario } from "../scenario.ts";

const notTheirs = nobodyElse("does not start or stop what it balances");

export const deploy: Scenario<Nines> = {
  name: "deploy",
  setUp: { serviceMs: 20 },
  durationMs: 40_000,
  quickDurationMs: 22_000,
  lane: "third",
  cannot: notTheirs,
  act: async (nines) => {
    const before = await nines.instancePids();
    nines.change({ version: { VERSION: "2" } });
    await nines.command("deploy", "web", "--wait");
    const after = await nines.instancePids();
    return { extra: { left: after.filter((pid) => before.includes(pid)).length } };
  },
  promises: (outcomes) => [
    noneFailed("deploy", outcomes),
    measured(
      "deploy: instances left on the old version",
      outcomes,
      { unit: "instances", bar: 0, over: "worst" },
      ({ extra }) => extra["left"] ?? Number.NaN,
    ),
  ],
};

const failing = "failing deploy";

export const failingDeploy: Scenario<Nines> = {
  name: failing,
  setUp: { serviceMs: 20 },
  durationMs: 30_000,
  quickDurationMs: 9_000,
  lane: "third",
  cannot: notTheirs,
  act: async (nines, run) => {
    nines.change({ version: { FAIL_START: "1" } });
    // It fails, and says so by its exit code; that is what is being shown.
    const accepted = await nines.command("deploy", "web", "--wait").then(
      () => 1,
      () => 0,
    );
    const leftMs = run.durationMs - run.elapsedMs();
    const missing = await waitUntil("all instances run again", leftMs, async () => {
      const pids = await nines.instancePids();
      return pids.length === INSTANCES && pids.every((pid) => pid !== 0);
    }).then(
      () => 0,
      () => 1,
    );
    return { extra: { notRolledBack: Math.max(accepted, missing) } };
  },
  promises: (outcomes) => [
    noneFailed(failing, outcomes),
    measured(
      `${failing}: not rolled back`,
      outcomes,
      { unit: "deploys", bar: 0, over: "sum" },
      ({ extra }) => extra["notRolledBack"] ?? Number.NaN,
    ),
  ],
};
