// Which instance has fallen silent while its peers answer: the state of one service in one worker.
//
// A stopped, paging or cut-off instance accepts connections and answers nothing. Timeouts that are
// safe for the slowest request notice it after seconds; its peers tell within milliseconds. Per
// instance we know how long it has been silent (unanswered work, and no answer of any request), and
// how long its answers typically take. Silent for longer than that while others go on answering is
// *late*: a suspicion that costs little (new requests go elsewhere, waiting ones are hedged) and
// that any answer clears. Three requests unanswered for 250 ms and more is *stalled*: certain
// enough to eject.
//
//   patience T = max(10 ms, 2 (srtt + 4 rttvar))     RFC 6298's estimate of a round trip, doubled
//
// bounded to [the peers' median, 10 times it] at each scan, so that neither an instance that has
// always been slow nor one that has no answer yet has a patience of its own making. All patience is
// multiplied by the number of instances that are silent at once, up to 4 (as Lifeguard does: who
// finds several peers sick at once had better suspect himself). And a judge who was away himself
// lately accuses for two seconds of silence only: where processors are short, everybody is silent
// now and then. For the same reason a silence counts as the instance's own, and not the machine's,
// when it is eight times as long as any absence of the judge in the last minutes.
//
// Peers' answers count as evidence only when they took no longer than their own patience: when all
// are slow, nobody is late. Rejected: fixed thresholds (right for one service at one load), phi
// accrual (it needs a regular stream of signs of life; a request's latency has no such rhythm).

import { assert } from "../base/assert.ts";
import { grown } from "../base/grown.ts";

const PATIENCE_MS_MIN = 10;
/** How often whoever drives it scans, while anything is unanswered. */
export const SCAN_MS = PATIENCE_MS_MIN / 2;
/** Of the median of the peers' patience. */
export const PATIENCE_RATIO_MAX = 10;
export const SILENT_AT_ONCE_MAX = 4;
/** Typical answers of the peers since the silence reached half of the patience. */
const PEER_ANSWERS_MIN = 2;
/** Of patience, when the peers answer nothing because they are asked nothing. */
const IDLE_PEERS_PATIENCES = 4;
export const STALLED_MS_MIN = 250;
export const STALLED_PATIENCES = 4;
export const UNANSWERED_MIN = 3;
/** Who comes so late himself is short of a processor, and so may be those that he judges: */
export const SICK_MS_MIN = 20;
/** for so long after it, */
const SICK_FOR_MS = 10_000;
/** silence of less than this is neither told nor a reason to eject. */
const SICK_PATIENCE_MS_MIN = 2_000;
/** A silence is an instance's own if it is so many times the longest that the judge was away, */
// Of a flapping instance on a machine with four times the work it can do 9 and more were seen; of
// waits for the CPU alone (npm run sim -- --starvation) one in eleven is above 8.
const OWN_SILENCE_RATIO = 8;
/** in this span of time and in the one before. */
const AWAY_SPAN_MS = 60_000;
/** A silence this long is told to control, whose check finds out more. */
export const SUSPECT_MS_MIN = 100;
/** The same for who is alone and has answered nothing yet. */
export const SUSPECT_UNKNOWN_MS = 250;
/** Above so many instances, one does not move the median of the others. */
const MEDIAN_EXACT_MAX = 32;
const MEDIAN_EVERY_MS = 100;

/** How long an answer may take before it is unusual. */
export function patienceMs(srttMs: number, rttvarMs: number): number {
  return Math.max(PATIENCE_MS_MIN, 2 * (srttMs + 4 * rttvarMs));
}

const UNMARKED = -1;
/** What silence is compared with: so many patiences, or milliseconds. */
const limitPatiences = [1, IDLE_PEERS_PATIENCES, 2, STALLED_PATIENCES, 1 / 2];
const limitsMs = [SUSPECT_MS_MIN, SUSPECT_UNKNOWN_MS, STALLED_MS_MIN, SICK_PATIENCE_MS_MIN];

