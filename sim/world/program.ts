// One running program of a service: starts, becomes ready, serves from a bounded pool, ends.
//
// Capacity is a pool of slots with a service time and a bounded queue, as in the example shop. The
// kernel's part is here too: a stopped program still accepts connections and answers none; an ended
// one resets what was open.

import { assert } from "../../src/core/base/assert.ts";
import type { Random } from "../../src/core/base/prng.ts";
import { type Outcome, outcome } from "../../src/core/dispatch/dispatcher.ts";
import type { ExitReport, ProcessIdentity } from "../../src/ports/processes.ts";
import type { EventLoop } from "./event-loop.ts";

/** How the program of a service behaves when nothing ails it. */
export interface ProgramTraits {
  /** From exec to ready, at least and at most. */
  readonly startMs: readonly [number, number];
  /** Instead of between these: how long this start takes, or that it fails half-way. */
  readonly drawStart?: (random: Random) => { readonly readyMs: number; readonly fails: boolean };
  /** Listens from the beginning and answers 503 until it is ready; else it listens when it is. */
  readonly listensEarly: boolean;
  readonly slots: number;
  readonly queue: number;
  /** Mean of an exponential distribution. */
  readonly serviceMs: number;
  /** From SIGTERM to its end, at most. */
  readonly endMs: number;
  readonly residentBytes: number;
}

/** What a version of a program can have wrong with it: it ends at its start, or is never ready. */
export const defects = ["crashes", "never-ready"] as const;

/** What ails an instance, whichever program runs as it. Written by the faults. */
export interface Ailment {
  /** Ends this soon after its start; undefined: does not. */
  endsAfterMs: number | undefined;
  /** Its program cannot be started at all. */
  execFails: boolean;
  /** Service times are this many times longer. */
  slowBy: number;
  /** Ignores SIGTERM. */
  stubborn: boolean;
  /** Bytes it takes and never gives back, each second. */
  leakBytesPerSecond: number;
}

export function healthy(): Ailment {
  return {
    endsAfterMs: undefined,
    execFails: false,
    slowBy: 1,
    stubborn: false,
    leakBytesPerSecond: 0,
  };
}

/** A request on its way through one program, as the program sees it. */
export interface Exchange {
  readonly done: boolean;
  finish(result: Outcome): void;
  /** No answer will come by itself: the worker's own deadline is all that is left. */
  stall(): void;
}

export interface ProgramOptions {
  readonly id: string;
  readonly identity: ProcessIdentity;
  readonly host: string;
  readonly port: number;
  /** What it was started with. DEFECT names what is wrong with this version of the program. */
  readonly environment: Readonly<Record<string, string>>;
  readonly traits: ProgramTraits;
  readonly ailment: Ailment;
  readonly random: Random;
  readonly loop: EventLoop;
  readonly onChange: (program: Program) => void;
}

export class Program {
  readonly id: string;
  readonly pid: number;
  readonly startTime: string;
  readonly host: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly traits: ProgramTraits;
  readonly ailment: Ailment;
  readonly startedAtMs: number;
  state: "starting" | "ready" | "ended" = "starting";
  listening = false;
  /** Since when it is ready and nothing stopped it; undefined while it is not so. */
  healthySinceMs: number | undefined;
  /** When it became ready, if it ever did. */
  readyAtMs: number | undefined;
  endedAtMs: number | undefined;
  report: ExitReport | undefined;
  /** When control, and nobody else, first told it to end. */
  toldToEndAtMs: number | undefined;
  stoppedSinceMs: number | undefined;
  /** Passes its checks and answers in time, and wrongly: who asked knows, and nobody here does. */
  gray = false;
  readonly #options: ProgramOptions;
  readonly #open = new Set<Exchange>();
  readonly #asked = new Set<(status: number | undefined) => void>();
  #queue: Exchange[] = [];
  #heldBack: (() => void)[] = [];
  #busy = 0;

