// A service's versions on disk: the ledger in one record, what each version is made of in a record
// of its own, since an environment may be large and holds passwords. Parts are written before the
// ledger that names them; what the ledger has forgotten is removed.

import type { CommandService } from "../../config/config.ts";
import { type Ledger, readLedger, same, underWay, versionAt } from "../../core/deploy/versions.ts";
import { fingerprintOf, type StartParts } from "../../core/supervise/fingerprint.ts";
import type { Records } from "../../ports/records.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import { readStartParts, startPartsOf } from "./start-parts.ts";

export interface VersionRecordPorts {
  readonly records: Records;
  readonly careful: CarefulRecords;
}

export class VersionRecords {
  readonly #ports: VersionRecordPorts;
  readonly #key: string;
  readonly #parts = new Map<number, StartParts>();

  constructor(ports: VersionRecordPorts, service: string) {
    this.#ports = ports;
    this.#key = `versions/${service}`;
  }

  /** Undefined when there is none, or one that cannot be gone on with. */
  readLedger(service: CommandService): Ledger | undefined {
    const ledger = readLedger(this.#ports.careful.read(this.#key));
    const whole =
      ledger !== undefined && needed(ledger).every((number) => this.knows(ledger, number, service));
    return whole ? ledger : undefined;
  }

  /** Whether what a version is made of is known; the file may say it when a record was lost. */
  knows(ledger: Ledger, number: number, service: CommandService): boolean {
    if (this.#parts.has(number)) return true;
    const version = versionAt(ledger, number);
    if (version === undefined) return false;
    const kept = readStartParts(this.#ports.careful.read(this.#partsKey(number)));
    const parts = [kept, startPartsOf(service)].find(
      (one) => one !== undefined && same(fingerprintOf(one), version.fingerprint),
    );
    if (parts !== undefined) this.#parts.set(number, parts);
    return parts !== undefined;
  }

  partsOf(number: number): StartParts | undefined {
    return this.#parts.get(number);
  }

  /** Throws NINES_STATE_WRITE: what cannot be kept is not begun. */
  mustKeepParts(number: number, parts: StartParts): void {
    this.#ports.records.write(this.#partsKey(number), parts);
    this.#parts.set(number, parts);
  }

  mustKeepLedger(ledger: Ledger): void {
    this.#ports.records.write(this.#key, ledger);
  }

  keepParts(number: number, parts: StartParts): void {
    this.#ports.careful.write(this.#partsKey(number), parts);
    this.#parts.set(number, parts);
  }

  keepLedger(ledger: Ledger): void {
    const { careful } = this.#ports;
    careful.write(this.#key, ledger);
    const prefix = `${this.#key}/`;
    for (const key of careful.list(prefix)) {
      const number = Number(key.slice(prefix.length));
      if (versionAt(ledger, number) !== undefined) continue;
      careful.remove(key);
      this.#parts.delete(number);
    }
  }

  forget(): void {
    const { careful } = this.#ports;
    careful.remove(this.#key);
    for (const key of careful.list(`${this.#key}/`)) careful.remove(key);
  }

  #partsKey(number: number): string {
    return `${this.#key}/${number}`;
  }
}

/** Versions that it cannot go on without. */
function needed(ledger: Ledger): readonly number[] {
  const deploy = underWay(ledger);
  return deploy === undefined ? [ledger.inForce] : [ledger.inForce, deploy.from, deploy.to];
}
