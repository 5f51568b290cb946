// One of three instances ends at once. What it was working on may be lost where it must not be
// repeated; everything else is tried elsewhere.

import { signal } from "../acts.ts";
import { onlyItsPostsFailed } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { answersOf20Ms } from "./set-ups.ts";

const name = "instance kill -9";

export const instanceKilled: Scenario = {
  name,
  setUp: answersOf20Ms,
  durationMs: 8_000,
  quickDurationMs: 5_000,
  lane: "timed",
  act: async (contender) => ({ lost: [await signal(contender, 1, "SIGKILL")] }),
  promises: (outcomes) => onlyItsPostsFailed(name, outcomes),
};
