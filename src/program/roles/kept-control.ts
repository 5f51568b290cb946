// Control in the background, for `nines up --detach`: what a keeper starts and starts again.
//
// It differs from `nines up` in the foreground in three ways. A file that has become wrong does not
// keep it from adopting what runs: the last one that was right stays in force, and it says so. It
// looks after its keeper as its keeper after it. And to be restarted it simply ends.

import { parseArgs } from "node:util";
import { NinesError } from "../../core/base/errors.ts";
import { findStateDirectory, type StateDirectory } from "../../state/directory.ts";
import { createRecords } from "../../state/records.ts";
import { formatError, say } from "../cli/say.ts";
import { type LoadedConfig, loadConfigFile } from "../config-file.ts";
import { runControl } from "./control.ts";
import { keptConfig } from "./last-config.ts";
import { officesOf } from "./offices.ts";
import { withoutJustAsked } from "./spawn.ts";

export async function runKeptControl(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      "state-dir": { type: "string" },
      file: { type: "string" },
      "next-free-port": { type: "boolean" },
      "just-asked": { type: "boolean" },
    },
  });
  const state = findStateDirectory(values["state-dir"] ?? "");
  const term = officesOf(state).control.claim();
  // Somebody else is control already; the keeper sees that, too.
  if (term === undefined) return 0;
  const given = values.file ?? "";
  const loaded =
    values["just-asked"] === true ? await loadConfigFile(given) : await loadOrGoOn(state, given);
  const nextFreePort = values["next-free-port"] === true;
  const keeperWords = withoutJustAsked(words);
  await runControl({ state, term, loaded, nextFreePort, keeperWords, say });
  return 0;
}

/** The file that was applied last, or the one that we were started with. */
async function loadOrGoOn(state: StateDirectory, file: string): Promise<LoadedConfig> {
  const kept = keptConfig(createRecords(state.records));
  try {
    return await loadConfigFile(kept?.file ?? file);
  } catch (error) {
    if (!(error instanceof NinesError) || kept === undefined) throw error;
    const lead = "The configuration in force stays, for the file has become wrong:";
    return { config: kept, warnings: `${lead}\n${formatError(error)}\n` };
  }
}
