// One life of the shops, real or simulated, in the figures that both give.

export interface Life {
  /** Of the time of all instances, the share in which one did not work or took no traffic. */
  readonly missing: number;
  /** t1, t2 and t3: means over incidents, in milliseconds. */
  readonly detectMs: number;
  readonly transferMs: number;
  readonly recoverMs: number;
  readonly incidents: number;
  /** Failures that hit somebody. */
  readonly strikes: number;
  /** Of the clients' requests, the share that was not answered. */
  readonly unanswered: number;
}

/** t1, t2 and t3 of one incident, as far as they are known. */
export interface IncidentTimes {
  readonly detectMs: number | undefined;
  readonly transferMs: number | undefined;
  readonly recoverMs: number | undefined;
}

export function timesIn(
  incidents: readonly IncidentTimes[],
): Pick<Life, "detectMs" | "transferMs" | "recoverMs" | "incidents"> {
  const known = (key: keyof IncidentTimes) => incidents.flatMap((one) => one[key] ?? []);
  return {
    detectMs: mean(known("detectMs")),
    transferMs: mean(known("transferMs")),
    recoverMs: mean(known("recoverMs")),
    incidents: incidents.length,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
