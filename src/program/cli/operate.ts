// The commands that ask a running control for something, over its admin socket.

import { resolve } from "node:path";
import { findStateDirectory, type StateDirectory } from "../../state/directory.ts";
import { callAdmin, fetchAdminText } from "../admin/client.ts";
import type { ApplyResult } from "../admin/endpoints.ts";
import type { Actions, PlaceOptions } from "./command-line.ts";
import { stateDirectoryOf } from "./place.ts";
import { complain, exitCode, say } from "./say.ts";

const ANSWER_TIMEOUT_MS = 5000;
/** A file that is a program may take its time. */
export const APPLY_TIMEOUT_MS = 20_000;

type Operations = Pick<
  Actions,
  | "apply"
  | "scale"
  | "restart"
  | "drain"
  | "undrain"
  | "controlRestart"
  | "gatewayRestart"
  | "metrics"
>;

export const operations: Operations = {
  async apply(options) {
    const body = options.file === undefined ? {} : { file: resolve(options.file) };
    const result = await ask(options, "/v1/apply", body, APPLY_TIMEOUT_MS);
    const { changes, warnings } = result as ApplyResult;
    for (const warning of warnings) complain(warning);
    say(changes.length === 0 ? "Nothing has changed." : changes.join("\n"));
    return exitCode.done;
  },
  async scale(service, replicas, options) {
    await ask(options, "/v1/scale", { service, replicas });
    return done(`${service} goes to ${replicas}.`);
  },
  async restart(target, options) {
    await ask(options, "/v1/restart", { target, force: options.force === true });
    const how = options.force === true ? "at once" : "one instance at a time";
    return done(`${target} restarts, ${how}.`);
  },
  async drain(instance, options) {
    await ask(options, "/v1/drain", { instance });
    return done(`${instance} gets no new traffic until \`nines undrain ${instance}\`.`);
  },
  async undrain(instance, options) {
    await ask(options, "/v1/undrain", { instance });
    return done(`${instance} gets traffic again.`);
  },
  async controlRestart(options) {
    await ask(options, "/v1/control/restart", {});
    return done("Control restarts; what it started goes on.");
  },
  async gatewayRestart(options) {
    await ask(options, "/v1/gateway/restart", {});
    return done("The gateway's workers are replaced, one after another.");
  },
  async metrics(options) {
    const { adminSocket: socketPath } = findRunning(options);
    const call = { socketPath, method: "GET", path: "/metrics", timeoutMs: ANSWER_TIMEOUT_MS };
    process.stdout.write(await fetchAdminText({ ...call, method: "GET" }));
    return exitCode.done;
  },
};

function done(sentence: string): number {
  say(`${sentence} \`nines status\` shows it.`);
  return exitCode.done;
}

export function findRunning(options: PlaceOptions): StateDirectory {
  return findStateDirectory(stateDirectoryOf(options));
}

export function ask(
  options: PlaceOptions,
  path: string,
  body: unknown,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<unknown> {
  const { adminSocket: socketPath } = findRunning(options);
  return callAdmin({ socketPath, method: "POST", path, body, timeoutMs });
}
