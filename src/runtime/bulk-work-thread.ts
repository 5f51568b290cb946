// A thread of bulk-threads.ts: one piece of work after the other.

import { parentPort } from "node:worker_threads";
import { present } from "../core/base/assert.ts";
import { doBulkWork } from "./bulk-work.ts";
import type { BulkAnswer, BulkRequest } from "./bulk-threads.ts";

const port = present(parentPort, "this file runs as a thread");

function answer({ id, work }: BulkRequest): BulkAnswer {
  try {
    return { id, result: doBulkWork(work), failure: undefined };
  } catch (error) {
    return { id, result: undefined, failure: error instanceof Error ? error.message : "unknown" };
  }
}

port.on("message", (request: BulkRequest) => port.postMessage(answer(request)));
