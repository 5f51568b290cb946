// A wire over Node's own TCP handle, without a `net.Socket` around it.
//
// A socket is two streams, their states, a dozen listeners and a queue: making one and letting it
// go costs as much as all that this gateway does for a request, and each write through it runs
// bookkeeping in a tick of its own. The handle below has what a wire needs: read into our buffer,
// write, shutdown, close. A write that the kernel takes at once, which nearly all are, makes no
// object: one request object stands ready for whichever write has to wait, and only then belongs
// to it.
//
// The handles are what `net.Socket` itself is made of; their methods have been the same since Node
// 12. Still they are not an API: `rawTcp` looks whether everything is there, else sockets serve
// (socket-wire.ts). A test holds both to the same promises.
//
// Rejected: a native addon (nothing to install is a promise), reading the socket's descriptor with
// `fs` (it would block, and know no readiness).

import { isIP } from "node:net";
import { getSystemErrorName } from "node:util";
import { connectSocket } from "./socket-wire.ts";
import { nobody, readRest, sharedBuffer, type Wire, type WireOwner, writeNow } from "./wire.ts";

/** What of Node's TCP handle is used. Numbers returned are 0 or a negative system error. */
export interface TcpHandle {
  onread: (() => void) | null;
  readonly fd: number;
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  shutdown(request: EndRequest): number;
  close(): void;
  reset(): number;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, idleSeconds: number): number;
  getpeername(out: { address?: string }): number;
  connect(request: ConnectRequest, host: string, port: number): number;
  connect6(request: ConnectRequest, host: string, port: number): number;
}

interface WriteRequest {
  oncomplete: (status: number) => void;
  /** Holds the bytes until they are written. */
  bytes: Uint8Array | undefined;
}

interface EndRequest {
  oncomplete: (status: number) => void;
}

type ConnectRequest = EndRequest;

interface RawTcp {
  readonly TCP: new (kind: number) => TcpHandle;
  readonly TCPConnectWrap: new () => ConnectRequest;
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => EndRequest;
  /** Where a handle leaves what its last call or callback was about. */
  readonly state: Int32Array;
  readonly atByteCount: number;
  readonly atWaits: number;
  readonly clientKind: number;
}

const END_OF_FILE = -4095;

/** Undefined where this Node does not have what we know. */
function findRawTcp(): RawTcp | undefined {
  try {
    const node = process as unknown as { binding(name: string): Record<string, unknown> };
    const streams = node.binding("stream_wrap");
    const { TCP, TCPConnectWrap, constants } = node.binding("tcp_wrap");
    const { WriteWrap, ShutdownWrap, streamBaseState } = streams;
    const raw = {
      TCP,
      TCPConnectWrap,
      WriteWrap,
      ShutdownWrap,
      state: streamBaseState,
      atByteCount: streams["kReadBytesOrError"],
      atWaits: streams["kLastWriteWasAsync"],
      clientKind: (constants as { SOCKET?: unknown }).SOCKET,
    };
    const makers = [TCP, TCPConnectWrap, WriteWrap, ShutdownWrap];
    const numbers = [raw.atByteCount, raw.atWaits, raw.clientKind];
    const isKnown =
      makers.every((maker) => typeof maker === "function") &&
      numbers.every((number) => typeof number === "number") &&
      streamBaseState instanceof Int32Array &&
      hasMethods((TCP as { prototype: object }).prototype);
    return isKnown ? (raw as unknown as RawTcp) : undefined;
  } catch {
    return undefined;
  }
}

const methods = [
  "useUserBuffer",
  "readStart",
  "readStop",
  "writeBuffer",
  "shutdown",
  "close",
  "reset",
  "setNoDelay",
  "setKeepAlive",
  "getpeername",
  "connect",
  "connect6",
];

function hasMethods(prototype: object): boolean {
  return methods.every((name) => typeof Reflect.get(prototype, name) === "function");
}

const rawTcp = findRawTcp();

/** A wire over an accepted handle; undefined when it is not what we know. */
export function adoptHandle(handle: object): Wire | undefined {
  if (rawTcp === undefined || !(handle instanceof rawTcp.TCP)) return undefined;
  const wire = new HandleWire(rawTcp, handle);
  handle.setNoDelay(true);
  return wire;
}

/** Starts to connect. `onConnected` is called at most once, before anything else happens. */
export function connectWire(
  host: string,
  port: number,
  owner: WireOwner,
  onConnected: () => void,
): Wire {
  const family = isIP(host);
  if (rawTcp === undefined || family === 0) return connectSocket(host, port, owner, onConnected);
  const handle = new rawTcp.TCP(rawTcp.clientKind);
  const wire = new HandleWire(rawTcp, handle);
  wire.owner = owner;
  const request = new rawTcp.TCPConnectWrap();
  request.oncomplete = (status) => {
    if (!wire.open) return;
    if (status !== 0) return wire.fail(status);
    handle.setNoDelay(true);
    wire.resume();
    onConnected();
  };
  const refused =
    family === 6 ? handle.connect6(request, host, port) : handle.connect(request, host, port);
  if (refused !== 0) wire.failSoon(refused);
  return wire;
}

