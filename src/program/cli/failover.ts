// The commands about who of a service takes traffic.

import { failoverText } from "../../core/failover/failover-reference.ts";
import { callAdmin } from "../admin/client.ts";
import type { FollowedResult } from "../admin/endpoints.ts";
import { adminPlace } from "./admin-place.ts";
import type { Actions } from "./actions.ts";
import { ask } from "./operate.ts";
import { exitCode, say } from "./say.ts";

const ANSWER_TIMEOUT_MS = 5000;

type FailoverCommands = Pick<Actions, "failover" | "failback" | "maintenance" | "explainFailover">;

export const failoverCommands: FailoverCommands = {
  async failover(service, options) {
    const { to } = options;
    return done(
      await ask(options, "/v1/failover", { service, ...(to === undefined ? {} : { to }) }),
    );
  },
  async failback(service, options) {
    return done(await ask(options, "/v1/failback", { service }));
  },
  async maintenance(on, service, options) {
    const body = { on, ...(service === undefined ? {} : { service }) };
    return done(await ask(options, "/v1/maintenance", body));
  },
  async explainFailover(service, options) {
    if (service === undefined) say(failoverText());
    else {
      const path = `/v1/failover/explain?service=${encodeURIComponent(service)}`;
      const call = { ...adminPlace(options), method: "GET", path } as const;
      const sentences = await callAdmin({ ...call, timeoutMs: ANSWER_TIMEOUT_MS });
      say((sentences as readonly string[]).join("\n"));
    }
    return exitCode.done;
  },
};

/** What control says of it, as its log does. */
function done(answer: unknown): number {
  const { sentence } = answer as FollowedResult;
  say(`${sentence}.`);
  return exitCode.done;
}
