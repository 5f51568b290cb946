// The configuration in force, kept as it was when it was found right: a control that is started
// again after the file has become wrong goes on with it, rather than not at all.

import type { Config } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Records } from "../../ports/records.ts";

const KEY = "program/config";
/** A record has 1 MiB at most; a configuration beyond is not kept, and its file must stay right. */
const BYTES_MAX = 1024 * 1024;

export function keepConfig(records: Records, config: Config): void {
  if (Buffer.byteLength(JSON.stringify(config)) <= BYTES_MAX) records.write(KEY, config);
  else records.remove(KEY);
}

/** Undefined as well when it is damaged: there is the file itself, and it may well be right. */
export function keptConfig(records: Records): Config | undefined {
  try {
    const value = records.read(KEY);
    return typeof value === "object" && value !== null ? (value as Config) : undefined;
  } catch (error) {
    if (error instanceof NinesError) return undefined;
    throw error;
  }
}

/** A disk that refuses costs nothing here: the next `up` names its file anyway. */
export function forgetConfig(records: Records): void {
  try {
    records.remove(KEY);
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
  }
}
