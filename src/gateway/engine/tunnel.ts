// Bytes both ways between a client and an instance, unread: upgraded connections and TCP listeners.
//
// Each side's end of sending is passed on as such (half-close), after what came before it. A side
// that is slow to take bytes pauses the other. A reset is passed on as one: a close in order would
// say that all had arrived. Silence in both directions for `tunnelMs` closes both.
//
// A peer that is gone without a word (its machine, its cable) is found by TCP keepalive: after
// `keepAliveIdleMs` of silence a probe a second, and the tenth that nobody answers is the end. Node
// fixes the second and the ten.

import type { EndingCode } from "../../core/base/reasons.ts";
import { PASSED_BYTES_MIN, type Wire, type WireOwner } from "../transport/wire.ts";
import type { Context } from "./context.ts";
import { CUT, type InstanceConnection } from "./instance-connection.ts";
import { Timer } from "./timer-wheel.ts";

export const keepAliveIdleMs = 30_000;

/** Why a tunnel ended. */
export type TunnelEnd = "closed" | "client-lost" | "instance-lost" | "silent" | "cut";

export const tunnelEndings: Readonly<Record<TunnelEnd, EndingCode | undefined>> = {
  closed: undefined,
  "client-lost": "CLIENT_LEFT_AMID",
  "instance-lost": "ANSWER_BROKE_OFF",
  silent: "TUNNEL_SILENT",
  cut: "CUT",
};

export interface TunnelOptions {
  readonly client: Wire;
  readonly instance: InstanceConnection;
  readonly tunnelMs: number;
  /** What the client sent before the tunnel was there. */
  readonly early: Buffer;
  /** It has also ended its side before. */
  readonly clientEnded: boolean;
  /** Bytes passed on, for counting. */
  readonly onPassed?: (byteCount: number, toClient: boolean) => void;
  /** Called once, when both are closed. */
  readonly onClosed: (end: TunnelEnd) => void;
}

/** Takes over both wires. */
export function joinTunnel(context: Context, options: TunnelOptions): { destroy(): void } {
  return new Tunnel(context, options);
}

class Tunnel {
  readonly #context: Context;
  readonly #options: TunnelOptions;
  readonly #timer: Timer;
  readonly #client: Side;
  readonly #instance: Side;
  #open = true;

  constructor(context: Context, options: TunnelOptions) {
    const instanceWire = options.instance.wire;
    this.#context = context;
    this.#options = options;
    this.#timer = new Timer(() => this.end("silent"));
    this.#client = new Side(this, options.client, instanceWire, false);
    this.#instance = new Side(this, instanceWire, options.client, true);
    options.instance.user = undefined;
    for (const wire of [options.client, instanceWire]) wire.keepAlive(keepAliveIdleMs);
    options.client.owner = this.#client;
    instanceWire.owner = this.#instance;
    this.touch();
    if (options.early.length > 0) this.#client.onBytes(options.early, 0, options.early.length);
    if (options.clientEnded) this.#client.onEnd();
  }

  touch(): void {
    const { timers } = this.#context;
    timers.schedule(this.#timer, this.#context.nowMs() + this.#options.tunnelMs);
  }

  pass(bytes: Buffer, from: number, to: number, wire: Wire, toClient: boolean): boolean {
    this.touch();
    this.#options.onPassed?.(to - from, toClient);
    if (to - from >= PASSED_BYTES_MIN) return wire.pass(bytes, from, to);
    const out = this.#context.writer;
    out.clear();
    out.reserve(to - from);
    out.copy(bytes, from, to);
    return out.flush(wire);
  }

  /** A side is closed for good, having ended in both directions. */
  settle(): void {
    if (this.#client.closed && this.#instance.closed) this.end("closed");
  }

  lost(side: Side): void {
    this.end(side === this.#client ? "client-lost" : "instance-lost");
  }

  end(why: TunnelEnd): void {
    if (!this.#open) return;
    this.#open = false;
    this.#context.timers.remove(this.#timer);
    this.#options.client.reset();
    this.#options.instance.wire.reset();
    this.#options.instance.instance.closed(this.#options.instance);
    this.#options.onClosed(why);
  }

  destroy(): void {
    this.end("cut");
  }
}

class Side implements WireOwner {
  readonly #tunnel: Tunnel;
  readonly #own: Wire;
  readonly #other: Wire;
  readonly #toClient: boolean;
  #ended = false;
  closed = false;

  constructor(tunnel: Tunnel, own: Wire, other: Wire, toClient: boolean) {
    this.#tunnel = tunnel;
    this.#own = own;
    this.#other = other;
    this.#toClient = toClient;
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    if (!this.#tunnel.pass(bytes, from, to, this.#other, this.#toClient)) this.#own.pause();
  }

  onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#other.end();
  }

  /** What was written to this side has left: the other side may go on. */
  onDrained(): void {
    this.#other.resume();
  }

  onClosed(cause: string): void {
    this.closed = true;
    if (cause === CUT) this.#tunnel.end("cut");
    else if (cause === "" && this.#ended) this.#tunnel.settle();
    else this.#tunnel.lost(this);
  }
}
