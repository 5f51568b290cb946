// The configuration in force, kept as it was when it was found right: a control that is started
// again after the file has become wrong goes on with it, rather than not at all.

import type { Config } from "../../config/config.ts";
import type { Records } from "../../ports/records.ts";

const KEY = "program/config";
/** A record has 1 MiB at most; a configuration beyond is not kept, and its file must stay right. */
const BYTES_MAX = 1024 * 1024;

export function keepConfig(records: Records, config: Config): void {
  if (Buffer.byteLength(JSON.stringify(config)) <= BYTES_MAX) records.write(KEY, config);
  else records.remove(KEY);
}

export function keptConfig(records: Records): Config | undefined {
  const value = records.read(KEY);
  return typeof value === "object" && value !== null ? (value as Config) : undefined;
}

export function forgetConfig(records: Records): void {
  records.remove(KEY);
}
