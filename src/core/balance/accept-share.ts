// Which worker stops accepting for a moment, so that long-lived connections lie evenly on all.
//
// Workers accept from the same sockets, and whoever wakes first takes what is there: 97 and 31 of
// 128 keep-alive connections over two workers was seen. A connection cannot be moved later, so each
// worker compares its load with the mean of all after every accept and closes its ears when it is
// ahead, as nginx's accept_disabled does for its own free slots. It listens again when the others
// have caught up.
//
// Load is what stays: connections that outlived their first exchange count in full, young ones by
// the share of recent connections that is still open. In a burst of keep-alive clients nobody hangs
// up and the young count in full at once; where every request brings a new connection, thousands
// come and go, the share is near zero and nobody is ever paused.
//
// Bounds: a worker that listens is at most SLACK (or a tenth of the mean) ahead when it accepts, so
// it holds at most mean + max(2, mean / 10) + 1. With 16 each of 128 over 8 workers: 19, 1.19 times
// its share. Somebody is always at or below the mean and listens, at the latest at its next look;
// in the 2 ms until then new connections wait in the kernel, none is refused. That short silence is
// the price of an even burst: whoever listens alone between two looks would take all of it.
//
// Pausing is pointless when what comes is short-lived and the gap is old (half of one worker's
// clients have left): when the peers have accepted twice what would have closed the gap, and it is
// still there, it is tolerated until it grows. A hung peer's report goes stale and is ignored.

/** Of one gateway. Those before a change of it and those after serve side by side for a while. */
export const WORKERS_MAX = 32;

/** What a worker publishes of itself, after each accept and at least every 50 ms. */
export interface WorkerLoad {
  /** Client connections open now. */
  readonly open: number;
  /** Those among them that outlived their first exchange. */
  readonly kept: number;
  /** Client connections accepted since the worker started. */
  readonly accepted: number;
  /** For people; the rule needs only the loads. */
  readonly paused: boolean;
}

export interface PeerLoad extends WorkerLoad {
  readonly worker: number;
  /** When it was published, by the machine's monotonic clock. */
  readonly atMs: number;
}

/** What a worker carries from one decision to the next. Begin with `initialShare`. */
export interface Share {
  readonly paused: boolean;
  /** What the fresh peers together had accepted when the pause began. */
  readonly peersAccepted: number;
  /** A lead over the mean that pausing did not mend. */
  readonly tolerated: number;
  /** Closed connections of all when this second and the last one began. */
  readonly closedBefore: number;
  readonly closedSince: number;
  readonly secondBeganMs: number;
}

export const initialShare: Share = {
  paused: false,
  peersAccepted: 0,
  tolerated: 0,
  closedBefore: 0,
  closedSince: 0,
  secondBeganMs: -Infinity,
};

/** A report older than this is of a worker that hangs or is gone. */
export const REPORT_STALE_MS = 200;
/** A paused worker decides again this often. */
export const LOOK_MS = 2;
const SLACK = 2;
const SLACK_RATIO = 0.1;
const WINDOW_MS = 1000;

/**
 * Whether to accept until the next decision. Call it after each accept with the peers' reports read
 * afresh, and every LOOK_MS while paused.
 */
export function nextShare(
  share: Share,
  own: WorkerLoad,
  peers: readonly PeerLoad[],
  nowMs: number,
): Share {
  const all = total(own, peers, nowMs);
  const churn = nextChurn(share, all.closed, nowMs);
  const young = all.open - all.kept;
  const closedLately = Math.max(0, all.closed - churn.closedBefore);
  const youngWeight = young > 0 ? young / (young + closedLately) : 0;
  const mean = (all.kept + young * youngWeight) / all.workers;
  const lead = own.kept + (own.open - own.kept) * youngWeight - mean;
  const slack = Math.max(SLACK, mean * SLACK_RATIO);
  const tolerated = Math.max(0, Math.min(share.tolerated, lead));

  const listening = { ...churn, paused: false, peersAccepted: 0 };
  if (!share.paused) {
    if (lead <= tolerated + slack) return { ...listening, tolerated };
    return { ...churn, paused: true, peersAccepted: all.peersAccepted, tolerated };
  }
  // Half the slack between stopping and starting again, so that one connection does not do both.
  if (lead <= tolerated + slack / 2) return { ...listening, tolerated };
  const futile = all.peersAccepted - share.peersAccepted > 2 * lead * all.workers + 16;
  if (futile) return { ...listening, tolerated: lead };
  return { ...churn, paused: true, peersAccepted: share.peersAccepted, tolerated };
}

interface Total {
  readonly workers: number;
  readonly open: number;
  readonly kept: number;
  readonly closed: number;
  readonly peersAccepted: number;
}

function total(own: WorkerLoad, peers: readonly PeerLoad[], nowMs: number): Total {
  let workers = 1;
  let open = own.open;
  let kept = own.kept;
  let closed = own.accepted - own.open;
  let peersAccepted = 0;
  for (const peer of peers) {
    if (!isFresh(peer, nowMs)) continue;
    workers++;
    open += peer.open;
    kept += peer.kept;
    closed += peer.accepted - peer.open;
    peersAccepted += peer.accepted;
  }
  return { workers, open, kept, closed, peersAccepted };
}

/**
 * Reports from the future count as little as old ones: the monotonic clock begins anew with each
 * boot, and a report left behind by one before would otherwise count for days, as a peer that never
 * accepts.
 */
function isFresh(peer: PeerLoad, nowMs: number): boolean {
  return Math.abs(nowMs - peer.atMs) <= REPORT_STALE_MS;
}

type Churn = Pick<Share, "closedBefore" | "closedSince" | "secondBeganMs">;

/** Closings are counted over the second under way and the one before it. */
function nextChurn(share: Share, closed: number, nowMs: number): Churn {
  const elapsedMs = nowMs - share.secondBeganMs;
  if (elapsedMs < WINDOW_MS) {
    const { closedBefore, closedSince, secondBeganMs } = share;
    return { closedBefore, closedSince, secondBeganMs };
  }
  // Nobody asked for two seconds or more: what closed meanwhile is not lately.
  const closedBefore = elapsedMs < 2 * WINDOW_MS ? share.closedSince : closed;
  return { closedBefore, closedSince: closed, secondBeganMs: nowMs };
}
