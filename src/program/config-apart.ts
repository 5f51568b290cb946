// A configuration file read on a thread, beside whatever the program does meanwhile.
//
// What reads it, the schema and YAML's parser, is half of a command's start and a fifth of its
// memory, and is needed once: here it runs on another processor, and its memory goes with its
// thread. For commands that work long on what the file says; control reads its file again and
// again. The thread's modules are one file (scripts/build.mjs), since finding many
// takes long.

import { Worker } from "node:worker_threads";
import { received, type SentError } from "../runtime/sent-error.ts";
import { keepYoungGenerationSmallBeside } from "../runtime/young-generation.ts";
import type { LoadedConfig } from "./config-file.ts";
import { formatOf } from "./config-format.ts";

/** What the thread sends, once. */
export type ReadConfig =
  | { readonly ok: true; readonly loaded: LoadedConfig }
  | { readonly ok: false; readonly error: SentError };

let started: Worker | undefined;

/** Begins to load what `loadConfigApart` will need. */
export function startReader(): void {
  started ??= newThread();
}

/** As `loadConfigFile`. Throws NINES_CONFIG_*. */
export async function loadConfigApart(file: string): Promise<LoadedConfig> {
  const thread = started ?? newThread();
  started = undefined;
  // A file that is a program may be written for the main thread.
  if (formatOf(file) === "javascript") {
    await thread.terminate();
    return (await import("./config-file.ts")).loadConfigFile(file);
  }
  const read = await new Promise<ReadConfig>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error(`the thread that read ${file} has ended`)));
    thread.ref();
    thread.postMessage(file);
  });
  // Its exit, which comes by itself, is nobody's concern.
  if (read.ok) return read.loaded;
  throw received(read.error);
}

/** It keeps nobody alive until it is asked. */
function newThread(): Worker {
  const thread = new Worker(new URL("./config-thread.bundle.js", import.meta.url));
  thread.unref();
  keepYoungGenerationSmallBeside(thread);
  return thread;
}
