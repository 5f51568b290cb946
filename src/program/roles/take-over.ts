// Stopping where no control is left: become control, adopt what runs, stop it in order.

import { setTimeout as wait } from "node:timers/promises";
import type { Config } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { RecordedEvent } from "../../runtime/event-log.ts";
import type { StateDirectory } from "../../state/directory.ts";
import { assemble, type Parts } from "./parts.ts";
import { forgetConfig, keptConfig } from "./last-config.ts";
import { mendRecords } from "./mend-records.ts";
import { officesOf } from "./offices.ts";
import { stopEverything } from "./stop-everything.ts";

const PARENT_LINK_MS = 1500;
const LOOK_INTERVAL_MS = 20;

/** Resolves when nothing is left, in some twelve seconds at most. */
export async function stopWithoutControl(
  state: StateDirectory,
  print: (event: RecordedEvent) => void,
): Promise<void> {
  // The office before its socket: who has not got the one must not take away the other.
  const office = officesOf(state).control;
  if (office.claim() === undefined) {
    const pid = office.holder()?.identity.pid;
    const what = `Somebody else (pid ${pid}) has become control meanwhile.`;
    throw new NinesError("NINES_CONTROL_NOT_ANSWERING", what);
  }
  const parts = await assemble({ state, print });
  const { control, events, logRotation, records, steward, vaultDuties } = parts;
  try {
    mendRecords(parts);
    await awaitParent(parts);
    await stopEverything(parts, {
      drainMs: Number.POSITIVE_INFINITY,
      hurried: new AbortController().signal,
      onGatewayEnded: () => control.start(whatToEnd(keptConfig(records))),
    });
    forgetConfig(records);
  } finally {
    control.release();
    vaultDuties.release();
    steward.release();
    logRotation[Symbol.dispose]();
    events[Symbol.dispose]();
  }
}

/**
 * The services that were followed, for the order of their ends: who depends on another ends before
 * it. Without a word on that, all that is adopted ends at once.
 */
function whatToEnd(kept: Config | undefined): Config {
  return { file: kept?.file ?? "", services: kept?.services ?? [] };
}

/** A parent that is told to stop replaces no worker that ends; it links to us within a second. */
async function awaitParent({ offices, steward }: Parts): Promise<void> {
  const untilMs = performance.now() + PARENT_LINK_MS;
  while (offices.gateway.holder()?.alive === true && steward.status().parent === undefined) {
    if (performance.now() > untilMs) return;
    await wait(LOOK_INTERVAL_MS);
  }
}
