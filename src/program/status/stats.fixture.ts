// Statistics, records and reports as a gateway and a control would give them, for the tests.

import type { InstanceRecord } from "../../control/registry/registry.ts";
import {
  type InstanceStats,
  quietInstance,
  quietService,
  type ServiceStats,
} from "../../core/measure/gateway-stats.ts";
import { HISTOGRAM_BUCKETS } from "../../core/measure/histogram.ts";

export interface ServiceNumbers extends Partial<ServiceStats> {
  readonly attempts?: Readonly<Record<string, number>>;
}

export function serviceStats({ attempts = {}, ...numbers }: ServiceNumbers): ServiceStats {
  return {
    ...quietService,
    name: "web",
    latency: Array.from({ length: HISTOGRAM_BUCKETS }, () => 0),
    instances: Object.entries(attempts).map(([id, requests]) => instanceStats({ id, requests })),
    ...numbers,
  };
}

export function instanceStats(numbers: Partial<InstanceStats>): InstanceStats {
  return { ...quietInstance, id: "web-1", ...numbers };
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
