// What an operator does on an ordinary day: no request notices.

import { pause } from "../../shared/system.ts";
import { noneFailed } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { answersOf20Ms } from "./set-ups.ts";

export const reload: Scenario = {
  name: "reload",
  setUp: answersOf20Ms,
  durationMs: 6_000,
  quickDurationMs: 4_000,
  lane: "timed",
  act: async (contender) => {
    for (let times = 0; times < 3; times++) await contender.reload();
    return {};
  },
  promises: (outcomes) => [noneFailed("reload", outcomes)],
};

export const drain: Scenario = {
  name: "drain",
  setUp: answersOf20Ms,
  durationMs: 8_000,
  quickDurationMs: 5_000,
  lane: "timed",
  act: async (contender) => {
    await contender.drain(0);
    await pause(2_000);
    await contender.undrain(0);
    return {};
  },
  promises: (outcomes) => [noneFailed("drain", outcomes)],
};
