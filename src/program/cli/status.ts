// `nines status`: asks control; when there is none, or it does not answer, tells what the state
// directory says of processes that still live.

import { setTimeout as wait } from "node:timers/promises";
import { NinesError } from "../../core/base/errors.ts";
import { findStateDirectory } from "../../state/directory.ts";
import { callAdmin } from "../admin/client.ts";
import { inspectState } from "../status/inspect.ts";
import type { StatusReport } from "../status/report.ts";
import { renderStatus } from "../status/table.ts";
import { adminPlace } from "./admin-place.ts";
import type { PlaceOptions, StatusOptions } from "./actions.ts";
import { stateDirectoryOf } from "./place.ts";
import { exitCode, usesColour } from "./say.ts";

const ANSWER_TIMEOUT_MS = 2000;
const REFRESH_MS = 1000;

export async function status(options: StatusOptions): Promise<number> {
  if (options.watch !== true) return show(options);
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  while (!interrupted.signal.aborted) {
    // Home, then what is new, then clear what is left: no flicker.
    if (process.stdout.isTTY) process.stdout.write("\u001b[H\u001b[2J");
    await show(options);
    await wait(REFRESH_MS, undefined, { signal: interrupted.signal }).catch(() => undefined);
  }
  return exitCode.done;
}

async function show(options: StatusOptions): Promise<number> {
  const report = await statusReport(options);
  if (options.json === true) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else {
    // Whoever reads it through a pipe wants the whole reason.
    const width = process.stdout.columns ?? Number.POSITIVE_INFINITY;
    const colour = usesColour(process.stdout);
    process.stdout.write(renderStatus(report, { width, colour, nowMs: Date.now() }));
  }
  return report.control.state === "running" ? exitCode.done : exitCode.notRunning;
}

/** What control says, or what the state directory says where nobody answers. */
export async function statusReport(options: PlaceOptions): Promise<StatusReport> {
  const call = { ...adminPlace(options), method: "GET", path: "/v1/status" } as const;
  try {
    return (await callAdmin({ ...call, timeoutMs: ANSWER_TIMEOUT_MS })) as StatusReport;
  } catch (error) {
    if (!(error instanceof NinesError) || options.admin !== undefined) throw error;
    return inspectState(findStateDirectory(stateDirectoryOf(options)));
  }
}
