// The thread of config-apart.ts: reads the file that it is sent, says what came of it, and ends.

import { parentPort } from "node:worker_threads";
import { present } from "../core/base/assert.ts";
import { toSend } from "../runtime/sent-error.ts";
import type { ReadConfig } from "./config-apart.ts";
import { loadConfigFile } from "./config-file.ts";

async function read(file: string): Promise<ReadConfig> {
  try {
    return { ok: true, loaded: await loadConfigFile(file) };
  } catch (error) {
    return { ok: false, error: toSend(error) };
  }
}

const port = present(parentPort, "this file runs as a thread");
port.once("message", (file: string) => void read(file).then((answer) => port.postMessage(answer)));
