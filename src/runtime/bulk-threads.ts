// Threads that hash, seal, open and code beside the program, so that a backup uses every processor.
//
// node:crypto works where it is called; libuv's own threads are not for it, for a few slow flushes
// occupy all four of them. Bytes are not moved: callers keep them in memory that threads share, and
// what comes from elsewhere is copied once. How much is under way is bounded by the callers, each
// of which waits for what it has given. Threads keep nobody alive and end with `close`; when one
// dies, what it had under way fails, and the next work finds another.
//
// Small work is done at once: the way to a thread and back takes longer. So is the first of all
// work, for as long as a thread takes to start: most errands are over by then, and those that are
// not lose no more than that. Who knows that much will come calls `start`.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { assert } from "../core/base/assert.ts";
import type { Bulk } from "../core/vault/crypto.ts";
import { sharedBytes } from "../core/vault/memory.ts";
import { bulkDoing, type BulkKind } from "./bulk-work.ts";
import { received, type SentError } from "./sent-error.ts";
import { keepYoungGenerationSmallBeside } from "./young-generation.ts";

const smallBytes = 32_768;
/** What a thread takes to start, in time of a processor. */
const startMs = 30;
const threadsMax = 4;
/** A thread makes little garbage at a time; more room for it would only be more memory. */
const youngMebibytes = 2;

export interface BulkRequest {
  readonly id: number;
  readonly kind: BulkKind;
  readonly given: readonly unknown[];
}

export interface BulkAnswer {
  readonly id: number;
  readonly result: unknown;
  readonly failure: SentError | undefined;
}

export interface BulkThreads {
  readonly bulk: Bulk;
  /** Begins to start the threads. */
  start(): void;
  close(): Promise<void>;
}

type Given<Kind extends BulkKind> = Parameters<Bulk[Kind]>;
type Result<Kind extends BulkKind> = Awaited<ReturnType<Bulk[Kind]>>;

/** For who has no threads, or wants none. */
export const bulkHere: Bulk = {
  mac: async (...given) => bulkDoing.mac(...given),
  deflate: async (...given) => bulkDoing.deflate(...given),
  seal: async (...given) => bulkDoing.seal(...given),
  open: async (...given) => bulkDoing.open(...given),
  openTo: async (...given) => bulkDoing.openTo(...given),
  makeFiles: async (...given) => bulkDoing.makeFiles(...given),
  encode: async (...given) => bulkDoing.encode(...given),
  sum: async (...given) => bulkDoing.sum(...given),
  findForged: async (...given) => bulkDoing.findForged(...given),
};

export function createBulkThreads(
  count: number = Math.min(threadsMax, availableParallelism()),
): BulkThreads {
  if (count === 1) return { bulk: bulkHere, start: () => {}, close: async () => {} };
  const threads = new Threads(count);
  let workedMs = 0;
  const run = async <Kind extends BulkKind>(
    kind: Kind,
    weight: number,
    filled: readonly Uint8Array[],
    given: Given<Kind>,
  ): Promise<Result<Kind>> => {
    // Threads would write to a copy of anything else.
    const isShared = filled.every(({ buffer }) => buffer instanceof SharedArrayBuffer);
    assert(isShared, "what a thread fills is shared");
    if (weight < smallBytes) return bulkDoing[kind](...given);
    if (threads.hasStarted || workedMs >= startMs) return threads.run(kind, given);
    const begunMs = performance.now();
    const result = bulkDoing[kind](...given);
    workedMs += performance.now() - begunMs;
    return result;
  };
  const bulk: Bulk = {
    mac: (key, bytes) => run("mac", bytes.length, [], [key, bytes]),
    deflate: (bytes, into) => run("deflate", bytes.length, [into], [bytes, into]),
    seal: (sealing, plain, into) => run("seal", plain.length, [into], [sealing, plain, into]),
    // What deflated to little is as much to inflate and to write as anything.
    open: (chunk, into) => run("open", chunk.plainBytes, [into], [chunk, into]),
    openTo: (file, chunk) => run("openTo", chunk.plainBytes, [], [file, chunk]),
    // A file is much work, however little is in it.
    makeFiles: (...given) => threads.run("makeFiles", given),
    encode: (geometry, data, parity) =>
      run("encode", lengthOf(data), parity, [geometry, data, parity]),
    sum: (shard) => run("sum", shard.length, [], [shard]),
    findForged: (key, lengths, shards) =>
      run("findForged", lengthOf(shards), [], [key, lengths, shards]),
  };
  return { bulk, start: () => threads.start(), close: () => threads.close() };
}

function lengthOf(all: readonly Uint8Array[]): number {
  return all.reduce((sum, { length }) => sum + length, 0);
}

class Threads {
  readonly #count: number;
  /** Those that live. */
  readonly #threads = new Set<Thread>();
  hasStarted = false;
  #isClosed = false;

  constructor(count: number) {
    this.#count = count;
  }

  async run<Kind extends BulkKind>(kind: Kind, given: Given<Kind>): Promise<Result<Kind>> {
    if (this.#isClosed) throw new Error("the threads of the vault are closed");
    return (await this.#freest().run(kind, given.map(inSharedMemory))) as Result<Kind>;
  }

  start(): void {
    while (this.#threads.size < this.#count) this.#begin();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#threads].map((thread) => thread.close()));
  }

  /** One that has nothing to do, a new one while there may be more, else the one with the least. */
  #freest(): Thread {
    let freest: Thread | undefined;
    for (const thread of this.#threads) {
      if (freest === undefined || thread.waiting < freest.waiting) freest = thread;
    }
    const isEnough = freest?.waiting === 0 || this.#threads.size === this.#count;
    if (freest !== undefined && isEnough) return freest;
    return this.#begin();
  }

  #begin(): Thread {
    this.hasStarted = true;
    const thread: Thread = new Thread(() => this.#threads.delete(thread));
    this.#threads.add(thread);
    return thread;
  }
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: () => void;
  #lastId = 0;

  /** `ended` is called when it can take no more work. */
  constructor(ended: () => void) {
    this.#ended = ended;
    this.#worker = new Worker(new URL("./bulk-work-thread.bundle.js", import.meta.url), {
      name: "nines-vault",
      resourceLimits: { maxYoungGenerationSizeMb: youngMebibytes },
    });
    this.#worker.on("message", (answer: BulkAnswer) => this.#settle(answer));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("a thread of the vault has ended")));
    this.#worker.unref();
    keepYoungGenerationSmallBeside(this.#worker);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  run(kind: BulkKind, given: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      const request: BulkRequest = { id, kind, given };
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
    else waiting?.reject(received(failure));
  }

  #fail(cause: Error): void {
    this.#ended();
    for (const { reject } of this.#waiting.values()) reject(cause);
    this.#waiting.clear();
  }
}

/** Keys and other short things go along with the message. */
const shortBytes = 1_024;

function inSharedMemory(given: unknown): unknown {
  if (Array.isArray(given)) return given.map(inSharedMemory);
  if (given instanceof Uint8Array) return shareable(given);
  if (typeof given !== "object" || given === null) return given;
  const parts = Object.entries(given).map(([name, part]) => [name, inSharedMemory(part)]);
  return Object.fromEntries(parts);
}

function shareable(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= shortBytes || bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const copy = sharedBytes(bytes.length);
  copy.set(bytes);
  return copy;
}
