// The commands about who of a service takes traffic.

import { failoverText } from "../../core/failover/failover-reference.ts";
import { findStateDirectory } from "../../state/directory.ts";
import { callAdmin } from "../admin/client.ts";
import type { Actions, PlaceOptions } from "./command-line.ts";
import { stateDirectoryOf } from "./place.ts";
import { exitCode, say } from "./say.ts";

const ANSWER_TIMEOUT_MS = 5000;

type FailoverCommands = Pick<Actions, "failover" | "failback" | "maintenance" | "explainFailover">;

export const failoverCommands: FailoverCommands = {
  async failover(service, options) {
    const { to } = options;
    await ask(options, "/v1/failover", { service, ...(to === undefined ? {} : { to }) });
    say(`The primary of ${service} hands over; \`nines status\` shows who is primary.`);
    return exitCode.done;
  },
  async failback(service, options) {
    await ask(options, "/v1/failback", { service });
    say(`${service} goes back to the instance that it prefers; \`nines status\` shows it.`);
    return exitCode.done;
  },
  async maintenance(on, service, options) {
    await ask(options, "/v1/maintenance", { on, ...(service === undefined ? {} : { service }) });
    const off = service === undefined ? "off" : `off ${service}`;
    say(
      on
        ? `No standby of ${service ?? "any service"} takes over by itself until \`nines maintenance ${off}\`.`
        : `Standbys of ${service ?? "all services"} take over by themselves again.`,
    );
    return exitCode.done;
  },
  async explainFailover(service, options) {
    if (service === undefined) say(failoverText());
    else {
      const { adminSocket: socketPath } = findStateDirectory(stateDirectoryOf(options));
      const path = `/v1/failover/explain?service=${encodeURIComponent(service)}`;
      const call = { socketPath, method: "GET", path, timeoutMs: ANSWER_TIMEOUT_MS } as const;
      say(((await callAdmin(call)) as readonly string[]).join("\n"));
    }
    return exitCode.done;
  },
};

function ask(options: PlaceOptions, path: string, body: unknown): Promise<unknown> {
  const { adminSocket: socketPath } = findStateDirectory(stateDirectoryOf(options));
  return callAdmin({ socketPath, method: "POST", path, body, timeoutMs: ANSWER_TIMEOUT_MS });
}
