// How many years `nines simulate` lives through in a minute of one core: those of examples/shop, at
// default rates, from its start on, before anything is optimised: of few years that is a tenth.
//
// The CPU time of the whole process counts, not the wall's: others may be busy beside it.

import { join } from "node:path";
import { cpuUsage } from "node:process";
import { loadConfigFile } from "../../src/program/config-file.ts";
import { describeFile, nothingKnown } from "../../src/program/predict/describe.ts";
import { simulateFile } from "../../src/program/predict/simulated.ts";
import { type Figure, figure } from "../shared/figures.ts";

/** A minute's, and the fewest that are judged by it. */
const BAR_YEARS = 1_000;

const root = join(import.meta.dirname, "..", "..", "..");

export async function speed(years: number): Promise<Figure> {
  const { config } = await loadConfigFile(join(root, "examples", "shop", "nines.yaml"));
  const described = describeFile(config, nothingKnown);
  const before = cpuUsage();
  const { faults } = await simulateFile({ ...described, config, years, seed: 1 });
  const { user, system } = cpuUsage(before);
  const seconds = (user + system) / 1e6;
  const note = `${years} years with ${faults} faults in ${seconds.toFixed(1)} s`;
  const value = Math.round((60 * years) / seconds);
  const name = "simulated in a minute";
  // The first twenty cost more than twice what later ones do: of fewer it is only told.
  const rule = years < BAR_YEARS ? {} : { bar: BAR_YEARS };
  return figure({ name, value, unit: "years", better: "higher", ...rule, note });
}
