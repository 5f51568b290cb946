// From what clients and instances noted to numbers. Pure: the same notes give the same numbers.

import type { Answer } from "./load.ts";

/** One request that reached an instance. */
export interface Received {
  readonly instance: number;
  readonly pid: number;
  readonly method: string;
  readonly number: number;
  /** By the wall clock. */
  readonly atMs: number;
}

export interface Failure extends Answer {
  readonly failure: string;
}

export function failuresOf(answers: readonly Answer[]): readonly Failure[] {
  return answers.filter((answer): answer is Failure => answer.failure !== undefined);
}

export function slowerThan(answers: readonly Answer[], limitMs: number): number {
  return answers.filter((answer) => wellIn(answer) > limitMs).length;
}

/** Its latency; a request that failed has none, and counts as failed, not as slow. */
function wellIn(answer: Answer): number {
  return answer.failure === undefined ? answer.doneMs - answer.dueMs : Number.NaN;
}

export function percentile(answers: readonly Answer[], ratio: number): number {
  const sorted = answers
    .filter(({ failure }) => failure === undefined)
    .map(wellIn)
    .toSorted((a, b) => a - b);
  return sorted[Math.floor(ratio * (sorted.length - 1))] ?? Number.NaN;
}

/** Longest time in which not one request was answered well. */
export function longestGapMs(answers: readonly Answer[]): number {
  let last = 0;
  let longest = 0;
  const times = answers.filter(({ failure }) => failure === undefined).map(({ doneMs }) => doneMs);
  for (const time of times.toSorted((a, b) => a - b)) {
    longest = Math.max(longest, time - last);
    last = time;
  }
  return longest;
}

/** From a moment to the first good answer of a request of that method that was due after it. */
export function answeredAgainMs(
  answers: readonly Answer[],
  method: Answer["method"],
  sinceMs: number,
): number {
  const answered = answers
    .filter((answer) => answer.method === method && answer.failure === undefined)
    .filter(({ dueMs }) => dueMs > sinceMs)
    .map(({ doneMs }) => doneMs - sinceMs);
  return answered.length === 0 ? Number.NaN : Math.min(...answered);
}

const WINDOW_MS = 500;
const IN_TRAFFIC_RATIO = 0.2;

/**
 * How often an instance went out of the traffic or came back into it, as its own notes show: the
 * same measure for every contender, whatever it says of itself. In windows of 500 ms it is in
 * the traffic when it received at least a fifth of an even share of what all received, so single
 * probes are not traffic; one in which all received less than a fifth of the load says nothing.
 * What was due more than a window before it was read lay with an instance that was stopped: that is
 * no traffic of now. A flapping instance that stays in the traffic of a contender all the time
 * receives nothing while it is away, so each of its changes reaches the traffic and counts.
 */
export function trafficChanges(
  received: readonly Received[],
  instance: number,
  options: {
    readonly startedAtMs: number;
    readonly durationMs: number;
    readonly ratePerSecond: number;
    readonly instances: number;
    readonly answers: readonly Answer[];
  },
): number {
  const { startedAtMs, durationMs, ratePerSecond, instances, answers } = options;
  const dueMs = new Map(answers.map((answer) => [answer.number, startedAtMs + answer.dueMs]));
  const windows = Math.floor(durationMs / WINDOW_MS);
  const own = Array.from({ length: windows }, () => 0);
  const all = Array.from({ length: windows }, () => 0);
  for (const request of received) {
    const at = Math.floor((request.atMs - startedAtMs) / WINDOW_MS);
    if (at < 0 || at >= windows) continue;
    if (request.atMs - (dueMs.get(request.number) ?? request.atMs) > WINDOW_MS) continue;
    all[at] = (all[at] ?? 0) + 1;
    if (request.instance === instance) own[at] = (own[at] ?? 0) + 1;
  }
  const telling = ((ratePerSecond * WINDOW_MS) / 1000) * IN_TRAFFIC_RATIO;
  const inside = own
    .map((count, at) => ({ count, of: all[at] ?? 0 }))
    .filter(({ of }) => of >= telling)
    .map(({ count, of }) => count >= (of / instances) * IN_TRAFFIC_RATIO);
  return inside.filter((now, at) => at > 0 && now !== inside[at - 1]).length;
}

/** POSTs that more than one attempt brought to an instance: a contender that repeats them. */
export function repeatedPosts(received: readonly Received[]): number {
  const times = new Map<number, number>();
  for (const { method, number } of received) {
    if (method === "POST") times.set(number, (times.get(number) ?? 0) + 1);
  }
  return [...times.values()].filter((count) => count > 1).length;
}

const SOLE_MS = 300;

/** Who alone got the traffic of the last 300 ms; undefined when nobody or several did. */
export function soleReceiver(received: readonly Received[]): number | undefined {
  const latestMs = received.reduce((latest, { atMs }) => Math.max(latest, atMs), 0);
  const recent = received.filter(({ atMs }) => atMs > latestMs - SOLE_MS);
  const instances = new Set(recent.map(({ instance }) => instance));
  return instances.size === 1 ? recent[0]?.instance : undefined;
}

/** POSTs that an instance received after another had taken over and before it gave back. */
export function writesOutOfTurn(received: readonly Received[], sinceMs: number): number {
  const writes = received.filter(({ method, atMs }) => method === "POST" && atMs > sinceMs);
  const others = writes.filter(({ instance }) => instance !== 0).map(({ atMs }) => atMs);
  const [from, to] = [Math.min(...others), Math.max(...others)];
  return writes.filter(({ instance, atMs }) => instance === 0 && atMs > from && atMs < to).length;
}
