// Records for what may be lost: a disk that refuses costs the memory, never the decision. Said once
// when it begins, and once when it is over: a full disk still removes, so a write must tell. What
// must not be lost (which process is an instance's, what an operator asked for) is written to the
// port itself, which throws.

import { NinesError } from "../../core/base/errors.ts";
import type { Events } from "../../ports/events.ts";
import type { Records } from "../../ports/records.ts";

export interface CarefulRecords {
  /** Undefined as well when it cannot be read; said. */
  read(key: string): unknown;
  list(prefix: string): readonly string[];
  /** Whether it was written. */
  write(key: string, value: unknown): boolean;
  remove(key: string): void;
}

export function carefulRecords(records: Records, events: Events): CarefulRecords {
  let refused = false;
  const guarded = (what: string, attempt: () => void): boolean => {
    try {
      attempt();
    } catch (error) {
      if (!(error instanceof NinesError)) throw error;
      if (!refused) {
        const sentence = `${what} failed, Nines goes on without: ${error.message}`;
        events.record({ kind: "records.refused", level: "error", sentence });
      }
      refused = true;
      return false;
    }
    return true;
  };
  const written = (): void => {
    if (!refused) return;
    refused = false;
    const sentence = "records are written again";
    events.record({ kind: "records.recovered", level: "info", sentence });
  };
  return {
    read: (key) => readRecord(records, events, key),
    list: (prefix) => records.list(prefix),
    write: (key, value) =>
      guarded(`writing the record ${key}`, () => {
        records.write(key, value);
        written();
      }),
    remove: (key) => void guarded(`removing the record ${key}`, () => records.remove(key)),
  };
}

function readRecord(records: Records, events: Events, key: string): unknown {
  try {
    return records.read(key);
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
    const sentence = `the record ${key} is forgotten, it cannot be read: ${error.message}`;
    events.record({ kind: "records.forgotten", level: "error", sentence });
    return undefined;
  }
}
