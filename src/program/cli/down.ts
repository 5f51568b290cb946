// `nines down`: ends everything that belongs to a state directory, whatever is left of Nines there.
//
// A control that answers stops everything itself. One that does not answer (stopped, hung) is
// killed; where there is none, this process takes the office for a moment, adopts what runs and
// stops it in the same order: one way to stop, not two. Every wait is bounded.

import { setTimeout as wait } from "node:timers/promises";
import { NinesError } from "../../core/base/errors.ts";
import { formatEvent } from "../../runtime/event-log.ts";
import { isRunning } from "../../runtime/process-identity.ts";
import { findStateDirectory, type StateDirectory } from "../../state/directory.ts";
import { callAdmin, sayPlace } from "../admin/client.ts";
import { officesOf, signalExactly } from "../roles/offices.ts";
import { endKeeper } from "../roles/stop-everything.ts";
import { stopWithoutControl } from "../roles/take-over.ts";
import { whatRuns } from "../status/inspect.ts";
import { adminPlace } from "./admin-place.ts";
import type { PlaceOptions } from "./actions.ts";
import { stateDirectoryOf } from "./place.ts";
import { exitCode, say } from "./say.ts";

const ANSWER_TIMEOUT_MS = 2000;
/** A stop takes ten seconds at most. */
const STOP_TIMEOUT_MS = 12_000;
const KILL_TIMEOUT_MS = 2000;
const LOOK_INTERVAL_MS = 50;

export async function down(options: PlaceOptions): Promise<number> {
  if (options.admin !== undefined) return await downThere(options);
  const state = findStateDirectory(stateDirectoryOf(options));
  if (whatRuns(state).length === 0) {
    say("Nothing runs here; there is nothing to stop.");
    return exitCode.done;
  }
  const asked = await askToStop(state);
  // A control that ended and left something running was killed meanwhile, or restarted.
  if (whatRuns(state).length > 0 && !(asked && isUpAnew(state))) {
    await endControl(state);
    if (whatRuns(state).length > 0) {
      await stopWithoutControl(state, (event) => say(formatEvent(event)));
    }
  }
  const left = whatRuns(state);
  if (left.length > 0) {
    throw new NinesError("NINES_DOWN_INCOMPLETE", `Still running: ${left.join(", ")}.`);
  }
  say("Everything is down.");
  return exitCode.done;
}

/**
 * Over the network nothing can be done about a control that does not end: that is said. Only a
 * place where nobody listens shows that it has ended; silence and a lost network do not.
 */
async function downThere(options: PlaceOptions): Promise<number> {
  const place = adminPlace(options);
  const timeoutMs = ANSWER_TIMEOUT_MS;
  await callAdmin({ ...place, method: "POST", path: "/v1/stop", body: {}, timeoutMs });
  const deadlineMs = performance.now() + STOP_TIMEOUT_MS;
  for (;;) {
    const call = { ...place, method: "GET", path: "/v1/status", timeoutMs } as const;
    const seen = await callAdmin(call).then(
      () => "still answers.",
      (error: unknown) => {
        if (!(error instanceof NinesError)) throw error;
        return error.code === "NINES_NOT_RUNNING" ? undefined : `has not ended: ${error.message}`;
      },
    );
    if (seen === undefined) break;
    if (performance.now() > deadlineMs) {
      throw new NinesError("NINES_DOWN_INCOMPLETE", `${sayPlace(place)} ${seen}`);
    }
    await wait(LOOK_INTERVAL_MS);
  }
  say("Control has ended.");
  return exitCode.done;
}

/** Whether a control was asked and has ended. */
async function askToStop(state: StateDirectory): Promise<boolean> {
  const holder = officesOf(state).control.holder();
  if (holder?.alive !== true) return false;
  try {
    const { adminSocket: socketPath } = state;
    const call = { socketPath, method: "POST", path: "/v1/stop", body: {} } as const;
    await callAdmin({ ...call, timeoutMs: ANSWER_TIMEOUT_MS });
    return await waitUntil(() => !isRunning(holder.identity), STOP_TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
    say(`Control (pid ${holder.identity.pid}) does not answer, and is killed.`);
    return false;
  }
}

/** Somebody said `up` meanwhile, or waited to: that word is newer. A keeper's control is the old. */
function isUpAnew(state: StateDirectory): boolean {
  const { control, keeper } = officesOf(state);
  return control.holder()?.alive === true && keeper.holder()?.alive !== true;
}

async function endControl(state: StateDirectory): Promise<void> {
  const offices = officesOf(state);
  endKeeper({ offices });
  const holder = offices.control.holder();
  if (holder?.alive !== true) return;
  signalExactly(holder.identity, "SIGKILL");
  await waitUntil(() => offices.control.holder()?.alive !== true, KILL_TIMEOUT_MS);
}

async function waitUntil(condition: () => boolean, withinMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) return false;
    await wait(LOOK_INTERVAL_MS);
  }
  return true;
}