class HandleWire implements Wire {
  owner: WireOwner = nobody;
  readonly #raw: RawTcp;
  readonly #handle: TcpHandle;
  #open = true;
  #reading = false;
  /** The peer has sent its end. */
  #heardEnd = false;
  /** Our own end was asked for, is on its way, was sent. */
  #ending = false;
  #shutting = false;
  #ended = false;
  #writtenBytes = 0;
  #pendingBytes = 0;
  #queuedBytes = 0;

  constructor(raw: RawTcp, handle: TcpHandle) {
    this.#raw = raw;
    this.#handle = handle;
    handle.useUserBuffer(sharedBuffer);
    handle.onread = () => this.#read(raw.state[raw.atByteCount] as number);
  }

  get open(): boolean {
    return this.#open;
  }

  get peerAddress(): string | undefined {
    const name: { address?: string } = {};
    return this.#handle.getpeername(name) === 0 ? name.address : undefined;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get takenBytes(): number {
    return this.#writtenBytes - (this.#open ? this.#handle.writeQueueSize : 0);
  }

  progressed(): boolean {
    const before = this.#queuedBytes;
    this.#queuedBytes = this.#open ? this.#handle.writeQueueSize : 0;
    return this.#queuedBytes > 0 && this.#queuedBytes !== before;
  }

  // Reading.

  #read(byteCount: number): void {
    if (!this.#open || byteCount === 0) return;
    if (byteCount > 0) {
      this.owner.onBytes(sharedBuffer, 0, byteCount);
      return;
    }
    this.#reading = false;
    if (byteCount !== END_OF_FILE) return this.fail(byteCount);
    this.#heardEnd = true;
    this.owner.onEnd();
    this.#closeIfOver();
  }

  pause(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#reading || this.#heardEnd || !this.#open) return;
    this.#reading = true;
    const refused = this.#handle.readStart();
    if (refused !== 0) this.failSoon(refused);
  }

  // Writing.

  write(bytes: Uint8Array): boolean {
    if (!this.#open) return true;
    this.#writtenBytes += bytes.length;
    const raw = this.#raw;
    const request = spareRequest(raw);
    const refused = this.#handle.writeBuffer(request, bytes);
    if (refused !== 0) {
      // The owner is in the middle of something, and hears of it after that.
      queueMicrotask(() => this.#failWrite(refused));
      return true;
    }
    if (raw.state[raw.atWaits] === 0) return true;
    spare = undefined;
    request.bytes = bytes;
    request.oncomplete = (status) => this.#written(status, bytes.length);
    this.#pendingBytes += bytes.length;
    this.#queuedBytes = this.#handle.writeQueueSize;
    return false;
  }

  /** A handle's own write holds on to what the kernel does not take; this one says how much. */
  pass(bytes: Buffer, from: number, to: number): boolean {
    if (!this.#open) return true;
    const isFirst = this.#pendingBytes === 0;
    const taken = isFirst ? writeNow(this.#handle.fd, bytes, from, to) : 0;
    this.#writtenBytes += taken;
    return taken === to - from || this.write(Buffer.from(bytes.subarray(from + taken, to)));
  }

  #written(status: number, byteCount: number): void {
    this.#pendingBytes -= byteCount;
    if (!this.#open) return;
    if (status !== 0) return this.#failWrite(status);
    if (this.#pendingBytes > 0) return;
    if (this.#ending) this.#shutDown();
    this.owner.onDrained();
  }

  /** The kernel may still hold what the peer sent before it was gone. */
  #failWrite(status: number): void {
    if (!this.#open) return;
    this.pause();
    readRest(this, this.#handle.fd);
    this.fail(status);
  }

  end(): void {
    if (!this.#open || this.#ending) return;
    this.#ending = true;
    if (this.#pendingBytes === 0) this.#shutDown();
  }

  /**
   * Only once all has been written: a handle that shuts down can't be reset, and one that would
   * wait for a peer that takes nothing could not be closed at once.
   */
  #shutDown(): void {
    this.#shutting = true;
    const request = new this.#raw.ShutdownWrap();
    // Whatever came of it: what cannot be ended any more has ended.
    request.oncomplete = () => {
      this.#shutting = false;
      this.#ended = true;
      if (this.#open) this.#closeIfOver();
      else this.#handle.reset();
    };
    if (this.#handle.shutdown(request) !== 0) queueMicrotask(() => request.oncomplete(0));
  }

  keepAlive(idleMs: number): void {
    if (this.#open) this.#handle.setKeepAlive(true, Math.ceil(idleMs / 1000));
  }

  // The ends.

  /** Both directions have ended, in order. */
  #closeIfOver(): void {
    if (!this.#open || !this.#heardEnd || !this.#ended) return;
    this.destroy();
    this.owner.onClosed("");
  }

  /** A negative system error ends it, now or when the caller's call is over. */
  fail(status: number): void {
    if (!this.#open) return;
    this.destroy();
    this.owner.onClosed(getSystemErrorName(status));
  }

  failSoon(status: number): void {
    queueMicrotask(() => this.fail(status));
  }

  destroy(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#handle.close();
  }

  reset(): void {
    if (!this.#open) return;
    this.#open = false;
    // A handle that refuses a reset can't be closed any more either. This one does while it shuts
    // down, which takes one turn of the event loop, and is reset after it.
    if (!this.#shutting) this.#handle.reset();
  }
}

/** Stands ready for the next write that has to wait, whoever's it is. */
let spare: WriteRequest | undefined;

function spareRequest(raw: RawTcp): WriteRequest {
  spare ??= new raw.WriteWrap();
  return spare;
}
