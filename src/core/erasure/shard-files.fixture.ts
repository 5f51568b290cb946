// Files in memory that lose what was not flushed, and content of known bytes.

import type { ContentSink, ContentSource, ShardFile } from "./shard-files.ts";

export interface Faults {
  /** Called before every call that changes something; what it throws is the call's failure. */
  change?(): void;
  /** Called before every read of bytes that end before `end`. */
  read?(end: number): void;
}

/** Grows as it is written; `crash` leaves some of what was not flushed, as `keeps` says. */
export class MemoryFile implements ShardFile {
  bytes = new Uint8Array(0);
  #durable = new Uint8Array(0);
  #pending: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  readonly #faults: Faults;
  under = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0), faults: Faults = {}) {
    this.bytes = bytes.slice();
    this.#durable = bytes.slice();
    this.#faults = faults;
  }

  async sizeBytes(): Promise<number> {
    return this.bytes.length;
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    this.#faults.read?.(offset + into.length);
    const found = this.bytes.subarray(offset, offset + into.length);
    into.set(found);
    return found.length;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    this.under++;
    try {
      this.#faults.change?.();
      this.#pending.push({ offset, bytes: bytes.slice() });
      // Half of it is taken late, as by a thread of its own: whoever changes it meanwhile is seen.
      this.bytes = written(this.bytes, bytes.subarray(0, bytes.length / 2), offset);
      await Promise.resolve();
      const half = Math.floor(bytes.length / 2);
      this.bytes = written(this.bytes, bytes.subarray(half), offset + half);
    } finally {
      this.under--;
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#faults.change?.();
    this.bytes = resized(this.bytes, sizeBytes);
  }

  async flush(): Promise<void> {
    this.#faults.change?.();
    this.#durable = this.bytes.slice();
    this.#pending = [];
  }

  /** What is left after the power failed. */
  crash(keeps: () => boolean): MemoryFile {
    let left = this.#durable.slice();
    for (const { offset, bytes } of this.#pending) {
      if (keeps()) left = written(left, bytes, offset);
    }
    return new MemoryFile(left);
  }
}

function resized(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(size);
  result.set(bytes.subarray(0, size));
  return result;
}

/** In place where there is room for it; else with as much again, so that appending stays cheap. */
function written(into: Uint8Array<ArrayBuffer>, bytes: Uint8Array, offset: number) {
  const size = Math.max(into.length, offset + bytes.length);
  const hasRoom = size <= into.buffer.byteLength;
  const room = hasRoom ? into.buffer : resized(into, 2 * size).buffer;
  const result = new Uint8Array(room, 0, size);
  result.set(bytes, offset);
  return result;
}

export function memoryFiles(count: number, faults: Faults = {}): MemoryFile[] {
  return Array.from({ length: count }, () => new MemoryFile(new Uint8Array(0), faults));
}

/** The same bytes for the same seed. */
export function contentOfSize(size: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state >>> 24;
  });
}

export function sourceOf(content: Uint8Array): ContentSource {
  let at = 0;
  return {
    fill: async (views) => {
      const begun = at;
      for (const view of views) {
        const some = content.subarray(at, at + view.length);
        view.set(some);
        at += some.length;
      }
      return at - begun;
    },
  };
}

export class MemorySink implements ContentSink {
  bytes = new Uint8Array(0);

  async write(views: readonly Uint8Array[], offset: number): Promise<void> {
    let at = offset;
    for (const view of views) {
      this.bytes = written(this.bytes, view, at);
      at += view.length;
    }
  }
}
