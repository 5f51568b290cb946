// A configuration file read on a thread, beside whatever the program does meanwhile.
//
// What reads it, the schema and YAML's parser, is half of a command's start and a fifth of its
// memory, and is needed once: here it runs on another processor, and its memory goes with its
// thread. For commands that work long on what the file says; control reads its file again and
// again.

import { Worker } from "node:worker_threads";
import { received, type SentError } from "../runtime/sent-error.ts";
import type { LoadedConfig } from "./config-file.ts";
import { formatOf } from "./config-format.ts";

/** What the thread sends, once. */
export type ReadConfig =
  | { readonly ok: true; readonly loaded: LoadedConfig }
  | { readonly ok: false; readonly error: SentError };

let ahead: { readonly file: string; readonly loading: Promise<LoadedConfig> } | undefined;

/** Begins to read what `loadConfigApart` will be asked for. */
export function readAhead(file: string): void {
  const loading = readOnThread(file);
  // It is thrown where it is asked for.
  loading.catch(() => {});
  ahead = { file, loading };
}

/** As `loadConfigFile`. Throws NINES_CONFIG_*. */
export async function loadConfigApart(file: string): Promise<LoadedConfig> {
  const begun = ahead;
  ahead = undefined;
  return begun?.file === file ? begun.loading : readOnThread(file);
}

async function readOnThread(file: string): Promise<LoadedConfig> {
  // A file that is a program may be written for the main thread.
  if (formatOf(file) === "javascript")
    return (await import("./config-file.ts")).loadConfigFile(file);
  const thread = new Worker(new URL("./config-thread.js", import.meta.url), { workerData: file });
  const read = await new Promise<ReadConfig>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error(`the thread that read ${file} has ended`)));
  });
  // Its exit, which comes by itself, is nobody's concern.
  if (read.ok) return read.loaded;
  throw received(read.error);
}
