// One of three instances goes on answering, and is no good: 100 times slower, or with errors only.

import { behave, instanceOf } from "../acts.ts";
import { measured, noneFailed, slowShare } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { failuresOf } from "../traffic.ts";

const slow = "one 100x slower";

export const oneSlower: Scenario = {
  name: slow,
  setUp: { serviceMs: 20 },
  durationMs: 12_000,
  quickDurationMs: 6_000,
  patienceMs: 4_000,
  lane: "timed",
  act: async (contender) => {
    await behave(await instanceOf(contender, 1), { serviceMs: 2_000 });
    return {};
  },
  promises: (outcomes) => [
    noneFailed(slow, outcomes),
    slowShare(slow, outcomes, { overMs: 200, barPercent: 1 }),
  ],
  told: (prefix, outcomes) => [slowShare(prefix, outcomes, { overMs: 200 })],
};

const errors = "one answering 500";
/** After the first error that a client saw: many times what the errors that eject take to come. */
const EJECTED_AFTER_MS = 500;

export const oneFailing: Scenario = {
  name: errors,
  setUp: { serviceMs: 20 },
  durationMs: 12_000,
  quickDurationMs: 6_000,
  lane: "timed",
  act: async (contender) => {
    await behave(await instanceOf(contender, 1), { status: 500 });
    return {};
  },
  promises: (outcomes) => [
    measured(
      `${errors}: failed`,
      outcomes,
      { unit: "requests", bar: 10, over: "worst" },
      ({ answers }) => failuresOf(answers).length,
    ),
    measured(
      `${errors}: failed over ${EJECTED_AFTER_MS} ms after the first`,
      outcomes,
      { unit: "requests", bar: 0, over: "worst" },
      ({ answers }) => {
        const times = failuresOf(answers).map(({ doneMs }) => doneMs);
        const first = Math.min(...times);
        return times.filter((time) => time > first + EJECTED_AFTER_MS).length;
      },
    ),
  ],
};
