// What the data plane was told, kept: a control that comes back goes on with versions above all
// that were ever published, and with the verdicts and generations that workers know.
//
// Version numbers are reserved a block at a time, ahead of their use: so they grow over restarts
// even when the disk refuses every write in between.

import type { InstanceVerdict } from "../../core/route/table.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import type { InstanceRecord, Remembered } from "../registry/registry.ts";

const key = "routing/told";
export const versionsReserved = 1_000;

interface KeptVerdict {
  readonly verdict: InstanceVerdict;
  readonly generation: number;
}

export class RoutingMemory {
  readonly #records: CarefulRecords;
  readonly #before: ReadonlyMap<string, KeptVerdict>;
  #reserved: number;
  #version: number;

  constructor(records: CarefulRecords) {
    this.#records = records;
    const kept = readKept(records.read(key));
    this.#before = kept.instances;
    this.#reserved = kept.reserved;
    this.#version = kept.reserved;
  }

  /** What the control before this one told of an instance. */
  of(instance: string): Remembered {
    const kept = this.#before.get(instance);
    if (kept === undefined) return { told: undefined, generation: 0 };
    // No version of this control says it: whoever waits for a version waits for a new one.
    return { told: { verdict: kept.verdict, version: 0 }, generation: kept.generation };
  }

  nextVersion(): number {
    this.#version++;
    return this.#version;
  }

  /** Keeps what is about to be published. */
  keep(version: number, instances: readonly InstanceRecord[]): void {
    const ahead = this.#reserved - version;
    if (ahead < versionsReserved / 2) this.#reserved = version + versionsReserved;
    const told = instances.flatMap((record) =>
      record.told === undefined
        ? []
        : [[record.id, { verdict: record.told.verdict, generation: record.generation }] as const],
    );
    this.#records.write(key, { reserved: this.#reserved, instances: Object.fromEntries(told) });
  }
}

function readKept(value: unknown): {
  readonly reserved: number;
  readonly instances: ReadonlyMap<string, KeptVerdict>;
} {
  const instances = new Map<string, KeptVerdict>();
  if (!isObject(value) || !Number.isSafeInteger(value["reserved"]))
    return { reserved: 0, instances };
  const kept = isObject(value["instances"]) ? value["instances"] : {};
  for (const [id, one] of Object.entries(kept)) {
    if (isKeptVerdict(one)) instances.set(id, one);
  }
  return { reserved: value["reserved"] as number, instances };
}

function isKeptVerdict(value: unknown): value is KeptVerdict {
  if (!isObject(value) || !Number.isSafeInteger(value["generation"])) return false;
  const verdict = value["verdict"];
  return verdict === "up" || verdict === "down" || verdict === "draining";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
