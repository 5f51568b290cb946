// Requests to three instances as they go in good and bad worlds, with the truth beside them: which
// instance failed, how, and when.
//
// The requests go round, whatever a detector says, so that all detectors see the same history. Each
// ends ten seconds after one instance has failed, by hanging or by becoming 100 times slower; until
// then nobody is to blame, however slow answers are.

import type { Random } from "../../src/core/base/prng.ts";

export interface RequestEvent {
  readonly atMs: number;
  readonly instance: number;
  /** Counts up over all instances. */
  readonly request: number;
  readonly answered: boolean;
}

export interface RequestHistory {
  readonly world: string;
  readonly instances: number;
  /** In order of time; a request that a hung instance has is never answered. */
  readonly events: readonly RequestEvent[];
  readonly failing: number;
  readonly failsAtMs: number;
  readonly endsAtMs: number;
}

interface RequestWorld {
  readonly name: string;
  readonly sentence: string;
  readonly perSecond: number;
  readonly latencyMs: (random: Random) => number;
  /** Times in which instances answer nothing: one of them, or all at once. */
  readonly pauses?: { readonly everyMs: number; readonly ms: readonly [number, number] };
  readonly together?: boolean;
}

const INSTANCES = 3;
const WELL_MS = 60_000;
const FAILED_MS = 10_000;
const SLOWER = 100;

/** Median, and the standard deviation of its logarithm. */
const lognormal =
  (median: number, sigma: number) =>
  (random: Random): number =>
    median * Math.exp(sigma * normal(random));

export const requestWorlds: readonly RequestWorld[] = [
  {
    name: "quick",
    sentence: "Answers of 1 ms, many of them.",
    perSecond: 400,
    latencyMs: lognormal(1, 0.3),
  },
  {
    name: "ordinary",
    sentence: "Answers of 20 ms with an ordinary spread.",
    perSecond: 200,
    latencyMs: lognormal(20, 0.4),
  },
  {
    name: "long tails",
    sentence: "Answers of 20 ms, one in 100 over 200 ms.",
    perSecond: 200,
    latencyMs: lognormal(20, 1),
  },
  {
    name: "two kinds",
    sentence: "One request in 20 is a report that takes a second.",
    perSecond: 200,
    latencyMs: (random) => lognormal(random.ratio() < 0.05 ? 1_000 : 20, 0.3)(random),
  },
  {
    name: "collections",
    sentence: "Each instance stands still for 50 to 200 ms every 3 s or so.",
    perSecond: 200,
    latencyMs: lognormal(20, 0.4),
    pauses: { everyMs: 3_000, ms: [50, 200] },
  },
  {
    name: "backend",
    sentence: "What all instances wait for stands still for 0.3 to 3 s every 10 s or so.",
    perSecond: 200,
    latencyMs: lognormal(20, 0.4),
    pauses: { everyMs: 10_000, ms: [300, 3_000] },
    together: true,
  },
  {
    name: "starvation",
    sentence: "A machine without CPU: all stand still for 20 to 150 ms several times a second.",
    perSecond: 200,
    latencyMs: lognormal(20, 0.6),
    pauses: { everyMs: 250, ms: [20, 150] },
    together: true,
  },
  {
    name: "few requests",
    sentence: "Ten requests a second, of 20 ms.",
    perSecond: 10,
    latencyMs: lognormal(20, 0.4),
  },
];

/** `count` histories of each world; every other ends with a hang. The same seed, the same ones. */
export function requestHistories(random: Random, count: number): readonly RequestHistory[] {
  return requestWorlds.flatMap((world) =>
    Array.from({ length: count }, (_, index) =>
      generate(world, index % 2 === 0, random.stream(`${world.name} ${index}`)),
    ),
  );
}

function generate(world: RequestWorld, hangs: boolean, random: Random): RequestHistory {
  const failsAtMs = WELL_MS * (0.8 + 0.2 * random.ratio());
  const endsAtMs = failsAtMs + FAILED_MS;
  const failing = Math.floor(random.ratio() * INSTANCES);
  const pausesOf = pausesOfInstances(world, endsAtMs, random);
  const events: RequestEvent[] = [];
  let sentMs = 0;
  for (let request = 0; ; request++) {
    sentMs += exponential(random, 1_000 / world.perSecond);
    if (sentMs >= endsAtMs) break;
    const instance = request % INSTANCES;
    events.push({ atMs: sentMs, instance, request, answered: false });
    const failed = instance === failing && sentMs >= failsAtMs;
    const latencyMs = world.latencyMs(random) * (failed ? SLOWER : 1);
    const atMs = afterPauses(pausesOf[instance] ?? [], sentMs + latencyMs);
    const lost = hangs && instance === failing && atMs >= failsAtMs;
    if (!lost && atMs < endsAtMs) events.push({ atMs, instance, request, answered: true });
  }
  events.sort((a, b) => a.atMs - b.atMs);
  return { world: world.name, instances: INSTANCES, events, failing, failsAtMs, endsAtMs };
}

type Pauses = readonly (readonly [number, number])[];

function pausesOfInstances(
  world: RequestWorld,
  endsAtMs: number,
  random: Random,
): readonly Pauses[] {
  const common = pausesUntil(world, endsAtMs, random);
  return Array.from({ length: INSTANCES }, () =>
    world.together === true ? common : pausesUntil(world, endsAtMs, random),
  );
}

function pausesUntil({ pauses }: RequestWorld, endsAtMs: number, random: Random): Pauses {
  if (pauses === undefined) return [];
  const [shortest, longest] = pauses.ms;
  const found: [number, number][] = [];
  let fromMs = exponential(random, pauses.everyMs);
  while (fromMs < endsAtMs) {
    const toMs = fromMs + shortest + (longest - shortest) * random.ratio();
    found.push([fromMs, toMs]);
    fromMs = toMs + exponential(random, pauses.everyMs);
  }
  return found;
}

/** An answer that would come within a pause comes at its end. */
function afterPauses(pauses: Pauses, atMs: number): number {
  return pauses.find(([from, to]) => atMs >= from && atMs < to)?.[1] ?? atMs;
}

function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.ratio()) * mean;
}

function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.ratio()));
  return radius * Math.cos(2 * Math.PI * random.ratio());
}
