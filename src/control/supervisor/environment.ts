// What an instance's program finds in its environment: what `nines up` had, what the file adds, and
// last what Nines says, which neither can override.

import type { CommandService } from "../../config/config.ts";

export interface InstancePlace {
  readonly id: string;
  readonly ordinal: number;
  readonly port: number;
  readonly dataFolder: string;
  /** How it learns where to give signs of life; empty when none are asked for. */
  readonly heartbeat: Readonly<Record<string, string>>;
}

export function environmentOf(
  base: Readonly<Record<string, string>>,
  service: CommandService,
  place: InstancePlace,
): Readonly<Record<string, string>> {
  return {
    ...base,
    ...service.environment,
    PORT: String(place.port),
    HOST: "127.0.0.1",
    NINES_INSTANCE: place.id,
    NINES_SERVICE: service.name,
    NINES_ORDINAL: String(place.ordinal),
    NINES_DATA_DIR: place.dataFolder,
    ...place.heartbeat,
  };
}
