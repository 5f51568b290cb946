// What a worker without a parent does next. Pure; parent-bond.ts carries it out.
//
// The office of parent is held by term (ports/term-claims.ts). Workers whose link broke race for
// the next term; the winner hands it to a new parent that it starts with its own descriptors. A
// winner can die or be stopped at any point before the new parent serves, so the losers' patience
// has an end, and so has its own: then the next term is taken over the living holder's head. That
// is safe, because whoever holds an older term ends, or is refused, as soon as it acts: terms
// fence.
//
// | the newest holder                  | a worker without a parent                          |
// |------------------------------------|----------------------------------------------------|
// | nobody, or dead                    | claims the next term (third round on: after a wait) |
// | lives, seen for less than patience | waits for a parent to welcome it                   |
// | lives, and patience is over        | takes the next term over its head                  |
//
// A round is one try to get a parent. Patience and waits double with each, so that a machine too
// slow to start a parent in a second is not flooded with claimants, nor one whose parents die at
// once with parents. Rejected: a vote among workers (one alone must be able to).

import { backoffCeilingMs } from "../../core/guard/backoff.ts";
import type { TermHolder } from "../../ports/term-claims.ts";

/**
 * How long a holder may take to serve. Starting a process takes 0.1 s here, 0.5 s on a slow
 * machine.
 */
const PATIENCE_MS = 1_000;
const PATIENCE_MS_MAX = 16_000;
/** Two parents killed in a row are replaced at once; more that never served are a fault of ours. */
const ROUNDS_AT_ONCE = 2;
const pause = { baseMs: 200, maxMs: 5_000 };
/** A parent whose link is up says every 200 ms that it lives. */
export const PARENT_SILENT_MS = 3_000;

export interface Orphan {
  /** Term of the parent that welcomed us last. */
  readonly lostTerm: number;
  readonly holder: TermHolder | undefined;
  /** When we first saw this holder's term since we lost our parent. */
  readonly holderSeenMs: number;
}

export type NextStep = "claim" | "wait" | "supersede";

export function nextStep(orphan: Orphan, nowMs: number): NextStep {
  const { holder } = orphan;
  if (holder === undefined) return "claim";
  const seenMs = nowMs - orphan.holderSeenMs;
  const rounds = roundsSince(orphan.lostTerm, holder.term);
  if (!holder.alive) return seenMs < pauseMs(rounds) ? "wait" : "claim";
  return seenMs < patienceMs(rounds) ? "wait" : "supersede";
}

/** Each round takes two terms: the claimant's, and that of the parent which it starts. */
function roundsSince(lostTerm: number, holderTerm: number): number {
  return Math.max(0, Math.ceil((holderTerm - lostTerm) / 2));
}

function pauseMs(rounds: number): number {
  return rounds <= ROUNDS_AT_ONCE ? 0 : backoffCeilingMs(pause, rounds - ROUNDS_AT_ONCE);
}

function patienceMs(rounds: number): number {
  return Math.min(PATIENCE_MS_MAX, PATIENCE_MS * 2 ** Math.min(Math.max(0, rounds - 1), 10));
}
