// Stopping where no control is left: become control, adopt what runs, stop it in order.

import { NinesError } from "../../core/base/errors.ts";
import type { RecordedEvent } from "../../runtime/event-log.ts";
import type { StateDirectory } from "../../state/directory.ts";
import { assemble } from "./parts.ts";
import { stopEverything } from "./stop-everything.ts";

/** Resolves when nothing is left, in ten seconds at most. */
export async function stopWithoutControl(
  state: StateDirectory,
  print: (event: RecordedEvent) => void,
): Promise<void> {
  const parts = await assemble({ state, print });
  const { control, events, logRotation, offices, steward } = parts;
  if (offices.control.claim() === undefined) {
    const pid = offices.control.holder()?.identity.pid;
    const what = `Somebody else (pid ${pid}) has become control meanwhile.`;
    throw new NinesError("NINES_CONTROL_NOT_ANSWERING", what);
  }
  try {
    await stopEverything(parts, {
      drainMs: Number.POSITIVE_INFINITY,
      hurried: new AbortController().signal,
      // With no service in the file, whatever is adopted is to be ended.
      onGatewayEnded: () => control.start({ file: "", services: [] }),
    });
  } finally {
    control.release();
    steward.release();
    logRotation[Symbol.dispose]();
    events[Symbol.dispose]();
  }
}
