// A wire over Bun's sockets: what the gateway's engine would cost on that runtime. Only measured
// here; what is shipped runs on Node.
//
// Bun's sockets call plain handlers, one set for all of them, and say of each write how much the
// kernel took. What is left of a write waits here until the socket drains.

import {
  type Connect,
  nobody,
  type Wire,
  type WireOwner,
} from "../../src/gateway/transport/wire.ts";

/** What of Bun is used (https://bun.sh/docs/api/tcp). */
interface BunSocket {
  data: BunWire;
  readonly remoteAddress: string;
  /** Bytes taken; negative when it is closed. */
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  setKeepAlive(on: boolean, idleMs: number): void;
  shutdown(): void;
  end(): void;
  terminate(): void;
}

type BunError = Pick<NodeJS.ErrnoException, "code">;

interface Endpoint {
  readonly hostname: string;
  readonly port: number;
  readonly allowHalfOpen: boolean;
  readonly socket: typeof handlers & { readonly open: (socket: BunSocket) => void };
  readonly data?: BunWire;
}

declare const Bun: {
  listen(endpoint: Endpoint): unknown;
  connect(endpoint: Endpoint): Promise<unknown>;
};

const closed = (socket: BunSocket, error?: BunError): void => socket.data.closed(error?.code ?? "");
const handlers = {
  data: ({ data: wire }: BunSocket, bytes: Buffer) => {
    if (wire.open) wire.owner.onBytes(bytes, 0, bytes.length);
  },
  drain: (socket: BunSocket) => socket.data.drained(),
  end: (socket: BunSocket) => socket.data.peerEnded(),
  close: closed,
  error: closed,
  connectError: closed,
};

export function listenOnBun(port: number, onConnection: (wire: Wire) => void): void {
  const open = (socket: BunSocket): void => {
    const wire = new BunWire();
    wire.opened(socket);
    onConnection(wire);
  };
  Bun.listen({ hostname: "127.0.0.1", port, allowHalfOpen: true, socket: { ...handlers, open } });
}

/** As `connectWire` (transport/handle-wire.ts). */
export const connectOnBun: Connect = (hostname, port, owner, onConnected) => {
  const wire = new BunWire();
  wire.owner = owner;
  wire.onConnected = onConnected;
  const to = { hostname, port, allowHalfOpen: true, socket: connecting, data: wire };
  Bun.connect(to).catch((error: BunError) => wire.closed(error.code ?? "EUNKNOWN"));
  return wire;
};

const connecting = {
  ...handlers,
  open(socket: BunSocket): void {
    const { data: wire } = socket;
    wire.opened(socket);
    wire.resume();
    if (wire.open) wire.onConnected();
  },
};

class BunWire implements Wire {
  owner: WireOwner = nobody;
  open = true;
  onConnected = (): void => undefined;
  #socket: BunSocket | undefined = undefined;
  /** Not taken by the kernel yet. */
  #waiting: Uint8Array | undefined = undefined;
  #writtenBytes = 0;
  #lookedBytes = 0;
  #heardEnd = false;
  #ending = false;

  get peerAddress(): string | undefined {
    return this.#socket?.remoteAddress;
  }

  get pendingBytes(): number {
    return this.#waiting?.length ?? 0;
  }

  get takenBytes(): number {
    return this.#writtenBytes - this.pendingBytes;
  }

  progressed(): boolean {
    const before = this.#lookedBytes;
    this.#lookedBytes = this.takenBytes;
    return this.pendingBytes > 0 && this.#lookedBytes !== before;
  }

  opened(socket: BunSocket): void {
    this.#socket = socket;
    socket.data = this;
    if (this.open) socket.pause();
    else socket.terminate();
  }

  peerEnded(): void {
    if (!this.open || this.#heardEnd) return;
    this.#heardEnd = true;
    this.owner.onEnd();
    this.#closeIfOver();
  }

  closed(cause: string): void {
    if (!this.open) return;
    this.open = false;
    this.owner.onClosed(cause);
  }

  write(bytes: Uint8Array): boolean {
    if (!this.open || this.#socket === undefined) return true;
    this.#writtenBytes += bytes.length;
    if (this.#waiting !== undefined) this.#waiting = Buffer.concat([this.#waiting, bytes]);
    else if (this.#takes(bytes)) return true;
    this.#lookedBytes = this.takenBytes;
    return false;
  }

  pass(bytes: Buffer, from: number, to: number): boolean {
    return this.write(Buffer.from(bytes.subarray(from, to)));
  }

  /** Whether the kernel took all of it; else the rest waits. */
  #takes(bytes: Uint8Array): boolean {
    // Of a closed one (-1) its handler tells.
    const taken = this.#socket?.write(bytes) ?? -1;
    this.#waiting = taken < 0 || taken === bytes.length ? undefined : bytes.subarray(taken);
    return this.#waiting === undefined;
  }

  drained(): void {
    if (!this.open || this.#waiting === undefined || !this.#takes(this.#waiting)) return;
    if (this.#ending) this.#shutDown();
    this.owner.onDrained();
  }

  pause = (): void => void (this.open && this.#socket?.pause());
  resume = (): void => void (this.open && this.#socket?.resume());

  keepAlive(idleMs: number): void {
    if (this.open) this.#socket?.setKeepAlive(true, idleMs);
  }

  end(): void {
    if (!this.open || this.#ending) return;
    this.#ending = true;
    if (this.#waiting === undefined) this.#shutDown();
  }

  #shutDown(): void {
    this.#socket?.shutdown();
    this.#closeIfOver();
  }

  #closeIfOver(): void {
    if (!this.open || !this.#heardEnd || !this.#ending || this.#waiting !== undefined) return;
    this.destroy();
    this.owner.onClosed("");
  }

  destroy(): void {
    if (!this.open) return;
    this.open = false;
    this.#socket?.end();
  }

  reset(): void {
    if (!this.open) return;
    this.open = false;
    this.#socket?.terminate();
  }
}
