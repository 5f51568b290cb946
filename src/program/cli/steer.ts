// The commands that steer single instances; each says what control says of it.

import type { FollowedResult } from "../admin/endpoints.ts";
import type { Actions, PlaceOptions } from "./actions.ts";
import { ask } from "./operate.ts";
import { exitCode, say } from "./say.ts";

type SteeringCommands = Pick<
  Actions,
  "weight" | "force" | "close" | "addEndpoint" | "removeEndpoint"
>;

export const steeringCommands: SteeringCommands = {
  weight: (instance, weight, options) => order(options, "/v1/weight", { instance, weight }),
  force: (instance, to, options) => order(options, "/v1/force", { instance, to }),
  close(instance, options) {
    const everything = options.everything === true;
    return order(options, "/v1/close", { instance, everything });
  },
  addEndpoint(service, address, options) {
    const { weight, backup, priority, zone } = options;
    const chosen = { weight, backup, priority, zone };
    return order(options, "/v1/endpoints/add", { service, address, ...chosen });
  },
  removeEndpoint: (instance, options) => order(options, "/v1/endpoints/remove", { instance }),
};

async function order(options: PlaceOptions, path: string, body: unknown): Promise<number> {
  const { sentence } = (await ask(options, path, body)) as FollowedResult;
  say(`${sentence}.`);
  return exitCode.done;
}
