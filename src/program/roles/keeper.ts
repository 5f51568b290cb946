// The keeper: a small process that starts control again when it has ended, for `nines up --detach`.
//
// It holds an office of its own (keeper/term-N) and watches that of control, four times a second,
// by pid and start time: control need not be its child, so a new keeper takes over a running
// control, and control in turn starts a new keeper when its own is gone (kept-control.ts). Either
// may be killed; only when both are at the same moment nobody is left to restart them, and what
// they started goes on. Control that ends at once is started again ever more slowly, up to ten
// seconds, and never given up. Rejected: a shell loop (knows no terms), an IPC channel between the
// two (a pipe that ties them).

import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { sayDuration } from "../../core/base/duration.ts";
import { type BackoffPolicy, backoffMs, failuresInRow } from "../../core/guard/backoff.ts";
import { createClock } from "../../runtime/clock.ts";
import { findStateDirectory } from "../../state/directory.ts";
import { say } from "../cli/say.ts";
import { officesOf } from "./offices.ts";
import { startRole, withoutJustAsked } from "./spawn.ts";

const LOOK_INTERVAL_MS = 250;
const restartBackoff: BackoffPolicy = { baseMs: 400, maxMs: 10_000 };
/** Control that ran this long has paid off its earlier ends. */
const RESET_AFTER_MS = 10_000;

/** Runs until it is told to end, or finds that somebody else is the keeper. */
export async function runKeeper(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: { "state-dir": { type: "string" } },
    allowPositionals: true,
    strict: false,
  });
  const state = findStateDirectory(`${values["state-dir"]}`);
  const offices = officesOf(state);
  const term = offices.keeper.claim();
  if (term === undefined) return 0;
  const clock = createClock();
  // The terminal that started us may close.
  process.on("SIGHUP", () => undefined);

  let controlWords = words;
  let failures = 0;
  let startedAtMs = clock.monotonicMs();
  while (offices.keeper.holder()?.term === term) {
    if (offices.control.holder()?.alive !== true) {
      failures = failuresInRow(failures, clock.monotonicMs() - startedAtMs, RESET_AFTER_MS);
      // The first start, and one after a long life, come at once.
      if (failures > 1) {
        const delayMs = backoffMs(restartBackoff, failures - 1, Math.random());
        say(`keeper: control has ended; it starts again in ${sayDuration(delayMs)}`);
        await wait(delayMs);
      }
      startedAtMs = clock.monotonicMs();
      const child = startRole("control", controlWords, state.controlLog);
      controlWords = withoutJustAsked(words);
      // From its start to its claim nobody holds the office.
      while (runs(child)) await wait(LOOK_INTERVAL_MS);
    }
    await wait(LOOK_INTERVAL_MS);
  }
  return 0;
}

function runs(child: ReturnType<typeof startRole>): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
