// A worker's accepting side: which listening sockets it accepts from, and when it leaves the next
// connections to its peers.
//
// After each accept it writes its load on the board, reads its peers' and asks the pure rule
// (core/balance/accept-share.ts). Paused, it asks again every 2 ms, so it listens again at the
// latest when the lines of peers that hang have gone stale: there is always somebody who accepts.
//
// Alone on the board there is nobody to leave a connection to, and nobody to tell: then the board
// is left alone but for each beat. A peer's line is there from its launch on (process/board.ts), so
// it is seen within a beat, before it accepts.

import { closeSync } from "node:fs";
import { alone, placeAmong } from "../../core/balance/subset.ts";
import { initialShare, LOOK_MS, nextShare, type Share } from "../../core/balance/accept-share.ts";
import type { RoutingTable, TableListener } from "../../core/route/table.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ProcessIdentity } from "../../ports/processes.ts";
import type { Engine, ListenFailure } from "../contract.ts";
import type { Board, BoardLine } from "../process/board.ts";
import { type InheritedListener, sayAddress } from "../process/launch.ts";
import { type Listener, openListener } from "../transport/listener.ts";
import type { Wire } from "../transport/wire.ts";

/** At its connection limit a worker pauses, and goes on when this share of it is in use. */
const LIMIT_RESUME_RATIO = 0.95;

export interface AcceptingOptions {
  readonly clock: Clock;
  readonly board: Board | undefined;
  readonly worker: number;
  readonly identity: ProcessIdentity;
  readonly engine: Engine;
  readonly inherited: readonly InheritedListener[];
  /** Connections that the process has descriptors for, whatever the table allows. */
  readonly affordable: number;
  /** They are all in use for the first time: what comes now waits for want of descriptors. */
  readonly onAffordableReached: () => void;
  readonly onFailure: (failure: ListenFailure) => void;
}

export class Accepting {
  readonly #options: AcceptingOptions;
  /** By address; a listener stays here for as long as its descriptor is ours. */
  readonly #listeners = new Map<
    string,
    { readonly from: InheritedListener; listener?: Listener }
  >();
  #routes = new Map<string, TableListener>();
  #connectionsMax = Infinity;
  #accepted = 0;
  #share: Share = initialShare;
  #paused = false;
  /** No other worker had a line on the board at the last beat. */
  #alone = false;
  #affordableReached = false;
  #draining = false;
  #isSubsetAsked = false;
  #place = alone;
  #askAgain: NodeJS.Timeout | undefined;

  constructor(options: AcceptingOptions) {
    this.#options = options;
    for (const from of options.inherited) this.#listeners.set(sayAddress(from), { from });
  }

  /** Opens and closes listeners as the table says. One that we did not inherit a new worker has. */
  follow(table: RoutingTable): void {
    if (this.#draining) return;
    this.#connectionsMax = Math.min(table.limits.connections, this.#options.affordable);
    this.#isSubsetAsked = table.services.some(({ subset }) => subset !== undefined);
    this.#routes = new Map(table.listeners.map((listener) => [sayAddress(listener), listener]));
    for (const [address, held] of this.#listeners) {
      if (!this.#routes.has(address)) this.#close(address);
      else held.listener ??= this.#open(address, held.from);
    }
    this.publish();
  }

  /** What a new parent inherits from us. */
  get descriptors(): readonly InheritedListener[] {
    return [...this.#listeners.values()].map((held) => held.from);
  }

  /** Accepts no more, for good. */
  close(): void {
    this.#draining = true;
    clearTimeout(this.#askAgain);
    for (const address of this.#listeners.keys()) this.#close(address);
    this.publish();
  }

  /** With each beat: refreshes our line, since the peers ignore one that is older than 200 ms. */
  publish(): void {
    const { board, worker } = this.#options;
    board?.publish(this.#line());
    this.#alone = board === undefined || board.peersOf(worker).length === 0;
    if (board !== undefined && this.#isSubsetAsked) this.#stand(board.lines());
  }

  /** By number among those that go on accepting; who hangs keeps its place until it is replaced. */
  #stand(lines: readonly BoardLine[]): void {
    const { engine, worker } = this.#options;
    const place = placeAmong(lines, worker);
    if (place.rank === this.#place.rank && place.workers === this.#place.workers) return;
    this.#place = place;
    engine.standAt(place);
  }

  #line(): BoardLine {
    const { worker, identity, engine, clock } = this.#options;
    return {
      worker,
      identity,
      atMs: clock.monotonicMs(),
      open: engine.connections,
      kept: engine.keptConnections,
      accepted: this.#accepted,
      paused: this.#paused,
      draining: this.#draining,
    };
  }

  #open(address: string, from: InheritedListener): Listener {
    return openListener({
      fd: from.fd,
      onConnection: (wire) => this.#accept(address, wire),
      onError: (error) =>
        this.#options.onFailure({
          host: from.host,
          port: from.port,
          code: "NINES_GATEWAY_LISTEN",
          sentence: `cannot accept on ${address}: ${error.message}`,
        }),
    });
  }

  #close(address: string): void {
    const held = this.#listeners.get(address);
    this.#listeners.delete(address);
    if (held?.listener !== undefined) held.listener.close();
    else if (held !== undefined) closeSync(held.from.fd);
  }

  #accept(address: string, wire: Wire): void {
    const { engine } = this.#options;
    const listener = this.#routes.get(address);
    if (listener?.protocol === "tcp") engine.acceptTcp(wire, listener.tcpRoute ?? 0);
    else engine.acceptHttp(wire);
    this.#accepted++;
    this.#settle();
  }

  #settle(): void {
    const { engine } = this.#options;
    const limit = this.#connectionsMax * (this.#paused ? LIMIT_RESUME_RATIO : 1);
    const isFull = engine.connections >= limit;
    if (isFull && !this.#paused) this.#tellIfAffordableReached();
    this.#setPaused(this.#isAhead() || isFull);
  }

  /** Whether the peers should have the next connections; tells them of this one. */
  #isAhead(): boolean {
    const { board, worker } = this.#options;
    if (board === undefined || this.#alone) return false;
    const own = this.#line();
    this.#share = nextShare(this.#share, own, board.peersOf(worker), own.atMs);
    board.publish({ ...own, paused: this.#share.paused });
    return this.#share.paused;
  }

  #tellIfAffordableReached(): void {
    if (this.#affordableReached || this.#connectionsMax < this.#options.affordable) return;
    this.#affordableReached = true;
    this.#options.onAffordableReached();
  }

  #setPaused(paused: boolean): void {
    clearTimeout(this.#askAgain);
    if (paused) this.#askAgain = setTimeout(() => this.#settle(), LOOK_MS);
    if (paused === this.#paused) return;
    this.#paused = paused;
    for (const { listener } of this.#listeners.values()) {
      if (paused) listener?.pause();
      else listener?.resume();
    }
  }
}
