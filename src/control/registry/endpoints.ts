// Instances that somebody else runs: the file says which there are, and an operator's word beside
// it, so they are registered and removed with those. Checked and routed like any other; never
// started or ended.

import type { InstanceRecord, Registry, Remembered } from "./registry.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
  readonly backup: boolean;
  readonly priority?: number;
  readonly zone: string;
  /** An operator's, not the file's. */
  readonly added?: boolean;
}

/** A service whose instances are named. */
export interface NamedEndpoints {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
}

export function endpointId(
  service: string,
  { host, port }: Pick<Endpoint, "host" | "port">,
): string {
  return `${service}-${host}:${port}`;
}

/** Makes these the registry's endpoints; what stays keeps its health. */
export function followEndpoints(
  registry: Registry,
  services: readonly NamedEndpoints[],
  remembered: (id: string) => Remembered,
  wallMs: number,
): void {
  const named = new Map<string, InstanceRecord>();
  for (const service of services) {
    for (const [index, endpoint] of service.endpoints.entries()) {
      const record = recordOf(service.name, index + 1, endpoint, wallMs);
      named.set(record.id, record);
    }
  }
  for (const known of registry.instances()) {
    if (known.origin === "endpoint" && !named.has(known.id)) registry.remove(known.id);
  }
  for (const record of named.values()) {
    const known = registry.get(record.id);
    if (known === undefined) registry.add({ ...record, ...memoryOf(remembered(record.id)) });
    else registry.patch(record.id, placeOf(record));
  }
}

function placeOf(record: InstanceRecord): Partial<InstanceRecord> {
  const { ordinal, weight, backup, priority, zone, added = false } = record;
  return { ordinal, weight, backup, priority, zone, added };
}

function memoryOf(memory: Remembered): Partial<InstanceRecord> {
  const { told, generation } = memory;
  return told === undefined ? { generation } : { generation, told };
}

function recordOf(
  service: string,
  ordinal: number,
  endpoint: Endpoint,
  wallMs: number,
): InstanceRecord {
  const { host, port, weight, backup, priority, zone, added = false } = endpoint;
  const id = endpointId(service, endpoint);
  return {
    id,
    service,
    ordinal,
    origin: "endpoint",
    host,
    port,
    weight,
    backup,
    priority,
    zone,
    added,
    phase: "external",
    health: "unknown",
    draining: false,
    standing: "active",
    standingWhy: "",
    startHeld: "",
    generation: 0,
    pid: undefined,
    restarts: 0,
    why: `${id} waits for its first check`,
    sinceWallMs: wallMs,
    readyAtMs: undefined,
  };
}
