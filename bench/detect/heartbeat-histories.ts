// Heartbeats as they come in good and bad worlds, with the truth beside them: when the sender died.
//
// Six worlds, one stream of a seed each. All send one heartbeat a second; they differ in what lies
// between sender and receiver. An adaptive detector earns its keep only where worlds differ: a
// fixed timeout must be set for the worst of them.

import type { Random } from "../../src/core/base/prng.ts";

export interface HeartbeatHistory {
  readonly world: string;
  readonly everyMs: number;
  /** When heartbeats arrived, in order. */
  readonly arrivalsMs: readonly number[];
  /** From here on the sender is dead; none that it sent later can arrive. */
  readonly diesAtMs: number;
}

interface HeartbeatWorld {
  readonly name: string;
  readonly sentence: string;
  /** How long the heartbeat sent now is under way. */
  readonly delayMs: (random: Random, sentMs: number) => number;
  /** How much later than planned the next is sent. */
  readonly pauseMs: (random: Random) => number;
}

const none = (): number => 0;

export const heartbeatWorlds: readonly HeartbeatWorld[] = [
  {
    name: "quiet",
    sentence: "One machine, at rest: a few milliseconds of jitter.",
    delayMs: (random) => exponential(random, 2),
    pauseMs: none,
  },
  {
    name: "jitter",
    sentence: "A busy machine: tens of milliseconds, now and then hundreds.",
    delayMs: (random) => exponential(random, random.ratio() < 0.05 ? 200 : 30),
    pauseMs: none,
  },
  {
    name: "pauses",
    sentence: "A sender that collects garbage: once a minute it stands still for up to 900 ms.",
    delayMs: (random) => exponential(random, 5),
    pauseMs: (random) => (random.ratio() < 1 / 60 ? 200 + 700 * random.ratio() : 0),
  },
  {
    name: "slow network",
    sentence: "Far away: 150 ms, and a spread of 150 ms.",
    delayMs: (random) => 150 + exponential(random, 150),
    pauseMs: none,
  },
  {
    name: "lossy network",
    sentence: "One heartbeat in 50 is lost.",
    delayMs: (random) =>
      random.ratio() < 0.02 ? Number.POSITIVE_INFINITY : exponential(random, 20),
    pauseMs: none,
  },
  {
    name: "starvation",
    sentence: "Every other minute CPU is short: all is late by half a second, by two now and then.",
    delayMs: (random, sentMs) =>
      Math.floor(sentMs / 60_000) % 2 === 0
        ? exponential(random, 10)
        : Math.min(4_000, exponential(random, 500)),
    pauseMs: none,
  },
];

const EVERY_MS = 1_000;
/** Lives are between a quarter of an hour and an hour long. */
const LIFE_MS = [900_000, 3_600_000] as const;

/** `lives` histories of each world. The same seed gives the same ones. */
export function heartbeatHistories(random: Random, lives: number): readonly HeartbeatHistory[] {
  return heartbeatWorlds.flatMap((world) =>
    Array.from({ length: lives }, (_, index) =>
      live(world, random.stream(`${world.name} ${index}`)),
    ),
  );
}

function live(world: HeartbeatWorld, random: Random): HeartbeatHistory {
  const diesAtMs = LIFE_MS[0] + (LIFE_MS[1] - LIFE_MS[0]) * random.ratio();
  const arrivalsMs: number[] = [];
  let sentMs = 0;
  while (sentMs < diesAtMs) {
    const arrivesMs = sentMs + world.delayMs(random, sentMs);
    if (Number.isFinite(arrivesMs)) arrivalsMs.push(arrivesMs);
    sentMs += EVERY_MS + world.pauseMs(random);
  }
  // One that overtakes its predecessor waits for it, as on a connection.
  for (let index = 1; index < arrivalsMs.length; index++) {
    arrivalsMs[index] = Math.max(arrivalsMs[index] ?? 0, arrivalsMs[index - 1] ?? 0);
  }
  return { world: world.name, everyMs: EVERY_MS, arrivalsMs, diesAtMs };
}

function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.ratio()) * mean;
}
