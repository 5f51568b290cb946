// The registry in memory: a map, its order, a list made when somebody asks, listeners called in
// order.
//
// A listener may write to the registry while it is called: the change it makes is announced after
// the one that it hears of, so that all listeners see all changes in the same order.

import { assert, present } from "../../core/base/assert.ts";
import type { InstanceRecord, Registry, RegistryChange } from "./registry.ts";

type Listener = (change: RegistryChange) => void;

export function createRegistry(): Registry {
  return new MemoryRegistry();
}

class MemoryRegistry implements Registry {
  readonly #records = new Map<string, InstanceRecord>();
  readonly #listeners = new Set<Listener>();
  readonly #epochs = new Map<string, number>();
  readonly #unannounced: RegistryChange[] = [];
  #announcing = false;
  #order = new Map<string, number>();
  /** In which order they are listed: until one comes, goes or has another ordinal. */
  #ids: readonly string[] | undefined;
  #listed: readonly InstanceRecord[] | undefined;

  instances(): readonly InstanceRecord[] {
    this.#ids ??= this.#sorted().map(({ id }) => id);
    this.#listed ??= this.#ids.map((id) => this.#records.get(id) as InstanceRecord);
    return this.#listed;
  }

  #sorted(): readonly InstanceRecord[] {
    return [...this.#records.values()].sort((a, b) => this.#compare(a, b));
  }

  orderServices(names: readonly string[]): void {
    this.#order = new Map(names.map((name, index) => [name, index]));
    this.#ids = undefined;
    this.#listed = undefined;
  }

  get(id: string): InstanceRecord | undefined {
    return this.#records.get(id);
  }

  add(record: InstanceRecord): void {
    assert(!this.#records.has(record.id), `${record.id} is registered once`);
    this.#records.set(record.id, record);
    this.#announce({ before: undefined, after: record });
  }

  patch(id: string, fields: Partial<InstanceRecord>): void {
    const before = present(this.#records.get(id), `a record of ${id}`);
    if (!hasNews(before, fields)) return;
    const after = { ...before, ...fields };
    this.#records.set(id, after);
    this.#announce({ before, after });
  }

  remove(id: string): void {
    const before = this.#records.get(id);
    if (before === undefined) return;
    this.#records.delete(id);
    this.#announce({ before, after: undefined });
  }

  epoch(service: string): number {
    return this.#epochs.get(service) ?? 0;
  }

  setEpoch(service: string, epoch: number): void {
    this.#epochs.set(service, epoch);
  }

  subscribe(listener: Listener): Disposable {
    const own: Listener = (change) => listener(change);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  #announce(change: RegistryChange): void {
    this.#listed = undefined;
    if (change.before?.ordinal !== change.after?.ordinal) this.#ids = undefined;
    this.#unannounced.push(change);
    if (this.#announcing) return;
    this.#announcing = true;
    try {
      for (let next = this.#unannounced.shift(); next; next = this.#unannounced.shift()) {
        for (const listener of this.#listeners) listener(next);
      }
    } finally {
      this.#announcing = false;
    }
  }

  #compare(a: InstanceRecord, b: InstanceRecord): number {
    return this.#rank(a) - this.#rank(b) || byName(a.service, b.service) || a.ordinal - b.ordinal;
  }

  #rank(record: InstanceRecord): number {
    return this.#order.get(record.service) ?? Number.MAX_SAFE_INTEGER;
  }
}

/** A loop without an array of names: most of what is written is so already. */
function hasNews(record: InstanceRecord, fields: Partial<InstanceRecord>): boolean {
  for (const name in fields) {
    const field = name as keyof InstanceRecord;
    if (record[field] !== fields[field]) return true;
  }
  return false;
}

function byName(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
