// Open networks of queues: requests come in, go from station to station, and leave.
//
// Jackson 1957: with Poisson arrivals from outside, exponential service and routing by chance,
// every station behaves as if it were alone with its own total of arrivals. The totals solve
// total = outside + total x routing. That is the balance of a chain in which one more state
// stands for the outside, so the chain solver does it, without a subtraction and with its message
// when requests come to where they never leave.

import { NinesError } from "../../base/errors.ts";
import { requireNotNegative, requireProbability } from "../checks.ts";
import { type Transition, chainOf, reachable } from "../markov/chain.ts";
import { steadyState } from "../markov/steady-state.ts";
import { type WaitingStation, mmc } from "./stations.ts";

export interface NetworkNode {
  readonly name: string;
  /** Arrivals from outside. */
  readonly arrivalRate: number;
  /** Of one server. */
  readonly serviceRate: number;
  readonly servers: number;
  /** Where requests go next, by name, and with what probability; the rest leaves. */
  readonly next: Readonly<Record<string, number>>;
}

export interface OpenNetwork {
  readonly nodes: readonly (WaitingStation & {
    readonly name: string;
    /** From outside and from other stations. */
    readonly arrivals: number;
    /** How often one request comes here. */
    readonly visits: number;
  })[];
  /** From coming in to leaving; infinite where any station that is visited is unstable. */
  readonly meanResponse: number;
  readonly meanPresent: number;
}

/** A Jackson network. Stations that no request reaches are left out of the answer. */
export function jackson(nodes: readonly NetworkNode[]): OpenNetwork {
  const outside = nodes.length;
  const external = nodes.reduce(
    (sum, { name, arrivalRate }) =>
      sum + requireNotNegative(arrivalRate, `the arrivals at ${name}`),
    0,
  );
  if (external === 0) {
    throw new NinesError(
      "NINES_MODEL_INPUT",
      "no request arrives from outside: the network is closed",
    );
  }
  const moves = [...movesOf(nodes, external)];
  const met = reachable(outside + 1, chainOf(outside + 1, moves).rows, [outside]);
  const visited = [...met.keys()].filter((node) => met[node] === 1);
  const place = new Map(visited.map((node, at) => [node, at]));
  const number = (node: number) => place.get(node) as number;
  const chain = chainOf(
    visited.length,
    moves
      .filter(({ from }) => place.has(from))
      .map(({ from, to, rate }) => ({ from: number(from), to: number(to), rate })),
    (at) => nodes[visited[at] as number]?.name ?? "the outside",
  );
  const { probabilities } = steadyState(chain);
  const perRequest = 1 / (probabilities[number(outside)] as number);
  const stations = visited.slice(0, -1).map((node) => {
    const visits = (probabilities[number(node)] as number) * perRequest;
    const { name, serviceRate, servers } = nodes[node] as NetworkNode;
    const arrivals = visits * external;
    return { ...mmc({ arrivalRate: arrivals, serviceRate, servers }), name, arrivals, visits };
  });
  const meanPresent = stations.reduce((sum, { meanPresent: present }) => sum + present, 0);
  return { nodes: stations, meanPresent, meanResponse: meanPresent / external };
}

function* movesOf(nodes: readonly NetworkNode[], external: number): Generator<Transition> {
  const outside = nodes.length;
  const numbers = new Map(nodes.map(({ name }, at) => [name, at]));
  for (const [from, { name, arrivalRate, next }] of nodes.entries()) {
    if (arrivalRate > 0) yield { from: outside, to: from, rate: arrivalRate / external };
    let leaving = 1;
    for (const [target, probability] of Object.entries(next)) {
      requireProbability(probability, `the probability from ${name} to ${target}`);
      const to = numbers.get(target);
      if (to === undefined) {
        throw new NinesError(
          "NINES_MODEL_INPUT",
          `${name} sends requests to ${target}, which is no station`,
        );
      }
      leaving -= probability;
      // Coming back at once lengthens the stay; the chain sees it as leaving more slowly.
      if (to !== from && probability > 0) yield { from, to, rate: probability };
    }
    if (leaving < -1e-12) {
      throw new NinesError(
        "NINES_MODEL_INPUT",
        `the probabilities out of ${name} sum to ${1 - leaving}`,
      );
    }
    if (leaving > 1e-12) yield { from, to: outside, rate: leaving };
  }
}