/** When a silence that began then reaches the next of all limits, however many are silent. */
function nextLimitMs(beganMs: number, patience: number, nowMs: number): number {
  let nextMs = Infinity;
  const reach = (silentMs: number): void => {
    if (beganMs + silentMs > nowMs) nextMs = Math.min(nextMs, beganMs + silentMs);
  };
  for (const limitMs of limitsMs) reach(limitMs);
  for (const patiences of limitPatiences) {
    for (let silent = 1; silent <= SILENT_AT_ONCE_MAX; silent++)
      reach(patiences * patience * silent);
  }
  return nextMs;
}

export class StallDetector {
  /** Requests that lie wholly with the instance and have no byte of an answer. */
  awaiting = new Int32Array(16);
  /** 1: silent for longer than usual, while its peers answered. */
  late = new Uint8Array(16);
  /** 1: of this silence control has been told. */
  told = new Uint8Array(16);
  /** Of all slots. */
  awaitingInAll = 0;
  /** Requests that ended unanswered since the last answer: hedged away, or timed out. */
  #unanswered = new Int32Array(16);
  /** When the silence began. */
  #sinceMs = new Float64Array(16);
  /** When the present unanswered work began: it is not waited for longer than it is there. */
  #workMs = new Float64Array(16);
  /** -1 before the first answer. */
  #srttMs = new Float64Array(16).fill(-1);
  #rttvarMs = new Float64Array(16);
  #typical = new Float64Array(16);
  #typicalOfAll = 0;
  /** The peers' typical answers when the silence reached half of the patience. */
  #mark = new Float64Array(16).fill(UNMARKED);
  #silentAtOnce = 1;
  #sickUntilMs = -Infinity;
  /** The longest that the judge was away: in the span that began at `#awaySinceMs`, before it. */
  #awayMs = 0;
  #awayBeforeMs = 0;
  #awaySinceMs = -Infinity;
  /** Bounded by the peers', as of the latest scan. */
  #patienceMs = new Float64Array(16).fill(Infinity);
  /** The patience of all who had answered, ascending; the first `#sorted` entries hold. */
  #ascending = new Float64Array(16);
  #sorted = 0;
  #ascendingAtMs = -Infinity;
  #sampled = 0;

