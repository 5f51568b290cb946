// A thread of bulk-threads.ts: one piece of work after the other.

import { parentPort } from "node:worker_threads";
import { present } from "../core/base/assert.ts";
import { bulkDoing } from "./bulk-work.ts";
import type { BulkAnswer, BulkRequest } from "./bulk-threads.ts";
import { toSend } from "./sent-error.ts";

const port = present(parentPort, "this file runs as a thread");

function answer({ id, kind, given }: BulkRequest): BulkAnswer {
  try {
    const work = bulkDoing[kind] as (...given: readonly unknown[]) => unknown;
    return { id, result: work(...given), failure: undefined };
  } catch (error) {
    return { id, result: undefined, failure: toSend(error) };
  }
}

port.on("message", (request: BulkRequest) => port.postMessage(answer(request)));
