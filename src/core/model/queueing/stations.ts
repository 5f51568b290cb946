// One queue: how long requests wait in front of c equal servers.
//
// M/M/c, M/M/c/K and M/G/1 are exact; Kingman's G/G/1 and Sakasegawa's G/G/c are approximations,
// close under heavy load and for variabilities around 1, and say so in their names. A queue that
// gets more than it can serve has infinite waits and `stable: false`, never a negative number.
// Waits exclude service, responses include it. Sources: Trivedi 8.2, Bolch et al. 6, Kingman
// 1961, Sakasegawa 1977.

import { requireCount, requireNotNegative, requireRate } from "../checks.ts";
import { erlangC } from "./erlang.ts";

export interface Station {
  /** Arrival rate x mean service time / servers; 1 and above is unstable. */
  readonly utilisation: number;
  readonly stable: boolean;
  readonly meanWait: number;
  readonly meanResponse: number;
  /** Requests that wait, and requests that wait or are served. */
  readonly meanWaiting: number;
  readonly meanPresent: number;
}

function station(arrivalRate: number, serviceTime: number, servers: number, wait: number): Station {
  const utilisation = (arrivalRate * serviceTime) / servers;
  const stable = utilisation < 1;
  const meanWait = stable ? wait : Infinity;
  return {
    utilisation,
    stable,
    meanWait,
    meanResponse: meanWait + serviceTime,
    meanWaiting: meanWait * arrivalRate,
    meanPresent: (meanWait + serviceTime) * arrivalRate,
  };
}

export interface WaitingStation extends Station {
  /** The probability that an arrival finds all servers busy. */
  readonly waitProbability: number;
  /** The probability that an arrival waits for longer. */
  readonly waitsLonger: (time: number) => number;
  /** The wait that this share of the arrivals does not exceed. */
  readonly waitQuantile: (probability: number) => number;
}

interface MarkovStation {
  readonly arrivalRate: number;
  readonly serviceRate: number;
  readonly servers: number;
}

function requireMarkovStation({ arrivalRate, serviceRate, servers }: MarkovStation): void {
  requireRate(arrivalRate, "the arrival rate");
  requireRate(serviceRate, "the service rate");
  requireCount(servers, "the number of servers", 1);
}

/** Poisson arrivals, exponential service, c servers, room for all. */
export function mmc(options: MarkovStation): WaitingStation {
  requireMarkovStation(options);
  const { arrivalRate, serviceRate, servers } = options;
  const waitProbability = erlangC(arrivalRate / serviceRate, servers);
  const drain = servers * serviceRate - arrivalRate;
  const stable = drain > 0;
  return {
    ...station(arrivalRate, 1 / serviceRate, servers, waitProbability / drain),
    waitProbability,
    waitsLonger: (time) => (stable ? waitProbability * Math.exp(-drain * time) : 1),
    waitQuantile: (probability) => {
      if (!stable) return Infinity;
      return Math.max(0, Math.log(waitProbability / (1 - probability)) / drain);
    },
  };
}

export interface BoundedStation extends Station {
  /** The probability that an arrival is turned away. */
  readonly lossProbability: number;
  /** Of the arrivals, those that are served, per unit of time. */
  readonly throughput: number;
  /** By number of requests present, from 0 to K. */
  readonly probabilities: Float64Array;
}

/** M/M/c with room for K requests, those in service included; always stable. */
export function mmck(options: MarkovStation & { readonly capacity: number }): BoundedStation {
  requireMarkovStation(options);
  const { arrivalRate, serviceRate, servers } = options;
  const capacity = requireCount(options.capacity, "the capacity", servers, 10_000_000);
  const logs = new Float64Array(capacity + 1);
  for (let present = 1; present <= capacity; present++) {
    const ratio = arrivalRate / (Math.min(present, servers) * serviceRate);
    logs[present] = (logs[present - 1] as number) + Math.log(ratio);
  }
  const largest = logs.reduce((most, log) => Math.max(most, log), 0);
  const weights = logs.map((log) => Math.exp(log - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const probabilities = weights.map((weight) => weight / sum);
  const lossProbability = probabilities[capacity] as number;
  const throughput = arrivalRate * (1 - lossProbability);
  const meanPresent = probabilities.reduce((mean, p, present) => mean + p * present, 0);
  const busy = probabilities.reduce((mean, p, present) => mean + p * Math.min(present, servers), 0);
  const meanWaiting = meanPresent - busy;
  return {
    utilisation: busy / servers,
    stable: true,
    meanWait: meanWaiting / throughput,
    meanResponse: meanPresent / throughput,
    meanWaiting,
    meanPresent,
    lossProbability,
    throughput,
    probabilities,
  };
}

/**
 * Poisson arrivals, any service times, one server (Pollaczek and Khinchine). The variability is the
 * squared coefficient of variation: variance / mean^2; 1 for exponential, 0 for constant service.
 */
export function mg1(options: {
  readonly arrivalRate: number;
  readonly serviceTime: number;
  readonly serviceVariability: number;
}): Station {
  return kingman({ ...options, arrivalVariability: 1 });
}

/** Any arrivals, any service, one server: Kingman's approximation; exact with Poisson arrivals. */
export function kingman(options: {
  readonly arrivalRate: number;
  readonly serviceTime: number;
  readonly arrivalVariability: number;
  readonly serviceVariability: number;
}): Station {
  return ggcApproximation({ ...options, servers: 1 });
}

/** Any arrivals, any service, c servers: Sakasegawa's approximation, Kingman's for one server. */
export function ggcApproximation(options: {
  readonly arrivalRate: number;
  readonly serviceTime: number;
  readonly servers: number;
  readonly arrivalVariability: number;
  readonly serviceVariability: number;
}): Station {
  const arrivalRate = requireRate(options.arrivalRate, "the arrival rate");
  const serviceTime = requireRate(options.serviceTime, "the service time");
  const servers = requireCount(options.servers, "the number of servers", 1);
  const arrivals = requireNotNegative(options.arrivalVariability, "the arrivals' variability");
  const service = requireNotNegative(options.serviceVariability, "the service's variability");
  const utilisation = (arrivalRate * serviceTime) / servers;
  const queueing =
    utilisation ** (Math.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - utilisation));
  return station(
    arrivalRate,
    serviceTime,
    servers,
    ((arrivals + service) / 2) * queueing * serviceTime,
  );
}
