// Detectors of silence over labelled histories: how soon after a death, and how often without one.
//
// A false alarm is a patience that ran out while the sender lived; the heartbeat that follows ends
// it. The delay is from the death to the moment that the last patience runs out, so it has in it
// what was under way at the death.

import type { ArrivalDetector } from "../../src/core/detect/arrivals.ts";
import { median } from "../shared/figures.ts";
import type { HeartbeatHistory } from "./heartbeat-histories.ts";

export interface Contender {
  readonly name: string;
  /** A new one for each life. */
  readonly create: (everyMs: number) => ArrivalDetector;
}

export interface DetectorFigures {
  readonly name: string;
  readonly world: string;
  readonly lives: number;
  readonly falseAlarms: number;
  readonly falseAlarmsPerDay: number;
  readonly meanDelayMs: number;
  readonly medianDelayMs: number;
  readonly worstDelayMs: number;
}

/** What becomes of one life. */
interface Course {
  readonly falseAlarms: number;
  readonly delayMs: number;
}

/** One row for each contender and world, and one for all worlds together ("all"). */
export function compareDetectors(
  contenders: readonly Contender[],
  histories: readonly HeartbeatHistory[],
): readonly DetectorFigures[] {
  const worlds = [...new Set(histories.map(({ world }) => world)), "all"];
  return contenders.flatMap((contender) => {
    const courses = histories.map((history) => ({
      history,
      course: follow(contender.create(history.everyMs), history),
    }));
    return worlds.map((world) => {
      const own = courses.filter(({ history }) => world === "all" || history.world === world);
      return figuresOf(contender.name, world, own);
    });
  });
}

function figuresOf(
  name: string,
  world: string,
  lives: readonly { readonly history: HeartbeatHistory; readonly course: Course }[],
): DetectorFigures {
  const falseAlarms = sum(lives.map(({ course }) => course.falseAlarms));
  const days = sum(lives.map(({ history }) => history.diesAtMs)) / 86_400_000;
  const delays = lives.map(({ course }) => course.delayMs);
  return {
    name,
    world,
    lives: lives.length,
    falseAlarms,
    falseAlarmsPerDay: falseAlarms / days,
    meanDelayMs: sum(delays) / lives.length,
    medianDelayMs: median(delays),
    worstDelayMs: Math.max(...delays),
  };
}

export function follow(detector: ArrivalDetector, history: HeartbeatHistory): Course {
  let deadlineMs = Number.POSITIVE_INFINITY;
  let falseAlarms = 0;
  for (const atMs of history.arrivalsMs) {
    if (deadlineMs < Math.min(atMs, history.diesAtMs)) falseAlarms++;
    detector.heard(atMs);
    deadlineMs = atMs + detector.patienceMs();
  }
  // A death that comes while it is taken for dead already is known at once.
  return { falseAlarms, delayMs: Math.max(0, deadlineMs - history.diesAtMs) };
}

/**
 * A fixed timeout that has at most so many false alarms in these histories: the best that could be
 * chosen by somebody who knows them all.
 */
export function smallestTimeoutMs(
  histories: readonly HeartbeatHistory[],
  falseAlarmsMax: number,
): number {
  const gaps = histories.flatMap(({ arrivalsMs, diesAtMs }) =>
    arrivalsMs.slice(1).map((atMs, index) => Math.min(atMs, diesAtMs) - (arrivalsMs[index] ?? 0)),
  );
  return Float64Array.from(gaps).sort().reverse()[falseAlarmsMax] ?? 0;
}

/** Silence for a fixed time, whatever came before. */
export function fixedTimeout(timeoutMs: number): ArrivalDetector {
  return {
    heard: () => undefined,
    patienceMs: () => timeoutMs,
    passedOver: () => undefined,
    explain: () => `no heartbeat in ${timeoutMs} ms`,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
