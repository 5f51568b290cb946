// The thread of read-config.ts: reads one file, says what came of it, and ends.

import { parentPort, workerData } from "node:worker_threads";
import { present } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import { readHere, type ThreadAnswer } from "./read-config.ts";

async function read(file: string): Promise<ThreadAnswer> {
  try {
    return { ok: true, read: await readHere(file) };
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
    return { ok: false, code: error.code, what: error.message };
  }
}

const port = present(parentPort, "this file runs as a thread");
port.postMessage(await read(workerData as string));
