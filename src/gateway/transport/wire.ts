// One TCP connection as the engine sees it: bytes in, bytes out, and the three ways it can end.
//
// There are two kinds: over Node's own TCP handle (handle-wire.ts), which is what serves, and over
// a `net.Socket` (socket-wire.ts), where that handle is not what we know or a name must be looked
// up. The engine knows neither.
//
// All wires read into one buffer that this process shares, which halves what Node pays for a read;
// so bytes are only valid during `onBytes`, and whoever needs them longer copies them. Reading is a
// plain call on the owner: no stream object is pushed through, nothing is queued here.
//
// Backpressure is one rule: `write` says whether the kernel took everything. If not, the other side
// is paused by its owner until `onDrained`. At most one read's worth of bytes waits in each
// direction.
//
// Rejected: 'data' events (Node allocates 64 KiB for each read), a buffer for each socket (its size
// times every idle connection), pipe() (its two high-water marks a direction are not ours to
// bound).

import { readSync, writeSync } from "node:fs";

/** What happens on a wire. Exactly one `onClosed` ends it; nothing is called after that. */
export interface WireOwner {
  /** `bytes` in [from, to) have arrived. They are overwritten when this returns. */
  onBytes(bytes: Buffer, from: number, to: number): void;
  /** The peer sends no more; it may still read. */
  onEnd(): void;
  /** All that was written after a `write` that returned false has left this process. */
  onDrained(): void;
  /** `cause` is a system error's code such as ECONNRESET, or "" when it closed in order. */
  onClosed(cause: string): void;
}

export interface Wire {
  /** Hears what happens from now on. A wire reads only after its first `resume`. */
  owner: WireOwner;
  readonly open: boolean;
  /** Undefined when the peer had reset the connection before it was asked for. */
  readonly peerAddress: string | undefined;
  /** Bytes written that the kernel has not taken yet; of several writes, those not yet whole. */
  readonly pendingBytes: number;
  /** Bytes that the kernel has taken since it was made. */
  readonly takenBytes: number;
  /**
   * Whether the kernel has taken some of what waited, since this was asked last: a peer that is
   * slow is not one that has stopped.
   */
  progressed(): boolean;
  /**
   * Whether the kernel took it all. When false, `bytes` stay in use until `onDrained`: the caller
   * never touches them again.
   */
  write(bytes: Uint8Array): boolean;
  /**
   * As `write`, of bytes [from, to) that are only lent: they are the caller's again at once, and
   * nothing is copied but what the kernel does not take. For much, which is what copying costs.
   */
  pass(bytes: Buffer, from: number, to: number): boolean;
  pause(): void;
  resume(): void;
  /** The kernel asks a peer that has been silent this long whether it is still there. */
  keepAlive(idleMs: number): void;
  /** Sends what is pending, then FIN. The peer may go on sending. */
  end(): void;
  /** Closes at once; what is pending is lost. `onClosed` is not called. */
  destroy(): void;
  /** Closes at once with RST, so that the peer can't take what it has got for all there is. */
  reset(): void;
}

/** Starts to connect. `onConnected` is called at most once, before anything else happens. */
export type Connect = (
  host: string,
  port: number,
  owner: WireOwner,
  onConnected: () => void,
) => Wire;

/** Until it has been given its owner. */
export const nobody: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrained: () => undefined,
  onClosed: () => undefined,
};

/** Bytes read at once, at most: what large bodies cost depends on it, small ones don't. */
export const READ_BYTES = 262_144;

/** So much is passed on from where it lies: copying less costs no more than a write of its own. */
export const PASSED_BYTES_MIN = 32_768;

/** Beyond this an answer that its instance has reset is cut: nobody could pause it any more. */
const REST_READS_MAX = 4;

export const sharedBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * A write fails when the peer has reset the connection, and nothing more is read then. What the
 * peer sent before, such as its refusal of a large upload, still lies in the kernel: it is read
 * first, while the descriptor is still ours.
 */
export function readRest(wire: Wire, fd: number): void {
  for (let reads = 0; reads < REST_READS_MAX && wire.open; reads++) {
    let byteCount = 0;
    try {
      byteCount = readSync(fd, sharedBuffer, 0, READ_BYTES, null);
    } catch {
      // Nothing is left but the reset itself.
    }
    if (byteCount === 0) return;
    wire.owner.onBytes(sharedBuffer, 0, byteCount);
  }
}

/** What the kernel takes of the bytes at once. Why it takes nothing the next write finds out. */
export function writeNow(fd: number, bytes: Uint8Array, from: number, to: number): number {
  try {
    return writeSync(fd, bytes, from, to - from);
  } catch {
    return 0;
  }
}
