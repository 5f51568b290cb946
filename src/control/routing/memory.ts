// What the data plane was told, kept: a control that comes back goes on with versions above all
// that were ever published, and with the verdicts and generations that workers know.
//
// A version begins with the term of the control that gives it, so that versions grow from control
// to control whatever the disk refuses. Within one term (a control that starts again in its process
// because the disk refused it the next) they are reserved a block at a time, ahead of their use.

import { isObject } from "../../core/base/objects.ts";
import { type InstanceVerdict, instanceVerdicts } from "../../core/route/table.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import type { Remembered } from "../registry/registry.ts";

const key = "routing/told";
const versionsReserved = 1_000;
/** More tables than a control can publish: thirty a second for a year. */
export const versionsInTerm = 1_000_000_000;

interface KeptVerdict {
  readonly verdict: InstanceVerdict;
  readonly generation: number;
}

export class RoutingMemory {
  readonly #records: CarefulRecords;
  readonly #before: ReadonlyMap<string, KeptVerdict>;
  #reserved: number;
  /** What of it is on disk. */
  #kept: number;
  #version: number;

  constructor(records: CarefulRecords, term: number) {
    this.#records = records;
    const kept = readKept(records.read(key));
    this.#before = kept.instances;
    this.#reserved = Math.max(kept.reserved, term * versionsInTerm);
    this.#version = this.#reserved;
    this.#kept = kept.reserved;
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

  /** Whether this version may be published before it is kept: no control gives it again. */
  isReserved(version: number): boolean {
    return version <= this.#kept;
  }

  /** Keeps what is published. */
  keep(version: number, instances: readonly (KeptVerdict & { readonly id: string })[]): void {
    const ahead = this.#reserved - version;
    if (ahead < versionsReserved / 2) this.#reserved = version + versionsReserved;
    const told = instances.map(({ id, verdict, generation }) => [id, { verdict, generation }]);
    const value = { reserved: this.#reserved, instances: Object.fromEntries(told) };
    if (this.#records.write(key, value)) this.#kept = this.#reserved;
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
  return instanceVerdicts.some((verdict) => verdict === value["verdict"]);
}
