// Which worker should stop accepting for a moment, so that long-lived connections lie evenly on all.
//
// Workers accept from the same sockets, and whoever wakes first takes what is there: 97 and 31 of 128
// keep-alive connections over two workers was seen. A connection cannot be moved later, so each
// worker compares its load with the mean of all after every accept and closes its ears when it is
// ahead, as nginx's accept_disabled does for its own free slots. It listens again when the others
// have caught up.
//
// Load is what stays: connections that outlived their first exchange count in full, young ones by the
// share of recent connections that is still open. In a burst of keep-alive clients nobody hangs up
// and the young count in full at once; where every request brings a new connection, thousands come
// and go, the share is near zero and nobody is ever paused.
//
// Bounds: a worker that listens is at most SLACK (or a tenth of the mean) ahead when it accepts, so it
// holds at most mean + max(2, mean / 10) + 1. With 16 each of 128 over 8 workers: 19, 1.19 times its share.
// Nobody alone: whoever is at or below the mean listens, and a worker never pauses when no fresh peer
// listens. Pausing is pointless when what comes is short-lived and the gap is old (half of one
// worker's clients have left): when the peers have accepted twice what would have closed the gap, and
// it is still there, it is tolerated until it grows.
//
// A hung peer's report goes stale and is ignored: it accepts nothing.

/** What a worker publishes of itself, after each accept and at least every 50 ms. */
export interface WorkerLoad {
  /** Client connections open now. */
  readonly open: number;
  /** Those among them that outlived their first exchange. */
  readonly kept: number;
  /** Client connections accepted since the worker started. */
  readonly accepted: number;
  readonly paused: boolean;
}

export interface PeerLoad extends WorkerLoad {
  /** Stable while the worker lives. */
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
const SLACK = 2;
const SLACK_RATIO = 0.1;
const WINDOW_MS = 1000;

/**
 * Whether to accept until the next decision. Call it after each accept, and every 10 ms while paused.
 * Publish `paused: true` first, decide once more, and only then pause: of two that would leave nobody
 * listening, at least one sees the other.
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

  if (!all.peerListens) return { ...churn, paused: false, peersAccepted: 0, tolerated };
  if (!share.paused) {
    const paused = lead > tolerated + slack;
    return { ...churn, paused, peersAccepted: paused ? all.peersAccepted : 0, tolerated };
  }
  // Half the slack between stopping and starting again, so that one connection does not do both.
  if (lead <= tolerated + slack / 2)
    return { ...churn, paused: false, peersAccepted: 0, tolerated };
  const futile = all.peersAccepted - share.peersAccepted > 2 * lead * all.workers + 16;
  if (futile) return { ...churn, paused: false, peersAccepted: 0, tolerated: lead };
  return { ...churn, paused: true, peersAccepted: share.peersAccepted, tolerated };
}

interface Total {
  readonly workers: number;
  readonly open: number;
  readonly kept: number;
  readonly closed: number;
  readonly peersAccepted: number;
  readonly peerListens: boolean;
}

function total(own: WorkerLoad, peers: readonly PeerLoad[], nowMs: number): Total {
  let workers = 1;
  let open = own.open;
  let kept = own.kept;
  let closed = own.accepted - own.open;
  let peersAccepted = 0;
  let peerListens = false;
  for (const peer of peers) {
    if (nowMs - peer.atMs > REPORT_STALE_MS) continue;
    workers++;
    open += peer.open;
    kept += peer.kept;
    closed += peer.accepted - peer.open;
    peersAccepted += peer.accepted;
    if (!peer.paused) peerListens = true;
  }
  return { workers, open, kept, closed, peersAccepted, peerListens };
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
