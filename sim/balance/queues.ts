// What becomes of a stream of requests: a queue an instance on virtual time, Poisson arrivals, and
// one dispatcher that sees what a worker sees. And what queueing theory says of the same.

import { assert } from "../../src/core/base/assert.ts";
import { createPrng } from "../../src/core/base/prng.ts";
import {
  type BalanceAlgorithm,
  defaultDetection,
  plainRule,
  plainService,
  type TableInstance,
  type TableService,
} from "../../src/core/route/table.ts";
import { createDispatcher } from "../../src/core/dispatch/create-dispatcher.ts";
import { outcome } from "../../src/core/dispatch/dispatcher.ts";

export interface Server {
  readonly weight: number;
  /** Mean time of an answer; exponential. */
  readonly serviceMs: number;
  /** Answers an error at once instead. */
  readonly failing?: boolean;
  /** Down until then. */
  readonly fromMs?: number;
}

export interface Stream {
  readonly algorithm: BalanceAlgorithm;
  readonly servers: readonly Server[];
  /** Arrivals a millisecond. */
  readonly perMs: number;
  readonly requests: number;
  readonly slowStartMs?: number;
}

export interface Played {
  /** By request: who took it, and when. */
  readonly taker: Int32Array;
  readonly atMs: Float64Array;
  /** Of the requests, by server. */
  readonly share: readonly number[];
  /** Most attempts at once, by server. */
  readonly most: readonly number[];
  /** Mean time in the system. */
  readonly meanMs: number;
}

interface End {
  readonly atMs: number;
  readonly slot: number;
  readonly server: number;
  readonly beganMs: number;
}

function tableAt(nowMs: number, { servers, slowStartMs = 0 }: Stream): TableService {
  const instances = servers.map(
    ({ weight, fromMs = 0 }, index): TableInstance => ({
      id: `web-${index + 1}`,
      host: "10.0.0.1",
      port: index,
      weight,
      backup: false,
      verdict: nowMs >= fromMs ? "up" : "down",
      generation: 1,
      share: 1,
    }),
  );
  const silent = { stall: false, successRate: false, consecutiveErrors: 0 };
  const detection = { ...defaultDetection, ...silent };
  return { ...plainService, name: "web", detection, slowStartMs, instances };
}

/** Each server answers one request at a time, in the order in which they came. */
export function playStream(stream: Stream): Played {
  const { servers, perMs, requests } = stream;
  const random = createPrng(11);
  const exponential = (mean: number): number => -mean * Math.log(1 - random.ratio());
  const draws = random.stream("dispatcher");
  const options = { random: () => draws.ratio(), onEjection: () => {} };
  const dispatcher = createDispatcher(tableAt(0, stream), 0, options);
  const joins = servers.map(({ fromMs = 0 }) => fromMs).filter((fromMs) => fromMs > 0);
  const taker = new Int32Array(requests);
  const atMs = new Float64Array(requests);
  const most = servers.map(() => 0);
  const active = servers.map(() => 0);
  const freeAtMs = servers.map(() => 0);
  const ends: End[] = [];
  let sumMs = 0;
  const finish = ({ atMs: endMs, slot, server, beganMs }: End): void => {
    const isGood = servers[server]?.failing !== true;
    const latencyMs = endMs - beganMs;
    dispatcher.answering(slot, endMs, latencyMs, -1, isGood);
    const result = isGood ? outcome.answered : outcome.serverError;
    dispatcher.finished(slot, endMs, result, latencyMs, false);
    active[server] = (active[server] ?? 0) - 1;
    sumMs += latencyMs;
  };
  for (let request = 0, nowMs = 0; request < requests; request++) {
    nowMs += exponential(1 / perMs);
    while ((ends[0]?.atMs ?? Infinity) <= nowMs) finish(ends.shift() as End);
    for (const fromMs of joins.splice(0, joins.filter((each) => each <= nowMs).length)) {
      dispatcher.update(tableAt(fromMs, stream), fromMs);
    }
    const rule = plainRule(stream.algorithm);
    const slot = dispatcher.choose(rule, nowMs, random.below(2 ** 32), taker, 0, true);
    assert(slot >= 0, "somebody can be chosen");
    const server = dispatcher.instance(slot).port;
    const { serviceMs, failing = false } = servers[server] as Server;
    dispatcher.started(slot, nowMs);
    taker[request] = server;
    atMs[request] = nowMs;
    active[server] = (active[server] ?? 0) + 1;
    most[server] = Math.max(most[server] ?? 0, active[server] ?? 0);
    const endMs = failing
      ? nowMs + 0.01
      : Math.max(nowMs, freeAtMs[server] ?? 0) + exponential(serviceMs);
    if (!failing) freeAtMs[server] = endMs;
    insert(ends, { atMs: endMs, slot, server, beganMs: nowMs });
  }
  for (const end of ends) finish(end);
  const share = servers.map((_server, index) => countOf(taker, index) / requests);
  return { taker, atMs, share, most, meanMs: sumMs / requests };
}

function countOf(taker: Int32Array, server: number): number {
  return taker.reduce((count, each) => count + (each === server ? 1 : 0), 0);
}

/** Into its place by time: mostly near the end. */
function insert(ends: End[], end: End): void {
  let index = ends.length;
  while (index > 0 && (ends[index - 1] as End).atMs > end.atMs) index--;
  ends.splice(index, 0, end);
}

/** Of the requests from `fromMs` to `toMs`, the server's part. */
export function shareBetween(
  { taker, atMs }: Played,
  server: number,
  fromMs: number,
  toMs: number,
): number {
  let its = 0;
  let all = 0;
  for (let request = 0; request < taker.length; request++) {
    const at = atMs[request] as number;
    if (at < fromMs || at >= toMs) continue;
    all++;
    if (taker[request] === server) its++;
  }
  return its / Math.max(1, all);
}

/** Mean time in the system in units of a service, at a load in (0, 1), of equal servers. */
export const theory = {
  /** M/M/1: whoever is chosen by lot (or a hash) has a Poisson stream of its own. */
  byLot: (load: number): number => 1 / (1 - load),
  /** Two choices of very many (Vvedenskaya 1996, Mitzenmacher 2001): load^(2^i - 2), summed. */
  twoChoices: (load: number): number => {
    let sum = 0;
    for (let index = 1; index <= 20; index++) sum += load ** (2 ** index - 2);
    return sum;
  },
  /** M/M/n, one queue for all (Erlang C): what no way to choose can be better than. */
  oneQueue: (load: number, servers: number): number => {
    let blocked = 1;
    const offered = load * servers;
    for (let index = 1; index <= servers; index++) {
      blocked = (offered * blocked) / (index + offered * blocked);
    }
    const waits = blocked / (1 - load * (1 - blocked));
    return 1 + waits / (servers * (1 - load));
  },
} as const;
