// How often each thing fails and how long it takes to mend, and how each number is known.
//
// A rate is never a bare number: it has an interval and a source, since most of what an
// availability model says is its guess of the rates. `measured` are failures counted here,
// `file` what the file says, `default` what is assumed when nobody says anything, each with its
// reason (default-rates.ts). Failures come as Poisson processes while the thing is up; times until
// mended have a distribution, since the best of three that start together depends on it.

export const causes = [
  /** A process ends. */
  "crash",
  /** A process or endpoint runs and answers nothing; its checks fail. */
  "hang",
  /** It fails requests, and neither checks nor workers see it: found by a person. */
  "gray",
  /** An endpoint is gone; its machine's failures are counted apart. */
  "endpoint",
  /** All processes of a service end at once: a request that kills, a leak, a full disk. */
  "commonCause",
  "machine",
  "zone",
  "gatewayWorker",
  /** All processes of the gateway at once. */
  "gateway",
  /** Control is away: nothing is restarted, nobody promoted, until it is back. */
  "control",
] as const;
export type Cause = (typeof causes)[number];

export type Source =
  | { readonly kind: "measured"; readonly events: number; readonly hours: number }
  | { readonly kind: "file"; readonly key: string }
  | { readonly kind: "default"; readonly reason: string };

/** Of times until mended; each mean is above 0. */
export type Duration =
  | { readonly kind: "fixed"; readonly meanMs: number; readonly source: Source }
  | { readonly kind: "exponential"; readonly meanMs: number; readonly source: Source }
  /** `variation` is the standard deviation / the mean. */
  | {
      readonly kind: "lognormal";
      readonly meanMs: number;
      readonly variation: number;
      readonly source: Source;
    };

/** Something uncertain, between two bounds that hold with 90 %. */
export interface Uncertain {
  readonly value: number;
  readonly lower: number;
  readonly upper: number;
  readonly source: Source;
}

/** Failures an hour of one thing that is up. Above 0: "never" is no rate. */
export type Rate = Uncertain;
/** A probability. */
export type Chance = Uncertain;

export interface ServiceRates {
  /** Of one process, those of a common cause included. */
  readonly crash: Rate;
  /** Of one process or endpoint. */
  readonly hang: Rate;
  readonly gray: Rate;
  /** Of one endpoint. */
  readonly endpoint: Rate;
  /** Beta: of a process's crashes, the share that takes all others of the service along. */
  readonly commonCause: Chance;
  /** That a start fails, and is tried again after the backoff. */
  readonly startFails: Chance;
  /** From the process's start to its first passed check. */
  readonly start: Duration;
  /** Until a hang ends by itself, where nobody restarts the process. */
  readonly hangRepair: Duration;
  /** Until an endpoint is back. */
  readonly endpointRepair: Duration;
  /** Until a person has seen and ended what Nines did not see. */
  readonly grayRepair: Duration;
}

export interface Rates {
  /** By service. */
  readonly services: Readonly<Record<string, ServiceRates>>;
  readonly machine: Rate;
  readonly machineRepair: Duration;
  readonly zone: Rate;
  readonly zoneRepair: Duration;
  readonly gatewayWorker: Rate;
  readonly gateway: Rate;
  readonly control: Rate;
  /** Until control is started again, by its keeper or the init system. */
  readonly controlRepair: Duration;
}
