// Is it them, or is it me? An observer that is itself short of CPU misses deadlines of others.
//
// Lifeguard (Dadgar, Phillips, Currey, arXiv:1707.00788; memberlist awareness.go) keeps a score of
// one's own health and stretches one's own timeouts by it. Theirs hears of failed probes and of
// refutations by peers. Ours has two witnesses against itself:
// - its own timers come late: nobody else can be to blame for that. A lag of 100 ms is worth one
//   point, each doubling one more: 6.4 s, or a SIGSTOP, are worth all seven;
// - in one window most of those asked were silent, and several: it is more likely that one observer
//   cannot hear than that they all died in one second. A refused connection is no silence: that
//   answer did come. It is the weaker witness, since they may hang for the same reason: a point a
//   window, and never beyond two.
// A window with neither takes one point back, so that a fit of seven seconds is forgotten in seven.
//
// Timeouts are multiplied by score + 1, 8 at most. Checks that must fail in a row become
// `fall` + log2(multiplier), 3 more at most: eight times the timeout and eight times the count
// would be blindness.
//
// Invariant: a well observer (score 0) is exactly as quick as its settings say.

export interface ObserverHealth {
  readonly score: number;
}

export const wellObserver: ObserverHealth = { score: 0 };

export const scoreMax = 7;
/** One window of observation. */
export const observerWindowMs = 1_000;
/** Own lag below this is the noise of any machine. */
export const lagNoticedMs = 100;
/** Silent in one window, at least, before the observer doubts itself. */
const silentMin = 2;
/** What the silence of others alone may raise the score to. */
const silenceScoreMax = 2;

/** What one window showed, each instance counted once. */
export interface ObserverWindow {
  readonly asked: number;
  /** Of these, no answer of any kind in time. */
  readonly silent: number;
}

/** Points that a lag of our own timers is worth: 1 + log2(lag / 100 ms). */
export function pointsOfLag(lagMs: number): number {
  if (lagMs < lagNoticedMs) return 0;
  return Math.min(scoreMax, 1 + Math.floor(Math.log2(lagMs / lagNoticedMs)));
}

/** A timer of ours ran this late. A long lag counts once, not once for every timer that it hit. */
export function lagged(health: ObserverHealth, lagMs: number): ObserverHealth {
  return { score: Math.max(health.score, pointsOfLag(lagMs)) };
}

/** A window is over; `lagMs` is the longest lag in it. */
export function windowEnded(
  health: ObserverHealth,
  { asked, silent }: ObserverWindow,
  lagMs: number,
): ObserverHealth {
  const deaf = silent >= silentMin && 2 * silent > asked;
  if (deaf && health.score < silenceScoreMax) return { score: health.score + 1 };
  if (deaf || pointsOfLag(lagMs) > 0) return health;
  return { score: Math.max(0, health.score - 1) };
}

/** Of every timeout: score + 1. */
export function patienceFactor({ score }: ObserverHealth): number {
  return score + 1;
}

/** Checks in a row that must fail: fall + log2(multiplier), rounded down. */
export function patientFall(health: ObserverHealth, fall: number): number {
  return fall + Math.floor(Math.log2(patienceFactor(health)));
}
