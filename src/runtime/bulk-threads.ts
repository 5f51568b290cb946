// Threads that hash, seal and open beside the program, so that a backup uses every processor.
//
// node:crypto works where it is called; libuv's own threads are not for it, for a few slow flushes
// occupy all four of them. Bytes are not moved: callers keep them in memory that threads share, and
// what comes from elsewhere is copied once. How much is under way is bounded by the callers, each
// of which waits for what it has given. Threads start with the first work, keep nobody alive, and
// end with `close`. Small work is done at once: the way to a thread and back takes longer.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { sharedBytes } from "../core/vault/memory.ts";
import { type BulkResult, type BulkWork, doBulkWork } from "./bulk-work.ts";

const smallBytes = 32_768;
const threadsMax = 4;
/** A thread makes little garbage at a time; more room for it would only be more memory. */
const youngMebibytes = 2;

export interface BulkRequest {
  readonly id: number;
  readonly work: BulkWork;
}

export interface BulkAnswer {
  readonly id: number;
  readonly result: BulkResult;
  readonly failure: string | undefined;
}

export interface BulkWorkers {
  run(work: BulkWork): Promise<BulkResult>;
  close(): Promise<void>;
}

/** For who has no threads, or wants none. */
export const withoutThreads: BulkWorkers = {
  run: async (work) => doBulkWork(work),
  close: async () => {},
};

export function createBulkThreads(
  count: number = Math.min(threadsMax, availableParallelism()),
): BulkWorkers {
  if (count === 1) return withoutThreads;
  const threads: BulkThread[] = [];
  return {
    run: async (work) => {
      if (work.bytes.length < smallBytes) return doBulkWork(work);
      const idle = threads.find(({ waiting }) => waiting === 0);
      if (idle !== undefined) return idle.run(work);
      if (threads.length < count) threads.push(new BulkThread());
      const least = threads.reduce((a, b) => (b.waiting < a.waiting ? b : a));
      return least.run(work);
    },
    close: async () => {
      await Promise.all(threads.splice(0).map((thread) => thread.close()));
    },
  };
}

interface Waiting {
  readonly resolve: (result: BulkResult) => void;
  readonly reject: (error: Error) => void;
}

class BulkThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #ended: Error | undefined;

  constructor() {
    this.#worker = new Worker(new URL("./bulk-work-thread.js", import.meta.url), {
      name: "nines-vault",
      resourceLimits: { maxYoungGenerationSizeMb: youngMebibytes },
    });
    this.#worker.on("message", (answer: BulkAnswer) => this.#settle(answer));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("a thread of the vault has ended")));
    this.#worker.unref();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  run(work: BulkWork): Promise<BulkResult> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      const request: BulkRequest = { id, work: { ...work, bytes: inSharedMemory(work.bytes) } };
      this.#worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle({ id, result, failure }: BulkAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (failure === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(failure));
  }

  #fail(cause: Error): void {
    this.#ended ??= cause;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}

function inSharedMemory(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const copy = sharedBytes(bytes.length);
  copy.set(bytes);
  return copy;
}
