// The vault looked at now, with what control remembers of its duties: as whoever runs a command
// sees it, whether control runs or not.

import { dutiesRecord, type DutiesState, readKept, stateOf } from "../../control/backup/duties.ts";
import { lookAtSources, redundancyOf } from "../../control/backup/look.ts";
import type { Vault } from "../../control/backup/operations.ts";
import { NinesError } from "../../core/base/errors.ts";
import { identify } from "../../runtime/process-identity.ts";
import { createRecords } from "../../state/records.ts";
import type { VaultPlace } from "./place.ts";

/** The vault is opened with its index. */
export async function lookFromHere(
  { config, state, world }: VaultPlace,
  vault: Vault,
): Promise<DutiesState> {
  const { running, ...kept } = readKept(readRecord(state.records));
  const lives =
    running !== undefined && identify(running.process.pid)?.startTime === running.process.startTime;
  const names = config.sources.map(({ name }) => name);
  const freshness = await lookAtSources(vault, names);
  const now = { ...kept, freshness, redundancy: redundancyOf(vault) };
  return stateOf(config, lives ? { ...now, running } : now, world.clock.wallMs());
}

/** A record that is damaged costs the memory, not the look. */
function readRecord(folder: string): unknown {
  try {
    return createRecords(folder).read(dutiesRecord);
  } catch (error) {
    if (error instanceof NinesError) return undefined;
    throw error;
  }
}