  /** A request lies wholly with the instance: from now on it can answer. */
  awaits(slot: number, nowMs: number): void {
    const before = this.awaiting[slot] as number;
    this.awaiting[slot] = before + 1;
    this.awaitingInAll++;
    if (before > 0) return;
    this.#workMs[slot] = nowMs;
    if (this.#unanswered[slot] === 0) this.#sinceMs[slot] = nowMs;
  }

  /** The first byte of an answer. True when the instance was late until now. */
  answered(slot: number, nowMs: number, waitedMs: number): boolean {
    this.#leave(slot);
    const own = this.#ownPatienceMs(slot);
    const isTypical = own !== undefined && waitedMs <= own;
    if (isTypical) {
      this.#typical[slot] = (this.#typical[slot] as number) + 1;
      this.#typicalOfAll++;
    }
    this.#follow(slot, waitedMs);
    const wasLate = this.late[slot] === 1;
    this.late[slot] = 0;
    this.told[slot] = 0;
    this.#unanswered[slot] = 0;
    this.#sinceMs[slot] = nowMs;
    this.#workMs[slot] = nowMs;
    this.#mark[slot] = UNMARKED;
    return wasLate;
  }

  /** It ended without an answer, and the instance had had its time. */
  unanswered(slot: number): void {
    this.#leave(slot);
    this.#unanswered[slot] = (this.#unanswered[slot] as number) + 1;
  }

  /** It ended without an answer, for reasons not the instance's. */
  left(slot: number): void {
    this.#leave(slot);
  }

  /** Judges all below `count`. `lateByMs`: how much later it comes than meant. True: `late` changed. */
  scan(nowMs: number, lateByMs: number, count: number): boolean {
    if (lateByMs >= SICK_MS_MIN) this.#sickUntilMs = nowMs + SICK_FOR_MS;
    this.#noteAway(nowMs, lateByMs);
    this.#compare(nowMs, count);
    let silent = 0;
    for (let slot = 0; slot < count; slot++) {
      if (this.awaiting[slot] === 0) continue;
      this.#forgive(slot, nowMs, lateByMs);
      if (this.silenceMs(slot, nowMs) >= (this.#patienceMs[slot] as number)) silent++;
    }
    this.#silentAtOnce = Math.min(Math.max(silent, 1), SILENT_AT_ONCE_MAX);
    let changed = false;
    for (let slot = 0; slot < count; slot++) {
      if (this.awaiting[slot] === 0 || this.late[slot] === 1) continue;
      if (!this.#turnsLate(slot, nowMs, count)) continue;
      this.late[slot] = 1;
      changed = true;
    }
    return changed;
  }

  /**
   * Until then a scan finds nothing, if nothing is asked or answered before. `wasScanned`: nothing
   * was since the latest scan, and what it could find at once it has found. `isOut`: it is ejected
   * already, or is nobody's any more, and being stalled as well would change nothing.
   */
  quietUntilMs(
    nowMs: number,
    count: number,
    wasScanned: boolean,
    isOut: (slot: number) => boolean,
  ): number {
    this.#compare(nowMs, count);
    let untilMs = Infinity;
    for (let slot = 0; slot < count; slot++) {
      if (this.awaiting[slot] === 0) continue;
      const patience = this.#patienceMs[slot] as number;
      const sinceMs = this.#sinceMs[slot] as number;
      const firstMs = sinceMs + Math.min(patience / 2, SUSPECT_MS_MIN);
      if (firstMs > nowMs || !wasScanned) {
        untilMs = Math.min(untilMs, firstMs);
        continue;
      }
      if (this.isStalled(slot, nowMs) && !isOut(slot)) return nowMs;
      for (const beganMs of [sinceMs, this.#workMs[slot] as number]) {
        untilMs = Math.min(untilMs, nextLimitMs(beganMs, patience, nowMs));
      }
    }
    return untilMs;
  }

  #turnsLate(slot: number, nowMs: number, count: number): boolean {
    const silenceMs = this.silenceMs(slot, nowMs);
    const patience = this.patienceMs(slot);
    if (silenceMs < patience / 2) return false;
    if (this.#mark[slot] === UNMARKED) this.#mark[slot] = this.#peersTypical(slot);
    if (this.peersAnswered(slot) >= PEER_ANSWERS_MIN) return silenceMs >= patience;
    // Nobody asks the peers any more, since all who ask wait here.
    const isAskedAlone = this.awaitingInAll === this.awaiting[slot];
    const isLong = silenceMs >= IDLE_PEERS_PATIENCES * patience;
    return isAskedAlone && isLong && this.#hasIdlePeer(slot, count);
  }

  /** One who answered all that it was asked. Whom we gave up waiting for is no witness. */
  #hasIdlePeer(slot: number, count: number): boolean {
    for (let peer = 0; peer < count; peer++) {
      if (peer === slot || this.#unanswered[peer] !== 0) continue;
      if ((this.#srttMs[peer] as number) >= 0) return true;
    }
    return false;
  }

  #noteAway(nowMs: number, lateByMs: number): void {
    const sinceMs = nowMs - this.#awaySinceMs;
    if (sinceMs >= AWAY_SPAN_MS) {
      this.#awayBeforeMs = sinceMs >= 2 * AWAY_SPAN_MS ? 0 : this.#awayMs;
      this.#awayMs = 0;
      this.#awaySinceMs = nowMs;
    }
    this.#awayMs = Math.max(this.#awayMs, lateByMs);
  }

  /** The observer was away for that long: the instance need not have been. */
  #forgive(slot: number, nowMs: number, lateByMs: number): void {
    if (lateByMs <= 0) return;
    this.#sinceMs[slot] = Math.min(nowMs, (this.#sinceMs[slot] as number) + lateByMs);
  }

  silenceMs(slot: number, nowMs: number): number {
    return nowMs - (this.#sinceMs[slot] as number);
  }

  unansweredInRow(slot: number): number {
    return (this.#unanswered[slot] as number) + (this.awaiting[slot] as number);
  }

  /** Typical answers of its peers since its silence became unusual. */
  peersAnswered(slot: number): number {
    const mark = this.#mark[slot] as number;
    return mark === UNMARKED ? 0 : this.#peersTypical(slot) - mark;
  }

  /** Smoothed time to the first byte, or undefined before the first. */
  typicalMs(slot: number): number | undefined {
    const srttMs = this.#srttMs[slot] as number;
    return srttMs < 0 ? undefined : srttMs;
  }

  /** As of the latest scan. */
  patienceMs(slot: number): number {
    return (this.#patienceMs[slot] as number) * this.#silentAtOnce;
  }

  /** Late, and with so much evidence that it need not be suspected only. */
  isStalled(slot: number, nowMs: number): boolean {
    if (this.late[slot] === 0 || this.awaiting[slot] === 0) return false;
    const patience = this.patienceMs(slot);
    const leastMs = this.#leastMs(STALLED_MS_MIN, nowMs);
    return (
      this.unansweredInRow(slot) >= UNANSWERED_MIN &&
      this.peersAnswered(slot) >= PEER_ANSWERS_MIN &&
      nowMs - (this.#workMs[slot] as number) >= patience &&
      this.silenceMs(slot, nowMs) >= Math.max(leastMs, STALLED_PATIENCES * patience)
    );
  }

  /**
   * Silent for so long that control should look, whether or not there are peers to compare with.
   */
  isSuspect(slot: number, nowMs: number, isAlone: boolean): boolean {
    if (this.awaiting[slot] === 0 || this.told[slot] === 1) return false;
    if (!isAlone && this.late[slot] === 0) return false;
    const workMs = nowMs - (this.#workMs[slot] as number);
    const silenceMs = this.silenceMs(slot, nowMs);
    const silentMs = isAlone ? Math.min(silenceMs, workMs) : silenceMs;
    const patience = this.patienceMs(slot);
    const leastMs = this.#leastMs(SUSPECT_MS_MIN, nowMs);
    // Nobody has answered yet that could tell what is usual: a check does no harm.
    if (patience === Infinity) return silentMs >= Math.max(leastMs, SUSPECT_UNKNOWN_MS);
    return silentMs >= Math.max(leastMs, isAlone ? 2 * patience : patience);
  }

  #leastMs(usualMs: number, nowMs: number): number {
    return nowMs < this.#sickUntilMs ? SICK_PATIENCE_MS_MIN : usualMs;
  }

  /** Whether a silence is the instance's, rather than that of a machine short of processors. */
  isOwn(silentMs: number): boolean {
    return silentMs >= OWN_SILENCE_RATIO * Math.max(this.#awayMs, this.#awayBeforeMs);
  }

  /** The slot is another instance's now, or its instance has been checked anew. */
  forget(slot: number): void {
    if ((this.#srttMs[slot] as number) >= 0) this.#sampled--;
    this.late[slot] = 0;
    this.told[slot] = 0;
    this.#unanswered[slot] = 0;
    this.#srttMs[slot] = -1;
    this.#patienceMs[slot] = Infinity;
    this.#mark[slot] = UNMARKED;
  }

  grow(capacity: number): void {
    if (capacity <= this.awaiting.length) return;
    const larger = (numbers: Float64Array, rest: number) =>
      grown(numbers, new Float64Array(capacity).fill(rest));
    this.awaiting = grown(this.awaiting, new Int32Array(capacity));
    this.late = grown(this.late, new Uint8Array(capacity));
    this.told = grown(this.told, new Uint8Array(capacity));
    this.#unanswered = grown(this.#unanswered, new Int32Array(capacity));
    this.#sinceMs = larger(this.#sinceMs, 0);
    this.#workMs = larger(this.#workMs, 0);
    this.#srttMs = larger(this.#srttMs, -1);
    this.#rttvarMs = larger(this.#rttvarMs, 0);
    this.#typical = larger(this.#typical, 0);
    this.#patienceMs = larger(this.#patienceMs, Infinity);
    this.#ascending = new Float64Array(capacity);
    this.#ascendingAtMs = -Infinity;
    this.#mark = larger(this.#mark, UNMARKED);
  }

  #leave(slot: number): void {
    assert((this.awaiting[slot] as number) > 0, "what ends was awaited");
    this.awaiting[slot] = (this.awaiting[slot] as number) - 1;
    this.awaitingInAll--;
  }

  /** RFC 6298, section 2: a mean and a deviation that follow, with gains of 1/8 and 1/4. */
  #follow(slot: number, sampleMs: number): void {
    const srttMs = this.#srttMs[slot] as number;
    if (srttMs < 0) {
      this.#sampled++;
      this.#srttMs[slot] = sampleMs;
      this.#rttvarMs[slot] = sampleMs / 2;
      return;
    }
    const rttvarMs = this.#rttvarMs[slot] as number;
    this.#rttvarMs[slot] = 0.75 * rttvarMs + 0.25 * Math.abs(srttMs - sampleMs);
    this.#srttMs[slot] = 0.875 * srttMs + 0.125 * sampleMs;
  }

  #peersTypical(slot: number): number {
    return this.#typicalOfAll - (this.#typical[slot] as number);
  }

  #ownPatienceMs(slot: number): number | undefined {
    const srttMs = this.#srttMs[slot] as number;
    return srttMs < 0 ? undefined : patienceMs(srttMs, this.#rttvarMs[slot] as number);
  }

  /** What each one's patience is among its peers, once a scan. */
  #compare(nowMs: number, count: number): void {
    const isExact = this.#sampled <= MEDIAN_EXACT_MAX;
    if (isExact || nowMs - this.#ascendingAtMs >= MEDIAN_EVERY_MS) {
      this.#sort(count);
      this.#ascendingAtMs = nowMs;
    }
    for (let slot = 0; slot < count; slot++) {
      const own = this.#ownPatienceMs(slot);
      const median = this.#medianOfPeersMs(isExact ? own : undefined);
      // Without a peer to compare with, its own word counts; without that, nobody is judged.
      this.#patienceMs[slot] =
        median === undefined
          ? (own ?? Infinity)
          : Math.min(Math.max(own ?? median, median), PATIENCE_RATIO_MAX * median);
    }
  }

  #sort(count: number): void {
    this.#sorted = 0;
    for (let slot = 0; slot < count; slot++) {
      const own = this.#ownPatienceMs(slot);
      if (own !== undefined) this.#ascending[this.#sorted++] = own;
    }
    if (this.#sorted > MEDIAN_EXACT_MAX) this.#ascending.subarray(0, this.#sorted).sort();
    else insertionSort(this.#ascending, this.#sorted);
  }

  /** The upper median of all, less one that is `own`: of two, the more patient one. */
  #medianOfPeersMs(own: number | undefined): number | undefined {
    const others = own === undefined ? this.#sorted : this.#sorted - 1;
    if (others === 0) return undefined;
    const middle = others >>> 1;
    const isBelow = own !== undefined && own <= (this.#ascending[middle] as number);
    return this.#ascending[isBelow ? middle + 1 : middle];
  }
}

/** In place, of a few: every scan sorts them, and a typed array's own sort is for many. */
function insertionSort(numbers: Float64Array, count: number): void {
  for (let end = 1; end < count; end++) {
    const number = numbers[end] as number;
    let place = end;
    for (; place > 0 && (numbers[place - 1] as number) > number; place--) {
      numbers[place] = numbers[place - 1] as number;
    }
    numbers[place] = number;
  }
}
