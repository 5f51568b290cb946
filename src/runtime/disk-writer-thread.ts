// The thread of disk-writer.ts: one write after the other, each timed, failures told as words.

import { parentPort } from "node:worker_threads";
import { present } from "../core/base/assert.ts";
import { type ThreadAnswer, type ThreadRequest, writeWhole } from "./disk-writer.ts";

const port = present(parentPort, "this file runs as a thread");

function answer({ id, descriptor, bytes, offset }: ThreadRequest): ThreadAnswer {
  const startMs = performance.now();
  try {
    writeWhole(descriptor, bytes, offset);
    return { id, elapsedMs: performance.now() - startMs, failure: undefined };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const message = error instanceof Error ? error.message : String(error);
    return { id, elapsedMs: performance.now() - startMs, failure: { code, message } };
  }
}

port.on("message", (request: ThreadRequest) => port.postMessage(answer(request)));
