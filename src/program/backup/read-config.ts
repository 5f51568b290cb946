// What a file says of its vault, read as seldom and as far away as can be.
//
// The schema and YAML's parser are two thirds of what a command does before its work begins. What
// they make of a file is therefore kept in the state directory, under the hash of the file and of
// the code that has read it: the same bytes mean the same. Where nothing fits they work on a
// thread, beside the vault's own modules being loaded, and their memory goes with it.
//
// What is kept is a shortcut and never needed: who may not write it, or finds it torn or somebody
// else's, reads the file. Of the configuration it has the vault's part only, since others may hold
// secrets of services.

import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { BackupConfig } from "../../config/config.ts";
import { type ErrorCode, NinesError } from "../../core/base/errors.ts";
import { replaceFile } from "../../state/files.ts";
import { readVersion } from "../version.ts";

export interface ReadConfig {
  /** Absent: the file says nothing of a vault. */
  readonly backup?: BackupConfig;
  /** As `nines check` prints them; "" when there are none. */
  readonly warnings: string;
}

/** What the thread sends, once. */
export type ThreadAnswer =
  | { readonly ok: true; readonly read: ReadConfig }
  | { readonly ok: false; readonly code: ErrorCode; readonly what: string };

interface Kept {
  readonly hash: string;
  readonly read: ReadConfig;
}

const keptFile = "read-config.json";
const fileBytesMax = 1_048_576;
/** Of a file that is a program the bytes say nothing, and it may be written for the main thread. */
const textExtensions: readonly string[] = [".yaml", ".yml", ".json"];
const readersFolder = join(import.meta.dirname, "..", "..", "config");

let begun: ConfigReading | undefined;

/** Begins to read what `readConfig` will be asked for. */
export function beginToRead(file: string, stateDirectory: string): void {
  begun = new ConfigReading(file, stateDirectory);
}

export function readConfig(file: string, stateDirectory: string): ConfigReading {
  return begun?.file === file ? begun : new ConfigReading(file, stateDirectory);
}

class ConfigReading {
  readonly file: string;
  readonly #stateDirectory: string;
  readonly #hash: string | undefined;
  readonly #reading: Promise<ReadConfig>;

  constructor(file: string, stateDirectory: string) {
    this.file = file;
    this.#stateDirectory = stateDirectory;
    this.#hash = hashOf(file);
    const kept = this.#kept();
    this.#reading = kept === undefined ? readAnew(file) : Promise.resolve(kept);
    // It is thrown where it is asked for.
    this.#reading.catch(() => {});
  }

  /** As `loadConfigFile`. Throws NINES_CONFIG_*. */
  done(): Promise<ReadConfig> {
    return this.#reading;
  }

  /** Makes the next reading short. The state directory is there, and this process's own. */
  async keep(): Promise<void> {
    // What was read is what was hashed, unless the file has changed meanwhile.
    if (this.#hash === undefined || this.#hash !== hashOf(this.file)) return;
    if (this.#kept() !== undefined) return;
    const kept: Kept = { hash: this.#hash, read: await this.#reading };
    try {
      replaceFile(join(this.#stateDirectory, keptFile), JSON.stringify(kept));
    } catch {
      // A full disk costs time at the next reading, and nothing now.
    }
  }

  #kept(): ReadConfig | undefined {
    try {
      const path = join(this.#stateDirectory, keptFile);
      const { uid, mode, size } = lstatSync(path);
      const isOurs = uid === process.geteuid?.() && (mode & 0o177_077) === 0o100_000;
      if (!isOurs || size > fileBytesMax) return undefined;
      const { hash, read } = JSON.parse(readFileSync(path, "utf8")) as Partial<Kept>;
      return hash === this.#hash ? read : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Of all that the result depends on; undefined when it depends on more, or cannot be read. */
function hashOf(file: string): string | undefined {
  if (!textExtensions.includes(extname(file).toLowerCase())) return undefined;
  try {
    const stat = statSync(file);
    // What comes out of a pipe is read once.
    if (!stat.isFile() || stat.size > fileBytesMax) return undefined;
    const hash = createHash("sha256").update(readVersion());
    for (const name of readdirSync(readersFolder).sort()) {
      if (name.endsWith(".js")) hash.update(readFileSync(join(readersFolder, name)));
    }
    return hash.update(`${file}\n`).update(readFileSync(file)).digest("hex");
  } catch {
    return undefined;
  }
}

async function readAnew(file: string): Promise<ReadConfig> {
  const isText = textExtensions.includes(extname(file).toLowerCase());
  if (!isText) return readHere(file);
  const url = new URL("./read-config-thread.js", import.meta.url);
  const thread = new Worker(url, { workerData: file });
  const answer = await new Promise<ThreadAnswer>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error(`the thread that read ${file} has ended`)));
  });
  if (answer.ok) return answer.read;
  throw new NinesError(answer.code, answer.what);
}

/** Throws NINES_CONFIG_*. */
export async function readHere(file: string): Promise<ReadConfig> {
  const { loadConfigFile } = await import("../config-file.ts");
  const { config, warnings } = await loadConfigFile(file);
  const { backup } = config;
  return backup === undefined ? { warnings } : { backup, warnings };
}
