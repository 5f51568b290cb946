// Durable writes: at once where the device is fast, by a thread of their own where it is slow.
//
// A write that waits 0.1 ms for the device costs less than the way to another thread and back, and
// blocks nobody for long; one that waits 10 ms must not hold the event loop. Which device this is
// shows in the writes themselves: half of the last 16 took longer than the limit, and writes go to
// the thread; most of the last 16 took less than two thirds of it, and they come back. What a write
// takes to move its bytes is not the device's latency and does not count (1 GB/s is assumed).
//
// A thread of our own, for libuv's four are shared with whatever else the program does: a few slow
// name look-ups there would stop the journal. It is started when a slow device shows, sleeps
// between writes, and does not keep the process alive unless a write is under way.

import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { toDiskError } from "./disk-error.ts";

const transferBytesPerMs = 1_000_000;
/** Of the last 16 writes, at least so many must say the same. */
const slowForThread = 8;
const fastForReturn = 12;
const returnRatio = 2 / 3;

export interface DurableWriter {
  /** As DiskFile.write, on a descriptor opened with O_DSYNC. */
  write(
    path: string,
    descriptor: number,
    bytes: Uint8Array,
    offset: number,
  ): Promise<void> | undefined;
}

export function createDurableWriter(slowAboveMs: number): DurableWriter {
  const pace = createPace(slowAboveMs);
  let thread: WriterThread | undefined;

  return {
    write(path, descriptor, bytes, offset) {
      if (pace.slow) {
        thread ??= new WriterThread(pace.note);
        return thread.write(path, descriptor, bytes, offset);
      }
      const startMs = performance.now();
      try {
        writeWhole(descriptor, bytes, offset);
      } catch (cause) {
        throw toDiskError("write", path, cause);
      }
      pace.note(performance.now() - startMs, bytes.length);
      return undefined;
    },
  };
}

/** Writes all of it, however little the kernel takes at a time. */
export function writeWhole(descriptor: number, bytes: Uint8Array, offset: number): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  }
}

export interface Pace {
  readonly slow: boolean;
  readonly note: (elapsedMs: number, bytes: number) => void;
}

/** Judges a device by its last 16 writes, a bit each. */
export function createPace(slowAboveMs: number): Pace {
  const returnBelowMs = slowAboveMs * returnRatio;
  let slow = slowAboveMs <= 0;
  let votes = 0;

  function note(elapsedMs: number, bytes: number): void {
    const latencyMs = Math.max(0, elapsedMs - bytes / transferBytesPerMs);
    const vote = slow ? latencyMs < returnBelowMs : latencyMs > slowAboveMs;
    votes = ((votes << 1) | (vote ? 1 : 0)) & 0xffff;
    if (countOnes(votes) < (slow ? fastForReturn : slowForThread)) return;
    slow = !slow;
    votes = 0;
  }

  return {
    get slow() {
      return slow;
    },
    note,
  };
}

function countOnes(bits: number): number {
  let ones = 0;
  for (let left = bits; left !== 0; left &= left - 1) ones++;
  return ones;
}

export interface ThreadRequest {
  readonly id: number;
  readonly descriptor: number;
  readonly bytes: Uint8Array;
  readonly offset: number;
}

export interface ThreadAnswer {
  readonly id: number;
  readonly elapsedMs: number;
  readonly failure: { readonly code: string; readonly message: string } | undefined;
}

interface Waiting {
  readonly path: string;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class WriterThread {
  readonly #note: Pace["note"];
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  constructor(note: Pace["note"]) {
    this.#note = note;
  }

  write(path: string, descriptor: number, bytes: Uint8Array, offset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = (this.#worker ??= this.#start());
      const id = ++this.#lastId;
      this.#waiting.set(id, { path, bytes: bytes.length, resolve, reject });
      worker.ref();
      // Memory that is not shared is copied by the message, and all of it, not only this part.
      const sent = bytes.buffer instanceof SharedArrayBuffer ? bytes : bytes.slice();
      worker.postMessage({ id, descriptor, bytes: sent, offset } satisfies ThreadRequest);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./disk-writer-thread.js", import.meta.url), {
      name: "nines-disk",
    });
    worker.on("message", (answer: ThreadAnswer) => this.#settle(answer));
    worker.on("error", (error) => this.#fail(error));
    worker.on("exit", () => this.#fail(new Error("the thread that writes has ended")));
    return worker;
  }

  #settle({ id, elapsedMs, failure }: ThreadAnswer): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if (failure === undefined) {
      this.#note(elapsedMs, waiting.bytes);
      waiting.resolve();
    } else {
      const cause = Object.assign(new Error(failure.message), { code: failure.code });
      waiting.reject(toDiskError("write", waiting.path, cause));
    }
  }

  #fail(cause: Error): void {
    this.#worker = undefined;
    for (const waiting of this.#waiting.values()) {
      waiting.reject(toDiskError("write", waiting.path, cause));
    }
    this.#waiting.clear();
  }
}
