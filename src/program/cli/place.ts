// Which Nines is meant: the configuration file, and the state directory beside it.

import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { NinesError } from "../../core/base/errors.ts";
import type { PlaceOptions } from "./actions.ts";

const configFileNames = ["nines.yaml", "nines.yml", "nines.json", "nines.config.js"];

/** The named file, or the first of the usual names here. Throws NINES_CONFIG_NOT_FOUND. */
export function findConfigFile(named: string | undefined): string {
  if (named !== undefined) {
    const file = resolve(named);
    if (existsSync(file)) return file;
    throw new NinesError("NINES_CONFIG_NOT_FOUND", `There is no file ${file}.`);
  }
  const found = configFileNames.map((name) => resolve(name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  const names = configFileNames.join(", ");
  throw new NinesError("NINES_CONFIG_NOT_FOUND", `There is none of ${names} in ${resolve(".")}.`);
}

/** Where the state lies; the file itself may be gone. */
export function stateDirectoryOf({ file, stateDir }: PlaceOptions): string {
  if (stateDir !== undefined) return resolve(stateDir);
  const beside = file === undefined ? resolve(".") : dirname(resolve(file));
  return join(existsSync(beside) ? realpathSync(beside) : beside, ".nines");
}
