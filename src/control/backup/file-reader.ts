// A file's bytes, cut into chunks as they come.
//
// Two slabs of memory take turns: while the chunks of one are named and sealed on other
// processors, the other is read into and cut. Cuts are found while at least a whole largest chunk
// is there, or where the content says so before, so that they do not depend on how the source hands
// out its bytes; what is left of a full slab moves to the next.

import type { Chunker } from "../../core/vault/chunker.ts";
import type { Domain } from "../../core/vault/keys.ts";
import { sharedBytes } from "../../core/vault/memory.ts";
import type { Content } from "../../core/vault/tree.ts";
import type { SourceReader } from "../../ports/tree-source.ts";
import type { ChunkWriter } from "./chunk-writer.ts";
import { ContentBuilder } from "./content-builder.ts";

/** What lies at the same place within a word is copied many times as fast. */
const wordBytes = 8;
/** Of the largest; an average chunk is a quarter of one. */
const slabChunks = 1.5;

/** A chunk that is being added. */
interface Adding {
  readonly name: Promise<Uint8Array>;
  readonly length: number;
}

class Slab {
  readonly bytes: Uint8Array;
  /** Chunks that lie in it and are still needed, in order. */
  adding: Adding[] = [];

  constructor(length: number) {
    this.bytes = sharedBytes(length);
  }
}

export class FileReader {
  readonly #chunker: Chunker;
  readonly #writer: ChunkWriter;
  #slab: Slab;
  #other: Slab;
  #start = 0;
  #end = 0;

  constructor(chunker: Chunker, writer: ChunkWriter) {
    this.#chunker = chunker;
    this.#writer = writer;
    const slabBytes = Math.ceil(slabChunks * chunker.sizes.maxBytes);
    this.#slab = new Slab(slabBytes);
    this.#other = new Slab(slabBytes);
  }

  /** `between` is called between chunks. */
  async read(source: SourceReader, domain: Domain, between: () => Promise<void>): Promise<Content> {
    const content = new ContentBuilder(this.#writer, domain);
    this.#start = 0;
    this.#end = 0;
    for (;;) {
      if (this.#end === this.#slab.bytes.length) await this.#turn(content);
      const piece = await source.next(this.#slab.bytes.subarray(this.#end));
      if (piece.kind === "bytes") {
        this.#end += piece.length;
        this.#cut(domain, false);
        await between();
        continue;
      }
      this.#cut(domain, true);
      await collect(this.#other, content);
      await collect(this.#slab, content);
      this.#start = 0;
      this.#end = 0;
      if (piece.kind === "end") return content.finish();
      await content.push({ kind: "hole", length: piece.length });
    }
  }

  /** What is not cut yet moves to the beginning of the other slab, once that is free. */
  async #turn(content: ContentBuilder): Promise<void> {
    await collect(this.#other, content);
    const rest = this.#slab.bytes.subarray(this.#start, this.#end);
    const start = this.#start % wordBytes;
    this.#other.bytes.set(rest, start);
    [this.#slab, this.#other] = [this.#other, this.#slab];
    this.#start = start;
    this.#end = start + rest.length;
  }

  #cut(domain: Domain, isLast: boolean): void {
    const { bytes, adding } = this.#slab;
    const { maxBytes } = this.#chunker.sizes;
    const isFull = this.#end === bytes.length;
    while (this.#start < this.#end) {
      const isEnough = isLast || this.#end - this.#start >= maxBytes;
      if (!isEnough && !isFull) return;
      const cut = this.#chunker.cut(bytes, this.#start, this.#end);
      // More bytes may follow, and then the chunk goes on.
      if (!isEnough && cut === this.#end) return;
      const name = this.#writer.add(domain, "data", bytes.subarray(this.#start, cut));
      // It is thrown where the name is needed.
      name.catch(() => {});
      adding.push({ name, length: cut - this.#start });
      this.#start = cut;
    }
  }
}

/** Puts a slab's chunks into the content; then the slab is free. */
async function collect(slab: Slab, content: ContentBuilder): Promise<void> {
  for (const { name, length } of slab.adding.splice(0)) {
    await content.push({ kind: "chunk", name: await name, length });
  }
}
