// `--next-free-port`: a port of the file that somebody else listens on is replaced by the next one
// that is free, and it is said. For trying Nines out; where clients know the port, leave the option
// away.
//
// The replacement is remembered for as long as the gateway lives, or else a restarted control would
// find the port "taken" by its own gateway and move on by one.

import { createServer } from "node:net";
import type { Config, ListenConfig } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Records } from "../../ports/records.ts";

const RECORD = "program/listen-ports";
const TRIES_MAX = 100;

export interface PortsInUse {
  readonly records: Pick<Records, "read" | "write">;
  /** Whether a gateway of ours runs, and so listens on what it was told. */
  readonly gatewayLives: boolean;
  readonly isFree: (host: string, port: number) => Promise<boolean>;
  readonly say: (sentence: string) => void;
}

type Replacements = Readonly<Record<string, number>>;

/** The same configuration on ports that can be had. */
export async function avoidTakenPorts(config: Config, world: PortsInUse): Promise<Config> {
  if (config.gateway === undefined) return config;
  const before = world.gatewayLives ? read(world.records) : {};
  const after: Record<string, number> = {};
  const listen: ListenConfig[] = [];
  for (const listener of config.gateway.listen) {
    const key = `${listener.host}:${listener.port}`;
    const port = before[key] ?? (await choose(listener, listen, world));
    after[key] = port;
    listen.push({ ...listener, port });
  }
  world.records.write(RECORD, after);
  return { ...config, gateway: { ...config.gateway, listen } };
}

async function choose(
  { host, port }: ListenConfig,
  chosen: readonly ListenConfig[],
  world: PortsInUse,
): Promise<number> {
  if (await world.isFree(host, port)) return port;
  for (let next = port + 1; next <= Math.min(port + TRIES_MAX, 65_535); next++) {
    if (chosen.some((listener) => listener.port === next)) continue;
    if (!(await world.isFree(host, next))) continue;
    world.say(`Port ${port} is taken by another program; the gateway uses ${next} instead.`);
    return next;
  }
  const range = `${port} to ${port + TRIES_MAX}`;
  throw new NinesError("NINES_PORT_NONE_FREE", `The ports ${range} on ${host} are all taken.`);
}

function read(records: PortsInUse["records"]): Replacements {
  const value = records.read(RECORD);
  return typeof value === "object" && value !== null ? (value as Replacements) : {};
}

/** Asks the kernel. Any failure counts as taken: it could not be listened on either. */
export function isPortFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
