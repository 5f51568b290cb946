// `nines up`: this process becomes control and stays in the foreground; or, detached, it starts a
// keeper, passes on what happens until everything is ready, and returns.

import { statSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { NinesError } from "../../core/base/errors.ts";
import { formatEvent, readRecentEvents, type RecordedEvent } from "../../runtime/event-log.ts";
import { openStateDirectory, type StateDirectory } from "../../state/directory.ts";
import { createRecords } from "../../state/records.ts";
import { type LoadedConfig, loadConfigFile } from "../config-file.ts";
import { runControl } from "../roles/control.ts";
import { keptConfig } from "../roles/last-config.ts";
import { officesOf } from "../roles/offices.ts";
import { justAsked, startRole } from "../roles/spawn.ts";
import { readVersion } from "../version.ts";
import type { UpOptions } from "./actions.ts";
import { findConfigFile, stateDirectoryOf } from "./place.ts";
import { complain, exitCode, formatError, say } from "./say.ts";

const LOOK_INTERVAL_MS = 100;
/** Beyond the longest start timeout of the file. */
const READY_MARGIN_MS = 10_000;

export async function up(options: UpOptions): Promise<number> {
  const file = findConfigFile(options.file);
  const loaded = await loadConfigFile(file);
  const state = openStateDirectory(stateDirectoryOf({ ...options, file }));
  refuseAnotherFile(state, file);
  say(`Nines ${readVersion()} for ${file}`);
  return options.detach === true
    ? upDetached(options, loaded, state)
    : upHere(options, loaded, state);
}

/**
 * Two files in one folder share its state directory: started beside the first, the second would be
 * said to be up, or take over what the first runs and end it.
 */
function refuseAnotherFile(state: StateDirectory, file: string): void {
  const running = officesOf(state).control.holder();
  if (running?.alive !== true) return;
  const followed = keptConfig(createRecords(state.records))?.file;
  if (followed === undefined || isSameFile(followed, file)) return;
  const message = `Control (pid ${running.identity.pid}) runs here and follows ${followed}.`;
  throw new NinesError("NINES_CONTROL_OTHER_FILE", message);
}

function isSameFile(one: string, other: string): boolean {
  const [followed, named] = [one, other].map((file) => statSync(file, { throwIfNoEntry: false }));
  if (followed === undefined || named === undefined) return one === other;
  return followed.dev === named.dev && followed.ino === named.ino;
}

async function upHere(
  options: UpOptions,
  first: LoadedConfig,
  state: StateDirectory,
): Promise<number> {
  const nextFreePort = options.nextFreePort === true;
  let term = await claimOrWait(state);
  // Between two rounds nobody else listens, and a signal would end us and nothing of ours.
  let signals = 0;
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => signals++);
  process.on("SIGHUP", () => undefined);
  const stopAsked = () => signals > 0;
  for (let loaded = first; ; ) {
    const ending = await runControl({ state, term, loaded, nextFreePort, stopAsked, say });
    if (ending.kind === "stopped") return exitCode.done;
    const next = ending.kind === "restart" ? nextTerm(state, term) : undefined;
    if (ending.kind === "replaced" || next === undefined) {
      complain("Another control has taken over; what runs goes on under it.");
      return exitCode.failed;
    }
    loaded = await loadAgain(ending.file, loaded);
    term = next;
  }
}

/** Undefined: somebody else has it. A disk that refuses leaves us in the term that we hold. */
function nextTerm(state: StateDirectory, term: number): number | undefined {
  const { control } = officesOf(state);
  try {
    return control.claim(undefined, term);
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
    complain(formatError(error));
    return control.holder()?.term === term ? term : undefined;
  }
}

/** A restart is no reason to give up because the file has become wrong meanwhile. */
async function loadAgain(file: string, inForce: LoadedConfig): Promise<LoadedConfig> {
  try {
    return await loadConfigFile(file);
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
    complain(`The configuration in force stays:\n${formatError(error)}`);
    return { config: inForce.config, warnings: "" };
  }
}

async function claimOrWait(state: StateDirectory): Promise<number> {
  const { control } = officesOf(state);
  for (let said = false; ; ) {
    const term = control.claim();
    if (term !== undefined) return term;
    if (!said) {
      const pid = control.holder()?.identity.pid;
      say(`Control runs already (pid ${pid}). Waiting for it to end; \`nines down\` ends it.`);
      said = true;
    }
    await wait(LOOK_INTERVAL_MS);
  }
}

async function upDetached(
  options: UpOptions,
  { config, warnings }: LoadedConfig,
  state: StateDirectory,
): Promise<number> {
  const running = officesOf(state).control.holder();
  if (running?.alive === true) {
    say(`It is up already: control has pid ${running.identity.pid}.`);
    say("`nines apply` follows a changed file; `nines status` shows what runs.");
    return exitCode.done;
  }
  if (warnings !== "") complain(warnings.trimEnd());
  const words = ["--state-dir", state.path, "--file", config.file, justAsked];
  if (options.nextFreePort === true) words.push("--next-free-port");
  const last = readRecentEvents(state.eventLog).at(-1)?.number ?? 0;
  startRole("keeper", words, state.controlLog);
  const timeouts = config.services.map((service) =>
    service.kind === "command" ? service.startTimeoutMs : 0,
  );
  return passOnUntilReady(state, last, Math.max(0, ...timeouts) + READY_MARGIN_MS);
}

/** What ends the waiting, and how. */
const endings: Readonly<Record<string, "ready" | "failed" | "held-back">> = {
  "control.ready": "ready",
  "control.start-failed": "failed",
  "instance.crash-loop": "held-back",
};

async function passOnUntilReady(
  state: StateDirectory,
  after: number,
  withinMs: number,
): Promise<number> {
  let last = after;
  const deadlineMs = performance.now() + withinMs;
  while (performance.now() < deadlineMs) {
    const events = readRecentEvents(state.eventLog).filter(({ number }) => number > last);
    for (const event of events) {
      last = event.number;
      const ending = endings[event.kind];
      if (ending === "failed") throw new NinesError("NINES_UP_FAILED", event.sentence);
      say(formatEvent(event));
      if (ending === "ready") return exitCode.done;
      if (ending === "held-back") return notAllReady(event);
    }
    await wait(LOOK_INTERVAL_MS);
  }
  return notAllReady(undefined);
}

function notAllReady(event: RecordedEvent | undefined): number {
  const why = event === undefined ? "it takes too long" : event.sentence;
  complain(`Not everything is ready: ${why}.`);
  complain("It goes on in the background: `nines status` shows it, `nines down` ends it.");
  return exitCode.failed;
}
