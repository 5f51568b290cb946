// What a worker lets in by its routes' rate limits, and what it and the others tell of that.
//
// Each worker decides by itself and at once. Every 100 ms it tells the others, by way of the
// parent, what it has let in, and they count it as their own (`RateLimiter.spend`): so all workers
// keep one limit together. Between two tellings each lets in no more of a client than its share of
// the burst and what the rate grants meanwhile: else all at once would let in a burst each. A
// worker without a parent goes on alone. The same messages could come from other machines.
// Rejected: a share of the limit for each worker (a client with one connection would never get more
// than his worker's), a file or a process that all ask (a round trip for each request).
//
// A limit is known by what it says, not by its place: a new table that has it still finds it as it
// was, and two workers between two tables understand each other.

import { RateLimiter } from "../../core/guard/rate-limit.ts";
import type { RateLimit, TableRoute } from "../../core/route/table.ts";
import type { Spent } from "../contract.ts";
import type { RequestHead } from "../http1/request-head.ts";

/** How often workers tell each other what they have let in. */
export const TELL_SPENT_MS = 100;
/** Clients that one limit remembers; each takes about 100 bytes. */
const KEYS_MAX = 100_000;
/** Of one report: clients beyond it are told of in the next one. */
const SPENT_MAX = 1_000;
/** A header's value beyond this many bytes is counted by its beginning. */
const KEY_LENGTH_MAX = 256;

/** One limit of one route, as a worker keeps it. */
export interface Gate {
  readonly limit: RateLimit;
  /** The same in every worker. */
  readonly name: string;
  readonly limiter: RateLimiter;
  /** Let in here and not told yet, by key. Undefined: there is nobody to tell. */
  readonly untold: Map<string, number> | undefined;
  /** Of one key, at most, between two tellings. */
  readonly share: number;
}

export class Admission {
  #gates = new Map<string, Gate>();

  /** The gates of each route, in the table's order. */
  adopt(routes: readonly TableRoute[], workers: number): readonly (readonly Gate[])[] {
    const before = this.#gates;
    this.#gates = new Map();
    return routes.map((route) =>
      route.rateLimits.map((limit) => {
        const name = JSON.stringify([route.match, route.service, limit]);
        const gate = this.#gates.get(name) ?? openGate(limit, name, workers, before.get(name));
        this.#gates.set(name, gate);
        return gate;
      }),
    );
  }

  /** What was let in since this was asked last; the rest when it is asked again. */
  takeSpent(): readonly Spent[] {
    const spent: Spent[] = [];
    for (const { name, untold } of this.#gates.values()) {
      if (untold === undefined) continue;
      for (const [key, count] of untold) {
        if (spent.length === SPENT_MAX) return spent;
        spent.push({ limit: name, key, count });
        untold.delete(key);
      }
    }
    return spent;
  }

  /** What another worker has let in. */
  hearSpent(spent: readonly Spent[], nowMs: number): void {
    for (const { limit, key, count } of spent) {
      this.#gates.get(limit)?.limiter.spend(key, nowMs, count);
    }
  }
}

function openGate(limit: RateLimit, name: string, workers: number, before?: Gate): Gate {
  const limiter = before?.limiter ?? new RateLimiter(limit, KEYS_MAX);
  const untold = workers > 1 ? (before?.untold ?? new Map<string, number>()) : undefined;
  const granted = Math.floor((limit.requests * TELL_SPENT_MS) / limit.perMs);
  const share = Math.ceil(limit.burst / workers) + granted;
  return { limit, name, limiter, untold, share };
}

/**
 * 0: the request is let in, and counted by every gate. Else milliseconds until it would be. `group`
 * is that of the client's address.
 */
export function pass(
  gates: readonly Gate[],
  group: string,
  bytes: Buffer,
  head: RequestHead,
  nowMs: number,
): number {
  const keys = gates.map(({ limit }) => keyOf(limit, group, bytes, head));
  let waitMs = 0;
  for (const [index, gate] of gates.entries()) {
    waitMs = Math.max(waitMs, waitAt(gate, keys[index] as string, nowMs));
  }
  if (waitMs > 0) return waitMs;
  for (const [index, { limiter, untold }] of gates.entries()) {
    const key = keys[index] as string;
    limiter.spend(key, nowMs);
    if (untold !== undefined && (untold.has(key) || untold.size < KEYS_MAX)) {
      untold.set(key, (untold.get(key) ?? 0) + 1);
    }
  }
  return 0;
}

function waitAt({ limiter, untold, share }: Gate, key: string, nowMs: number): number {
  const waitMs = limiter.waitMs(key, nowMs);
  const isShareSpent = untold !== undefined && (untold.get(key) ?? 0) >= share;
  return isShareSpent ? Math.max(waitMs, TELL_SPENT_MS) : waitMs;
}

/** Marked by its kind, so that nobody can name himself as another's address. */
function keyOf(limit: RateLimit, group: string, bytes: Buffer, head: RequestHead): string {
  if (limit.by === "route") return "";
  const value = limit.header === undefined ? undefined : head.fields.find(bytes, limit.header);
  if (value === undefined) return `address ${group}`;
  return `header ${value.slice(0, KEY_LENGTH_MAX)}`;
}
