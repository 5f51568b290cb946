// A record that is damaged names no process, and yet its instance may run: the next one would be a
// second in the same data folder. So before control adopts, what such a record said is read from
// the process itself, which was started with its name, port and folder in its environment.
//
// What else it was started with nobody knows any more: it is replaced in its turn, like one that
// the file has changed (an empty fingerprint). Only a record that is there is mended: one that is
// gone may be gone because its instance has ended, while something that it started on purpose goes
// on.

import { join } from "node:path";
import { type KeptInstance, keptInstances } from "../../core/supervise/kept-instance.ts";
import { findLeader } from "../../runtime/process-group.ts";
import { identify } from "../../runtime/process-identity.ts";
import { inspect } from "../../state/inspect.ts";
import type { Parts } from "./parts.ts";

/** The file's is taken where it names the service still. */
const STOP_GRACE_MS = 10_000;

/**
 * For the holder of control's office, before it adopts. Throws when the disk refuses the record: a
 * control that starts later is better than a second process.
 */
export function mendRecords({ state, records, clock, events }: Parts): void {
  for (const id of inspect(state, identify).damaged) {
    const dataFolder = join(state.path, "data", id);
    const found = findLeader({ NINES_INSTANCE: id, NINES_DATA_DIR: dataFolder });
    if (found === undefined) continue;
    const { identity, environment } = found;
    const kept: KeptInstance = {
      service: environment["NINES_SERVICE"] ?? "",
      ordinal: Number(environment["NINES_ORDINAL"]),
      process: identity,
      port: Number(environment["PORT"]),
      restarts: 0,
      fingerprint: {},
      startedAtMs: clock.monotonicMs(),
      readyAtMs: clock.monotonicMs(),
      stopGraceMs: STOP_GRACE_MS,
    };
    records.write(keptInstances + id, kept);
    const sentence = `the record of ${id} was damaged; its process is found again: pid ${identity.pid}`;
    events.record({ kind: "records.mended", level: "warning", sentence, instance: id });
  }
}