  constructor(options: ProgramOptions) {
    this.#options = options;
    this.id = options.id;
    this.pid = options.identity.pid;
    this.startTime = options.identity.startTime;
    this.host = options.host;
    this.port = options.port;
    this.environment = options.environment;
    this.traits = options.traits;
    this.ailment = options.ailment;
    this.startedAtMs = options.loop.nowMs;
    if (this.traits.listensEarly) this.listening = true;
    const { readyMs, fails } = this.#drawStart();
    const { DEFECT } = this.environment;
    if (DEFECT === "crashes" || fails)
      this.#later(readyMs / 2, () => this.end({ kind: "exited", code: 3 }));
    else if (DEFECT === undefined) this.#later(readyMs, () => this.#becomeReady());
    if (this.ailment.endsAfterMs !== undefined) {
      this.#later(this.ailment.endsAfterMs, () => {
        if (this.ailment.endsAfterMs !== undefined) this.end({ kind: "exited", code: 1 });
      });
    }
  }

  #drawStart(): { readonly readyMs: number; readonly fails: boolean } {
    const { random, traits } = this.#options;
    if (traits.drawStart !== undefined) return traits.drawStart(random);
    const [leastMs, mostMs] = traits.startMs;
    return { readyMs: leastMs + random.ratio() * (mostMs - leastMs), fails: false };
  }

  /** Requests that it took and has not answered, and that somebody still waits for. */
  get underWay(): number {
    return [...this.#open].filter((exchange) => !exchange.done).length;
  }

  get residentBytes(): number {
    const ageMs = this.#options.loop.nowMs - this.startedAtMs;
    return this.traits.residentBytes + (this.ailment.leakBytesPerSecond * ageMs) / 1000;
  }

  /**
   * A health check arrives: told the status of its answer when this program runs, or undefined when
   * it ends before.
   */
  ask(answer: (status: number | undefined) => void): void {
    if (this.stoppedSinceMs === undefined) return answer(this.state === "ready" ? 200 : 503);
    this.#asked.add(answer);
  }

  get meanDelayMs(): number {
    return this.traits.serviceMs * this.ailment.slowBy;
  }

  answerDelayMs(): number {
    return -Math.log(1 - this.#options.random.ratio()) * this.meanDelayMs;
  }

  accept(exchange: Exchange): void {
    assert(this.listening, "only a listening program takes requests");
    this.#open.add(exchange);
    if (this.stoppedSinceMs !== undefined) {
      exchange.stall();
      this.#heldBack.push(() => this.#admit(exchange));
    } else {
      this.#admit(exchange);
    }
  }

  #admit(exchange: Exchange): void {
    if (exchange.done) this.#open.delete(exchange); // Its client gave up while it was held back.
    if (this.state === "ended" || exchange.done) return;
    const refused = this.state !== "ready" || this.#queue.length >= this.traits.queue;
    if (refused) this.#answer(exchange, outcome.serverError);
    else if (this.#busy < this.traits.slots) this.#serve(exchange);
    else this.#queue.push(exchange);
  }

  #serve(exchange: Exchange): void {
    this.#busy++;
    const delayMs = this.answerDelayMs();
    if (delayMs > 1000) exchange.stall(); // May be longer than its client waits.
    this.#later(delayMs, () => {
      this.#busy--;
      this.#answer(exchange, outcome.answered);
      const next = this.#queue.shift();
      if (next !== undefined) this.#serve(next);
    });
  }

  #answer(exchange: Exchange, result: Outcome): void {
    this.#open.delete(exchange);
    if (!exchange.done) exchange.finish(result);
  }

  #becomeReady(): void {
    if (this.toldToEndAtMs !== undefined) return;
    this.state = "ready";
    this.listening = true;
    this.readyAtMs = this.#options.loop.nowMs;
    this.healthySinceMs = this.readyAtMs;
    this.#options.onChange(this);
  }

  /** Runs `run` in this program's time: not when it has ended, and not while it is stopped. */
  #later(delayMs: number, run: () => void): void {
    this.#options.loop.after(delayMs, () => {
      if (this.state === "ended") return;
      if (this.stoppedSinceMs === undefined) run();
      else {
        for (const exchange of this.#open) exchange.stall();
        this.#heldBack.push(run);
      }
    });
  }

  /** SIGTERM: takes nothing new, ends soon. */
  terminate(): void {
    this.toldToEndAtMs ??= this.#options.loop.nowMs;
    if (this.ailment.stubborn) return;
    const react = (): void => {
      if (this.state === "ended") return;
      this.listening = false;
      this.healthySinceMs = undefined;
      this.#options.onChange(this);
      const delayMs = this.#options.random.ratio() * this.traits.endMs;
      this.#later(delayMs, () => this.end({ kind: "exited", code: 0 }));
    };
    if (this.stoppedSinceMs === undefined) react();
    else this.#heldBack.push(react);
  }

  /** SIGSTOP and SIGCONT. */
  pause(): void {
    if (this.state === "ended" || this.stoppedSinceMs !== undefined) return;
    this.stoppedSinceMs = this.#options.loop.nowMs;
    this.healthySinceMs = undefined;
    for (const exchange of this.#open) exchange.stall();
    this.#options.onChange(this);
  }

  resume(): void {
    if (this.state === "ended" || this.stoppedSinceMs === undefined) return;
    this.stoppedSinceMs = undefined;
    if (this.state === "ready" && this.listening) this.healthySinceMs = this.#options.loop.nowMs;
    this.#options.onChange(this);
    const asked = [...this.#asked];
    this.#asked.clear();
    for (const answer of asked) this.ask(answer);
    const held = this.#heldBack;
    this.#heldBack = [];
    for (const run of held) {
      if (this.#options.loop.failure === undefined && !this.#ended()) run();
    }
  }

  #ended(): boolean {
    return this.state === "ended";
  }

  end(report: ExitReport): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.listening = false;
    this.healthySinceMs = undefined;
    this.endedAtMs = this.#options.loop.nowMs;
    this.report = report;
    const open = [...this.#open];
    this.#open.clear();
    this.#queue = [];
    this.#heldBack = [];
    this.#options.onChange(this);
    for (const answer of this.#asked) answer(undefined);
    this.#asked.clear();
    for (const exchange of open) if (!exchange.done) exchange.finish(outcome.reset);
  }
}
