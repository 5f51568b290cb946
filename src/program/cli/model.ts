// `nines model`: how available each service of the file will be, and what would make it better.
// Nothing needs to run: incidents and load tests are read from the disk, where there are some.

import type { Config } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import { predict } from "../../core/predict/predict.ts";
import { loadConfigFile } from "../config-file.ts";
import { renderModel } from "../predict/account.ts";
import { type Described, describeFile } from "../predict/describe.ts";
import { whatIsKnown } from "../predict/known.ts";
import { modelReport } from "../predict/report.ts";
import type { ModelOptions, PlaceOptions } from "./actions.ts";
import { findConfigFile, stateDirectoryOf } from "./place.ts";
import { complain, exitCode } from "./say.ts";

export async function model(service: string | undefined, options: ModelOptions): Promise<number> {
  const { deployment, rates } = await describePlace(service, options);
  const reports = predict(deployment, rates)
    .filter(({ name }) => name === (service ?? name))
    .map((one) => modelReport(one, deployment, rates));
  const text =
    options.json === true ? `${JSON.stringify(reports, undefined, 2)}\n` : renderModel(reports);
  process.stdout.write(text);
  return exitCode.done;
}

/**
 * The file's deployment and rates; `service`, where one is named, is one of its services. What is
 * supposed of the file changes it before it is described.
 */
export async function describePlace(
  service: string | undefined,
  options: PlaceOptions,
  suppose: (config: Config) => Config = (config) => config,
): Promise<Described & { readonly written: Config; readonly config: Config }> {
  const file = findConfigFile(options.file);
  const { config: written, warnings } = await loadConfigFile(file);
  const config = suppose(written);
  if (warnings !== "") complain(warnings.trimEnd());
  const names = config.services.map(({ name }) => name);
  if (service !== undefined && !names.includes(service)) {
    const what = `${file} has no service ${service}; it has ${names.join(", ")}.`;
    throw new NinesError("NINES_NAME_UNKNOWN", what);
  }
  const known = await whatIsKnown(config, stateDirectoryOf({ ...options, file }), Date.now());
  return { ...describeFile(config, known), written, config };
}
