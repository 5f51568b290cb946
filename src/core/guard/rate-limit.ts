// A rate limit: who has asked too often, and when they may ask again.
//
// GCRA, the generic cell rate algorithm (ITU-T I.371; nginx's limit_req, redis-cell): one number a
// key, the time at which the next request would be due if all came evenly spaced. A request is let
// in while that time is at most a burst ahead, and pushes it on by one interval. It is a leaky
// bucket without a level to drain, and exact where windows that are counted let twice the rate
// through at their border.
//
// A key that is not known has nothing due, so what is forgotten errs towards letting in, and a key
// whose time has passed need not be kept. Keys are kept in two generations: when the young one is
// full the old one is dropped whole. So whoever makes up keys by the million gets memory's bound,
// and a key that is in use outlives `keysMax / 2` others. Rejected: a list by last use (a pointer
// dance for each request), sweeping by time (a flood between two sweeps is not bounded).
//
// Invariant: of one key, in any span of W ms at most burst + W * requests / perMs are let in, while
// no more than `keysMax / 2` other keys come between two of its requests.

import { assert } from "../base/assert.ts";

export interface Rate {
  /** At least 1. */
  readonly requests: number;
  /** The time that they are for, in milliseconds; more than 0. */
  readonly perMs: number;
  /** How many may come at once; at least 1. */
  readonly burst: number;
}

export class RateLimiter {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  readonly #generationMax: number;
  /** When the next request of a key is due. */
  #young = new Map<string, number>();
  #old = new Map<string, number>();

  constructor(rate: Rate, keysMax: number) {
    assert(rate.requests >= 1 && rate.perMs > 0 && rate.burst >= 1, "a rate lets something in");
    assert(keysMax >= 2, "a limiter remembers keys");
    this.#intervalMs = rate.perMs / rate.requests;
    this.#toleranceMs = (rate.burst - 1) * this.#intervalMs;
    this.#generationMax = Math.floor(keysMax / 2);
  }

  get keys(): number {
    return this.#young.size + this.#old.size;
  }

  /** Milliseconds until a request of `key` would be let in; 0: now. Changes nothing. */
  waitMs(key: string, nowMs: number): number {
    return Math.max(0, this.#dueMs(key, nowMs) - this.#toleranceMs - nowMs);
  }

  /** Counts requests that were let in, here or by others that share the limit. */
  spend(key: string, nowMs: number, count = 1): void {
    const dueMs = this.#dueMs(key, nowMs) + count * this.#intervalMs;
    this.#young.set(key, dueMs);
    if (this.#young.size < this.#generationMax) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  #dueMs(key: string, nowMs: number): number {
    return Math.max(nowMs, this.#young.get(key) ?? this.#old.get(key) ?? 0);
  }
}
