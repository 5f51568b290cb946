// Maintenance: an operator's word that nothing is to move by itself, for one service or for all.
// Kept on disk before it takes effect, so that it holds across restarts of control.

import type { Records } from "../../ports/records.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";

const key = "operator/maintenance";

export class Maintenance {
  readonly #records: Records;
  #all: boolean;
  #services: readonly string[];

  constructor(records: Records, careful: CarefulRecords) {
    this.#records = records;
    const kept = careful.read(key);
    const { all, services } = typeof kept === "object" && kept !== null ? (kept as Kept) : {};
    this.#all = all === true;
    const names = Array.isArray(services) ? services : [];
    this.#services = names.filter((one): one is string => typeof one === "string");
  }

  isOn(service: string): boolean {
    return this.#all || this.#services.includes(service);
  }

  /** Without a service: all of them. Throws NINES_STATE_WRITE, and then nothing has changed. */
  set(on: boolean, service: string | undefined): void {
    const others = this.#services.filter((one) => one !== service);
    const all = service === undefined ? on : this.#all;
    const services =
      service === undefined
        ? on
          ? this.#services
          : []
        : on
          ? [...others, service].sort()
          : others;
    this.#records.write(key, { all, services });
    this.#all = all;
    this.#services = services;
  }

  /** Whether all of them are, by one word. */
  get isOnForAll(): boolean {
    return this.#all;
  }
}

interface Kept {
  readonly all?: unknown;
  readonly services?: unknown;
}
