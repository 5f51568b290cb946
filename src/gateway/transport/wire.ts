// One TCP connection as the engine sees it: bytes in, bytes out, and the three ways it can end.
//
// Sockets read into one buffer that all of this process share, which halves what Node pays for a
// read; so bytes are only valid during `onBytes`, and whoever needs them longer copies them.
// Reading is a plain call on the owner: no stream object is pushed through, nothing is queued here.
//
// Backpressure is one rule: `write` says whether the kernel took everything. If not, the other side
// is paused by its owner until `onDrained`. At most one read's worth of bytes waits in each
// direction.
//
// Rejected: 'data' events (Node allocates 64 KiB for each read), a buffer for each socket (its size
// times every idle connection), pipe() (its two high-water marks a direction are not ours to
// bound).

import { readSync } from "node:fs";
import { connect, Socket } from "node:net";

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

/** Bytes read at once, at most: what large bodies cost depends on it, small ones don't. */
export const READ_BYTES = 262_144;

/** Beyond this an answer that its instance has reset is cut: nobody could pause it any more. */
const REST_READS_MAX = 4;

const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** Who reads from a socket that was made to read into the shared buffer. */
interface Reader {
  wire: Wire | undefined;
}
const READER = Symbol("reader");
type ReadingSocket = Socket & { [READER]?: Reader };

function readInto(reader: Reader) {
  return {
    buffer: shared,
    callback(byteCount: number, bytes: Uint8Array): boolean {
      reader.wire?.owner.onBytes(bytes as Buffer, 0, byteCount);
      return true;
    },
  };
}

/** A socket over an accepted handle, reading into the shared buffer once a Wire owns it. */
export function adoptHandle(handle: object): Socket {
  const reader: Reader = { wire: undefined };
  const options = { handle, allowHalfOpen: true, onread: readInto(reader) };
  const socket: ReadingSocket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  socket[READER] = reader;
  socket.setNoDelay(true);
  return socket;
}

/** Starts to connect. `onConnected` is called at most once, before anything else happens. */
export function connectWire(
  host: string,
  port: number,
  owner: WireOwner,
  onConnected: () => void,
): Wire {
  const reader: Reader = { wire: undefined };
  const socket: ReadingSocket = connect({
    host,
    port,
    noDelay: true,
    allowHalfOpen: true,
    onread: readInto(reader),
  });
  socket[READER] = reader;
  socket.once("connect", onConnected);
  return new Wire(socket, owner);
}

export class Wire {
  readonly socket: Socket;
  owner: WireOwner;
  #cause = "";
  #open = true;
  #blocked = false;
  #queuedBytes = 0;
  readonly #onWritten = (error?: Error | null): void => {
    if (error) this.#readRest();
    if (!this.#blocked || this.socket.writableLength > 0) return;
    this.#blocked = false;
    if (this.#open) this.owner.onDrained();
  };

  constructor(socket: Socket, owner: WireOwner) {
    this.socket = socket;
    this.owner = owner;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#cause = error.code ?? "EUNKNOWN";
    });
    socket.on("close", () => this.#closed());
    socket.on("end", () => {
      if (this.#open) this.owner.onEnd();
    });
    const reader = (socket as ReadingSocket)[READER];
    if (reader !== undefined) reader.wire = this;
    else socket.on("data", (bytes: Buffer) => this.owner.onBytes(bytes, 0, bytes.length));
  }

  get open(): boolean {
    return this.#open;
  }

  /** Bytes written that the kernel has not taken yet. */
  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  /**
   * Whether the kernel has taken some of what waited, since this was asked last: a peer that is
   * slow is not one that has stopped.
   */
  progressed(): boolean {
    const before = this.#queuedBytes;
    this.#queuedBytes = this.#queueSize();
    return this.#queuedBytes > 0 && this.#queuedBytes !== before;
  }

  /**
   * Whether the kernel took it all. When false, `bytes` stay in use until `onDrained`: the caller
   * never touches them again.
   */
  write(bytes: Uint8Array): boolean {
    if (!this.#open) return true;
    this.socket.write(bytes, this.#onWritten);
    if (this.socket.writableLength === 0) return true;
    this.#blocked = true;
    this.#queuedBytes = this.#queueSize();
    return false;
  }

  /**
   * A write fails when the peer has reset the connection, and Node closes the socket on that. What
   * the peer sent before, such as its refusal of a large upload, still lies in the kernel: it is
   * read first. Asked for in the write's callback, when the descriptor is still ours.
   */
  #readRest(): void {
    const { fd } = (this.socket as unknown as { _handle?: { fd?: number } })._handle ?? {};
    if (fd === undefined || fd < 0) return;
    for (let reads = 0; reads < REST_READS_MAX && this.#open; reads++) {
      let byteCount = 0;
      try {
        byteCount = readSync(fd, shared, 0, READ_BYTES, null);
      } catch {
        // Nothing is left but the reset itself.
      }
      if (byteCount === 0) return;
      this.owner.onBytes(shared, 0, byteCount);
    }
  }

  /** Bytes that the event loop holds for the kernel; `writableLength` counts whole writes only. */
  #queueSize(): number {
    const handle = (this.socket as unknown as { _handle?: { writeQueueSize?: number } })._handle;
    return handle?.writeQueueSize ?? 0;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Sends what is pending, then FIN. The peer may go on sending. */
  end(): void {
    if (this.#open) this.socket.end();
  }

  /** Closes at once; what is pending is lost. `onClosed` is not called. */
  destroy(): void {
    this.#open = false;
    this.socket.destroy();
  }

  /** Closes at once with RST, so that the peer can't take what it has got for all there is. */
  reset(): void {
    this.#open = false;
    this.socket.resetAndDestroy();
  }

  #closed(): void {
    if (!this.#open) return;
    this.#open = false;
    this.owner.onClosed(this.#cause);
  }
}
