// The commands that ask a running control for something, over its admin socket.

import { resolve } from "node:path";
import { callAdmin, fetchAdminText } from "../admin/client.ts";
import type { ApplyResult } from "../admin/endpoints.ts";
import { adminPlace } from "./admin-place.ts";
import type { Actions, PlaceOptions } from "./actions.ts";
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
  | "stats"
>;

export const operations: Operations = {
  async apply(options) {
    const body = options.file === undefined ? {} : { file: fileThere(options.file, options) };
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
  metrics: (options) => print(options, "/metrics"),
  stats(options) {
    const form = options.json === true ? ".json" : options.html === true ? "" : ".csv";
    return print(options, `/stats${form}`);
  },
};

async function print(options: PlaceOptions, path: string): Promise<number> {
  const call = { ...adminPlace(options), method: "GET", path } as const;
  process.stdout.write(await fetchAdminText({ ...call, timeoutMs: ANSWER_TIMEOUT_MS }));
  return exitCode.done;
}

function done(sentence: string): number {
  say(`${sentence} \`nines status\` shows it.`);
  return exitCode.done;
}

/** A path of this machine; or, over the network, of the one that is asked. */
export function fileThere(file: string, { admin }: PlaceOptions): string {
  return admin === undefined ? resolve(file) : file;
}

export function ask(
  options: PlaceOptions,
  path: string,
  body: unknown,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<unknown> {
  return callAdmin({ ...adminPlace(options), method: "POST", path, body, timeoutMs });
}
