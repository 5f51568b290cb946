// Erlang's two formulas: how many of the arrivals find all servers busy, when they are turned
// away (B) and when they wait (C).
//
// B by Erlang's recursion, which never forms a factorial: stable for any number of servers, one
// step a server. C from B. Sources: Erlang 1917; Zeng 2003 (Mathematical and Computer Modelling
// 37) for the recursion and its monotony.

import { requireCount, requirePositive, requireProbability } from "../checks.ts";
import { solveIncreasing } from "../numeric/solve.ts";

const serversMax = 10_000_000;

/**
 * The probability that an arrival is lost. `load` is arrival rate x mean service time, in
 * erlangs.
 */
export function erlangB(load: number, servers: number): number {
  requirePositive(load, "the load");
  requireCount(servers, "the number of servers", 1, serversMax);
  let blocked = 1;
  for (let n = 1; n <= servers; n++) blocked = (load * blocked) / (n + load * blocked);
  return blocked;
}

/** The probability that an arrival waits; 1 where the load is not below the number of servers. */
export function erlangC(load: number, servers: number): number {
  const blocked = erlangB(load, servers);
  if (load >= servers) return 1;
  return (servers * blocked) / (servers - load * (1 - blocked));
}

/** The load, in erlangs, at which this share of the arrivals is lost. */
export function erlangBLoad(blocking: number, servers: number): number {
  requirePositive(requireProbability(blocking, "the blocking"), "the blocking");
  return solveIncreasing((load) => erlangB(load, servers) - blocking, servers);
}
