// What the parent does about its workers, as a pure function of what it sees. Invariants:
//
// - As many serve as the table asks for, and a replacement serves before what it replaces drains.
// - A worker that says nothing for three heartbeats hangs and is killed: waiting costs its clients.
//   One that wants a processor and gets too little of it is silent too, and killing it would only
//   make the machine busier: three heartbeats count in its own time then, up to STARVED_MS.
// - At most one more than asked for is started while outdated ones serve, so that a change never
//   doubles the load of the machine.
// - Whatever was told to end, or never began, is killed when its time is over.

import { backoffCeilingMs } from "../../core/guard/backoff.ts";

export const HEARTBEAT_MS = 200;
/** Three missed heartbeats. */
export const SILENT_MS = 3 * HEARTBEAT_MS;
/** As long may a worker be silent that waits for a processor. */
export const STARVED_MS = 3_000;
/**
 * From launch to the first hello; a start takes 0.1 s here, and several may start on a busy core.
 */
export const START_MS = 10_000;
/** Beyond its own deadline, for what it has to say last. */
export const DRAIN_MARGIN_MS = 2_000;

const backoff = { baseMs: 100, maxMs: 5_000 };
/** A worker that served this long did not fail at its start. */
export const PAID_OFF_MS = 5_000;

export interface WorkerView {
  readonly pid: number;
  /** Grows with each start. */
  readonly worker: number;
  readonly state: "starting" | "serving" | "draining";
  /** Since when it is in this state. */
  readonly sinceMs: number;
  /** When it was heard last; its launch before that. */
  readonly heardMs: number;
  /** Silent, at work or ready to be, and not given three heartbeats' time since it was heard. */
  readonly starved: boolean;
  /** To be replaced: by an operator's word, or for want of a new listener's descriptor. */
  readonly outdated: boolean;
  /** End of its drain, when it drains. */
  readonly drainUntilMs: number;
}

export interface Kill {
  readonly pid: number;
  readonly why: string;
}

export interface Plan {
  /** How many. */
  readonly start: number;
  /** Which, by pid. */
  readonly drain: readonly number[];
  readonly kill: readonly Kill[];
}

/** `wanted` is 0 when the gateway stops: nothing is started then, and everything drains. */
export function planWorkers(
  workers: readonly WorkerView[],
  wanted: number,
  mayStartAtMs: number,
  nowMs: number,
): Plan {
  const kill = workers.flatMap((worker) => {
    const why = reasonToKill(worker, nowMs);
    return why === undefined ? [] : [{ pid: worker.pid, why }];
  });
  const doomed = new Set(kill.map((entry) => entry.pid));
  const live = workers.filter(({ pid, state }) => !doomed.has(pid) && state !== "draining");
  return {
    start: nowMs < mayStartAtMs ? 0 : countToStart(live, wanted),
    drain: pickToDrain(live, wanted),
    kill,
  };
}

function reasonToKill(worker: WorkerView, nowMs: number): string | undefined {
  const { state } = worker;
  if (state === "starting" && nowMs - worker.sinceMs >= START_MS) {
    return `did not serve within ${START_MS / 1_000} s of its start`;
  }
  const silentMs = nowMs - worker.heardMs;
  if (state === "serving" && silentMs >= (worker.starved ? STARVED_MS : SILENT_MS)) {
    return `hangs: it said nothing for ${Math.round(silentMs)} ms`;
  }
  if (state === "draining" && nowMs >= worker.drainUntilMs + DRAIN_MARGIN_MS) {
    return "did not end when its drain was over";
  }
  return undefined;
}

function countToStart(live: readonly WorkerView[], wanted: number): number {
  const fresh = live.filter((worker) => !worker.outdated).length;
  // Replacing goes one by one: the outdated stay until a fresh one serves.
  const room = wanted + (live.length > fresh ? 1 : 0) - live.length;
  return wanted === 0 ? 0 : Math.max(0, Math.min(wanted - fresh, room));
}

function pickToDrain(live: readonly WorkerView[], wanted: number): readonly number[] {
  if (wanted === 0) return live.map((worker) => worker.pid);
  const serving = live.filter((worker) => worker.state === "serving");
  // The outdated first, then the youngest: the others' clients have been there longest.
  const order = serving.toSorted(
    (a, b) => Number(b.outdated) - Number(a.outdated) || b.worker - a.worker,
  );
  return order.slice(0, Math.max(0, serving.length - wanted)).map((worker) => worker.pid);
}

/** What a process has had of the processors so far, and whether it would have more. */
export interface ProcessorUse {
  readonly usedMs: number;
  readonly runnable: boolean;
}

/**
 * Whether silence is no proof: since it was heard it has not had the time on a processor in which a
 * sound worker speaks. Who is stopped, or sleeps over something, uses none and waits for none.
 */
export function isStarved(
  whenHeard: ProcessorUse,
  before: ProcessorUse,
  now: ProcessorUse,
): boolean {
  const wantsToRun = now.runnable || now.usedMs > before.usedMs;
  return wantsToRun && now.usedMs - whenHeard.usedMs < SILENT_MS;
}

/** How long to wait after `failures` workers in a row that ended at their start. */
export function restartDelayMs(failures: number): number {
  return failures <= 1 ? 0 : backoffCeilingMs(backoff, failures - 1);
}
