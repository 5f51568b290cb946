// Does passing over time change anything? The same lifetime is lived twice, once second by second,
// and must be the same to the last line of the trace: each decision, at the same millisecond, with
// the same sentence, and each incident to its last time.
//
// This is what finds a loop that claims to be at rest and is not.

import { createPrng } from "../../src/core/base/prng.ts";
import type { Incident } from "../../src/core/incident/incident.ts";
import type { Boundary } from "../world/event-loop.ts";
import type { World } from "../world/world.ts";
import { drawSubject } from "./drawn.ts";
import { type Lifetime, live, type Subject } from "./lifetime.ts";
import { twoOfThree } from "./two-of-three.ts";

const everySecondAt = 50;

export interface Passing {
  readonly seed: number;
  /** Where they differ first: a line, an incident or the sums of each; undefined: nowhere. */
  readonly difference: readonly [passing: string, living: string] | undefined;
  readonly faults: number;
  readonly lines: number;
  /** Tasks run. */
  readonly events: { readonly passing: number; readonly living: number };
  /** Share of the time that was passed over. */
  readonly passed: number;
}

export interface PassingOptions {
  readonly boundary: Boundary;
  readonly subject?: Subject;
  readonly settleAlways?: boolean;
  readonly onWorld?: (world: World) => void;
}

export async function comparePassing(
  seed: number,
  lastsMs: number,
  options: PassingOptions,
): Promise<Passing> {
  const subject = options.subject ?? subjectFor(seed);
  const lived = async (passesOver: boolean) => {
    const incidents: string[] = [];
    const onIncident = (incident: Incident): void => void incidents.push(JSON.stringify(incident));
    const all = { ...options, ...subject, seed, lastsMs, passesOver, onIncident };
    const lifetime = await live({ ...all, trace: true });
    return { lifetime, lines: [...linesOf(lifetime), ...incidents, ...sumsOf(lifetime)] };
  };
  const { lifetime: passing, lines: left } = await lived(true);
  const { lifetime: living, lines: right } = await lived(false);
  const at = left.findIndex((line, index) => line !== right[index]);
  const isSame = at < 0 && left.length === right.length;
  const where = at < 0 ? Math.min(left.length, right.length) : at;
  const { loop } = passing.world;
  return {
    seed,
    difference: isSame
      ? undefined
      : [left[where] ?? "no line more", right[where] ?? "no line more"],
    faults: living.strikes,
    lines: right.length,
    events: { passing: loop.events, living: living.world.loop.events },
    passed: loop.passedOverMs / loop.nowMs,
  };
}

/** Mostly drawn, and checked seldom; now and then three that are checked every second. */
function subjectFor(seed: number): Subject {
  if (seed % everySecondAt === 0) return twoOfThree(0.5, 0.1);
  return drawSubject(createPrng(seed).stream("subject"));
}

function linesOf({ world }: Lifetime): readonly string[] {
  return world.trace.print().split("\n");
}

/** A line for each service, with all that is counted. */
function sumsOf({ ledgers }: Lifetime): readonly string[] {
  return ledgers.map(({ service, sums }) => {
    const { byBlame, byWorking, ...rest } = sums;
    return JSON.stringify([service.name, rest, [...byBlame], [...byWorking]]);
  });
}
