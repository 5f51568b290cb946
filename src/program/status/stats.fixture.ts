// Statistics, records and reports as a gateway and a control would give them, for the tests.

import type { InstanceRecord } from "../../control/registry/registry.ts";
import type { InstanceStats, ServiceStats } from "../../core/measure/gateway-stats.ts";
import { HISTOGRAM_BUCKETS } from "../../core/measure/histogram.ts";

export interface ServiceNumbers extends Partial<Omit<ServiceStats, "instances">> {
  readonly attempts?: Readonly<Record<string, number>>;
}

export function serviceStats({ attempts = {}, ...numbers }: ServiceNumbers): ServiceStats {
  return {
    name: "web",
    requests: 0,
    active: 0,
    queued: 0,
    limited: 0,
    retries: 0,
    hedges: 0,
    refused: 0,
    lost: 0,
    serverErrors: 0,
    bytesIn: 0,
    bytesOut: 0,
    latency: Array.from({ length: HISTOGRAM_BUCKETS }, () => 0),
    instances: Object.entries(attempts).map(([id, requests]) => instanceStats({ id, requests })),
    ...numbers,
  };
}

export function instanceStats(numbers: Partial<InstanceStats>): InstanceStats {
  return {
    id: "web-1",
    requests: 0,
    active: 0,
    connectFailures: 0,
    resets: 0,
    timeouts: 0,
    hedges: 0,
    answers: [0, 0, 0, 0, 0],
    ejected: false,
    late: false,
    ...numbers,
  };
}

export function instanceRecord(fields: Partial<InstanceRecord>): InstanceRecord {
  return {
    id: "web-1",
    service: "web",
    ordinal: 1,
    origin: "command",
    host: "127.0.0.1",
    port: 8501,
    weight: 1,
    backup: false,
    zone: "",
    phase: "running",
    health: "up",
    draining: false,
    standing: "active",
    standingWhy: "",
    startHeld: "",
    generation: 1,
    pid: 4711,
    restarts: 0,
    why: "web-1 is ready after 420 ms: answered 200",
    sinceWallMs: Date.UTC(2026, 10, 21, 12, 0, 0),
    readyAtMs: 1,
    ...fields,
  };
}
