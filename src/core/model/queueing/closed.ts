// Closed networks of queues: a fixed number of users who think, ask, wait, and think again.
//
// `meanValueAnalysis` is exact MVA (Reiser and Lavenberg 1980): a request sees the network as it
// is on average with one user less. Linear in users and stations, for single servers and pure
// delays. `closedNetwork` is exact for stations with several servers as well, by convolution
// (Buzen 1973): all of its terms are positive, where MVA with several servers subtracts and is
// known to end in negative response times. A station's own distribution needs the network without
// it, which is convolved from both sides instead of divided out, for the same reason. Each is the
// other's test.

import { requireCount, requireNotNegative, requirePositive, requireSize } from "../checks.ts";

export interface ClosedStation {
  /** How often a user comes here per round. */
  readonly visits: number;
  readonly serviceTime: number;
  /** 1 by default; "delay" never makes anybody wait. */
  readonly servers?: number | "delay";
}

export interface ClosedNetwork {
  /** Rounds per unit of time, all users together. */
  readonly throughput: number;
  /** Of one round, without the thinking. */
  readonly responseTime: number;
  readonly stations: readonly {
    /** Busy servers / servers; of a delay, the mean number present. */
    readonly utilisation: number;
    /** Of one visit. */
    readonly responseTime: number;
    readonly throughput: number;
    readonly meanPresent: number;
  }[];
}

export interface ClosedOptions {
  readonly users: number;
  /** Between two rounds; 0 by default. */
  readonly thinkTime?: number;
  readonly stations: readonly ClosedStation[];
}

const usersMax = 1_000_000;
const convolutionMax = 1e9;

function check({ users, thinkTime, stations }: ClosedOptions): void {
  requireCount(users, "the number of users", 1, usersMax);
  requireNotNegative(thinkTime ?? 0, "the think time");
  requireCount(stations.length, "the number of stations", 1);
  for (const { visits, serviceTime, servers } of stations) {
    requirePositive(visits, "the visits to a station");
    requirePositive(serviceTime, "the service time of a station");
    if (servers !== undefined && servers !== "delay")
      requireCount(servers, "the number of servers", 1);
  }
}

function resultOf(
  { users, thinkTime, stations }: ClosedOptions,
  throughput: number,
  present: readonly number[],
): ClosedNetwork {
  return {
    throughput,
    responseTime: users / throughput - (thinkTime ?? 0),
    stations: stations.map(({ visits, serviceTime, servers }, at) => {
      const flow = throughput * visits;
      const meanPresent = present[at] as number;
      const busy = flow * serviceTime;
      return {
        utilisation: servers === "delay" ? busy : busy / (servers ?? 1),
        responseTime: meanPresent / flow,
        throughput: flow,
        meanPresent,
      };
    }),
  };
}

/** Exact, for stations with one server and delays. O(users x stations). */
export function meanValueAnalysis(options: ClosedOptions): ClosedNetwork {
  check(options);
  const { users, thinkTime = 0, stations } = options;
  for (const { servers } of stations) {
    if (servers !== "delay")
      requireCount(servers ?? 1, "the number of servers (closedNetwork takes more)", 1, 1);
  }
  let present = stations.map(() => 0);
  let throughput = 0;
  for (let user = 1; user <= users; user++) {
    const seen = present;
    const stay = stations.map(({ visits, serviceTime, servers }, at) => {
      const ahead = servers === "delay" ? 0 : (seen[at] as number);
      return visits * serviceTime * (1 + ahead);
    });
    throughput = user / (thinkTime + stay.reduce((sum, time) => sum + time, 0));
    present = stay.map((time) => throughput * time);
  }
  return resultOf(options, throughput, present);
}

/** Exact, for stations with any number of servers. O(users^2 x stations). */
export function closedNetwork(options: ClosedOptions): ClosedNetwork {
  check(options);
  const { users, thinkTime = 0, stations } = options;
  requireSize(users * users * stations.length, convolutionMax, "the steps of the convolution");
  const thinking: readonly ClosedStation[] =
    thinkTime === 0 ? [] : [{ visits: 1, serviceTime: thinkTime, servers: "delay" }];
  // Only ratios of demands matter; with the largest at 1 the factors neither grow nor all vanish.
  const scale = Math.max(
    ...stations.map((s) => (s.visits * s.serviceTime) / Math.min(serversOf(s), users)),
  );
  const factors = [...stations, ...thinking].map((s) => factorsOf(s, users, scale));
  const before = running(factors, users);
  const after = running(factors.toReversed(), users).reverse();
  const whole = before.at(-1) as Float64Array;
  const last = whole[users] as number;
  const throughput = (whole[users - 1] as number) / last / scale;
  const present = stations.map((_, at) => {
    const others = convolve(before[at] as Float64Array, after[at + 1] as Float64Array, users);
    const own = factors[at] as Float64Array;
    let mean = 0;
    let total = 0;
    for (let count = 0; count <= users; count++) {
      const weight = (own[count] as number) * (others[users - count] as number);
      mean += count * weight;
      total += weight;
    }
    return mean / total;
  });
  return resultOf(options, throughput, present);
}

function serversOf({ servers }: ClosedStation): number {
  return servers === "delay" ? Infinity : (servers ?? 1);
}

/**
 * Up to a factor, demand^n / (served at 1 x served at 2 x ... x served at n), by number present.
 */
function factorsOf(station: ClosedStation, users: number, scale: number): Float64Array {
  const demand = (station.visits * station.serviceTime) / scale;
  const servers = serversOf(station);
  const logs = new Float64Array(users + 1);
  for (let count = 1; count <= users; count++) {
    logs[count] = (logs[count - 1] as number) + Math.log(demand / Math.min(count, servers));
  }
  const largest = logs.reduce((most, log) => Math.max(most, log), -Infinity);
  return logs.map((log) => Math.exp(log - largest));
}

/** The convolutions of none, the first, the first two, ... of the factors. */
function running(factors: readonly Float64Array[], users: number): Float64Array[] {
  const none = new Float64Array(users + 1);
  none[0] = 1;
  const all: Float64Array[] = [none];
  for (const factor of factors) all.push(convolve(all.at(-1) as Float64Array, factor, users));
  return all;
}

function convolve(a: Float64Array, b: Float64Array, users: number): Float64Array {
  const values = new Float64Array(users + 1);
  let largest = 0;
  for (let total = 0; total <= users; total++) {
    let sum = 0;
    for (let own = 0; own <= total; own++) {
      sum += (a[own] as number) * (b[total - own] as number);
    }
    values[total] = sum;
    largest = Math.max(largest, sum);
  }
  return values.map((value) => value / largest);
}
