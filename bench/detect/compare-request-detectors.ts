// Detectors of sick instances over labelled histories of requests: how soon after an instance
// failed it is blamed, and how often somebody is who is well.
//
// A false alarm is one turn of a verdict against an instance that is well; how long it lasts does
// not matter. A detector that has not blamed the failed instance when the history ends has taken
// all of the ten seconds.

import { median } from "../shared/figures.ts";
import type { RequestHistory } from "./request-histories.ts";

/** What every detector is told, and what it says. */
export interface RequestDetector {
  sent(instance: number, request: number, nowMs: number): void;
  answered(instance: number, request: number, nowMs: number): void;
  /** Called every 5 ms; whether each instance is blamed now. */
  judge(nowMs: number): readonly boolean[];
}

export interface RequestContender {
  readonly name: string;
  readonly create: (instances: number) => RequestDetector;
}

export interface RequestFigures {
  readonly name: string;
  readonly world: string;
  readonly falseAlarms: number;
  /** Of three instances, in an hour of traffic. */
  readonly falseAlarmsPerHour: number;
  readonly medianDelayMs: number;
  readonly worstDelayMs: number;
}

interface Course {
  readonly falseAlarms: number;
  readonly delayMs: number;
}

const JUDGE_EVERY_MS = 5;

/** One row for each world, and one for all together ("all"), last. */
export function followAll(
  contender: RequestContender,
  histories: readonly RequestHistory[],
): readonly RequestFigures[] {
  const courses = histories.map((history) => ({
    history,
    course: followRequests(contender.create(history.instances), history),
  }));
  const worlds = [...new Set(histories.map(({ world }) => world)), "all"];
  return worlds.map((world) => {
    const own = courses.filter(({ history }) => world === "all" || history.world === world);
    const hours = sum(own.map(({ history }) => history.failsAtMs)) / 3_600_000;
    const delays = own.map(({ course }) => course.delayMs);
    const falseAlarms = sum(own.map(({ course }) => course.falseAlarms));
    return {
      name: contender.name,
      world,
      falseAlarms,
      falseAlarmsPerHour: falseAlarms / hours,
      medianDelayMs: median(delays),
      worstDelayMs: Math.max(...delays),
    };
  });
}

export function followRequests(detector: RequestDetector, history: RequestHistory): Course {
  const { events, failing, failsAtMs, endsAtMs } = history;
  let blamed: readonly boolean[] = [];
  let falseAlarms = 0;
  let at = 0;
  for (let nowMs = 0; nowMs < endsAtMs; nowMs += JUDGE_EVERY_MS) {
    for (let event = events[at]; event !== undefined && event.atMs <= nowMs; event = events[++at]) {
      if (event.answered) detector.answered(event.instance, event.request, event.atMs);
      else detector.sent(event.instance, event.request, event.atMs);
    }
    const now = [...detector.judge(nowMs)];
    for (const [instance, isBlamed] of now.entries()) {
      const guilty = instance === failing && nowMs >= failsAtMs;
      if (isBlamed && guilty) return { falseAlarms, delayMs: nowMs - failsAtMs };
      if (isBlamed && blamed[instance] !== true) falseAlarms++;
    }
    blamed = now;
  }
  return { falseAlarms, delayMs: endsAtMs - failsAtMs };
}

/** Blames an instance while a request to it is unanswered for that long. */
export function requestTimeout(timeoutMs: number, instances: number): RequestDetector {
  const waiting = Array.from({ length: instances }, () => new Map<number, number>());
  return {
    sent: (instance, request, nowMs) => void waiting[instance]?.set(request, nowMs),
    answered: (instance, request) => void waiting[instance]?.delete(request),
    // A map goes through its entries as they came: the first is the oldest.
    judge: (nowMs) =>
      waiting.map((requests) => {
        const oldest = requests.values().next();
        return oldest.done !== true && nowMs - oldest.value >= timeoutMs;
      }),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
