// Reads a configuration file from disk and has it judged. A file that is a program
// (nines.config.js) is imported; imported anew when it has changed, or `apply` would see the old
// one for ever.

import { readFileSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import type { Config } from "../config/config.ts";
import { type ParsedConfig, parseConfig } from "../config/load.ts";
import { formatProblems } from "../config/problems.ts";
import { NinesError } from "../core/base/errors.ts";
import { formatOf } from "./config-format.ts";

const FILE_BYTES_MAX = 1024 * 1024;
const IMPORT_TIMEOUT_MS = 10_000;

export interface LoadedConfig {
  readonly config: Config;
  /** As `nines check` prints them; "" when there are none. */
  readonly warnings: string;
}

/** Throws NINES_CONFIG_*, whose message names every line that is wrong. */
export async function loadConfigFile(file: string): Promise<LoadedConfig> {
  const parsed = await parseConfigFile(file);
  if (parsed.ok) {
    return { config: parsed.config, warnings: formatProblems(file, parsed.warnings) };
  }
  throw new NinesError(parsed.code, formatProblems(file, parsed.problems).trimEnd());
}

/** What is wrong is a result; only a file that cannot be read at all throws. */
export async function parseConfigFile(file: string): Promise<ParsedConfig> {
  const cores = availableParallelism();
  const format = formatOf(file);
  if (format === "javascript") {
    return parseConfig({ file, cores, format, value: await importValue(file) });
  }
  return parseConfig({ file, cores, format, text: readText(file) });
}

function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX) throw new Error(`it is over ${FILE_BYTES_MAX} bytes`);
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

async function importValue(file: string): Promise<unknown> {
  let changed: number;
  try {
    changed = statSync(file).mtimeMs;
  } catch (cause) {
    throw unreadable(file, cause);
  }
  const late = new Promise<never>((_resolve, reject) => {
    const message = `it did not finish loading in ${IMPORT_TIMEOUT_MS} ms`;
    setTimeout(() => reject(new Error(message)), IMPORT_TIMEOUT_MS).unref();
  });
  try {
    const url = `${pathToFileURL(file).href}?changed=${changed}`;
    const module = (await Promise.race([import(url), late])) as { default?: unknown };
    return module.default;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NinesError("NINES_CONFIG_SYNTAX", `${file} could not be run: ${why}.`, { cause });
  }
}

function unreadable(file: string, cause: unknown): NinesError {
  if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
    return new NinesError("NINES_CONFIG_NOT_FOUND", `There is no file ${file}.`, { cause });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return new NinesError("NINES_CONFIG_UNREADABLE", `${file} cannot be read: ${why}.`, { cause });
}
