// A wire over a `net.Socket`: slower than the handle below it (handle-wire.ts) by what a stream
// costs, and as right. It serves where that handle is not what we know, and wherever the host is a
// name: Node then looks it up and tries its addresses.

import { connect, type Socket } from "node:net";
import { nobody, readRest, sharedBuffer, type Wire, type WireOwner } from "./wire.ts";

/** Starts to connect. `onConnected` is called at most once, before anything else happens. */
export function connectSocket(
  host: string,
  port: number,
  owner: WireOwner,
  onConnected: () => void,
): Wire {
  const socket = connect({
    host,
    port,
    noDelay: true,
    allowHalfOpen: true,
    onread: {
      buffer: sharedBuffer,
      callback(byteCount: number, bytes: Uint8Array): boolean {
        wire.owner.onBytes(bytes as Buffer, 0, byteCount);
        return true;
      },
    },
  });
  const wire = new SocketWire(socket);
  wire.owner = owner;
  wire.resume();
  socket.once("connect", onConnected);
  return wire;
}

export class SocketWire implements Wire {
  readonly #socket: Socket;
  owner: WireOwner = nobody;
  readonly peerAddress: string | undefined;
  #cause = "";
  #open = true;
  #blocked = false;
  #writtenBytes = 0;
  #queuedBytes = 0;
  readonly #onWritten = (error?: Error | null): void => {
    if (error) this.#readRest();
    if (!this.#blocked || this.#socket.writableLength > 0) return;
    this.#blocked = false;
    if (this.#open) this.owner.onDrained();
  };

  constructor(socket: Socket) {
    this.#socket = socket;
    this.peerAddress = socket.remoteAddress;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#cause = error.code ?? "EUNKNOWN";
    });
    socket.on("close", () => this.#closed());
    socket.on("end", () => {
      if (this.#open) this.owner.onEnd();
    });
    // Without `onread` this is how it reads; with it, it never happens.
    socket.on("data", (bytes: Buffer) => this.owner.onBytes(bytes, 0, bytes.length));
    socket.pause();
  }

  get open(): boolean {
    return this.#open;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  get takenBytes(): number {
    return this.#writtenBytes - this.#queueSize();
  }

  progressed(): boolean {
    const before = this.#queuedBytes;
    this.#queuedBytes = this.#queueSize();
    return this.#queuedBytes > 0 && this.#queuedBytes !== before;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#open) return true;
    this.#writtenBytes += bytes.length;
    this.#socket.write(bytes, this.#onWritten);
    if (this.#socket.writableLength === 0) return true;
    this.#blocked = true;
    this.#queuedBytes = this.#queueSize();
    return false;
  }

  /** A socket may keep what it is given. */
  pass(bytes: Buffer, from: number, to: number): boolean {
    return this.write(Buffer.from(bytes.subarray(from, to)));
  }

  #readRest(): void {
    const { fd } = (this.#socket as unknown as { _handle?: { fd?: number } })._handle ?? {};
    if (fd !== undefined && fd >= 0) readRest(this, fd);
  }

  /** Bytes that the event loop holds for the kernel; `writableLength` counts whole writes only. */
  #queueSize(): number {
    const handle = (this.#socket as unknown as { _handle?: { writeQueueSize?: number } })._handle;
    return handle?.writeQueueSize ?? 0;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  keepAlive(idleMs: number): void {
    this.#socket.setKeepAlive(true, idleMs);
  }

  end(): void {
    if (this.#open) this.#socket.end();
  }

  destroy(): void {
    this.#open = false;
    this.#socket.destroy();
  }

  reset(): void {
    if (!this.#open) return;
    this.#open = false;
    const socket = this.#socket;
    // A handle that refuses a reset can't be closed any more either. It does while it shuts down,
    // which takes one turn of the event loop; and before it is connected nobody could tell.
    const isShutting = socket.writableEnded && socket.writableLength === 0;
    if (socket.connecting) socket.destroy();
    else if (!isShutting || socket.writableFinished) socket.resetAndDestroy();
    else socket.once("finish", () => socket.resetAndDestroy());
  }

  #closed(): void {
    if (!this.#open) return;
    this.#open = false;
    this.owner.onClosed(this.#cause);
  }
}
