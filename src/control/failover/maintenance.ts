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

  /** Whether all of them are, by one word. */
  get isOnForAll(): boolean {
    return this.#all;
  }

  get isOnForSome(): boolean {
    return this.#all || this.#services.length > 0;
  }

  /** Throws NINES_STATE_WRITE, and then nothing has changed; so do the others. */
  begin(service: string): void {
    this.#write(this.#all, [...this.#services, service].sort());
  }

  end(service: string): void {
    const others = this.#services.filter((one) => one !== service);
    this.#write(this.#all, others);
  }

  beginForAll(): void {
    this.#write(true, this.#services);
  }

  endForAll(): void {
    this.#write(false, []);
  }

  #write(all: boolean, services: readonly string[]): void {
    this.#records.write(key, { all, services });
    this.#all = all;
    this.#services = services;
  }
}

interface Kept {
  readonly all?: unknown;
  readonly services?: unknown;
}
