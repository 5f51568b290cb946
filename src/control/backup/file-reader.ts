// A file's bytes, cut into chunks as they come.
//
// One buffer of twice the largest chunk: cuts are found while at least a whole largest chunk is
// there, so that they do not depend on how the source hands out its bytes.

import type { Chunker } from "../../core/vault/chunker.ts";
import type { Domain } from "../../core/vault/keys.ts";
import type { Content } from "../../core/vault/tree.ts";
import type { SourceReader } from "../../ports/tree-source.ts";
import type { ChunkWriter } from "./chunk-writer.ts";
import { ContentBuilder } from "./content-builder.ts";

export class FileReader {
  readonly #chunker: Chunker;
  readonly #writer: ChunkWriter;
  readonly #buffer: Uint8Array;
  #start = 0;
  #end = 0;

  constructor(chunker: Chunker, writer: ChunkWriter) {
    this.#chunker = chunker;
    this.#writer = writer;
    this.#buffer = new Uint8Array(2 * chunker.sizes.maxBytes);
  }

  /** `between` is called between chunks. */
  async read(source: SourceReader, domain: Domain, between: () => Promise<void>): Promise<Content> {
    const content = new ContentBuilder(this.#writer, domain);
    this.#start = 0;
    this.#end = 0;
    for (;;) {
      this.#makeRoom();
      const piece = await source.next(this.#buffer.subarray(this.#end));
      if (piece.kind === "bytes") {
        this.#end += piece.length;
        await this.#cut(content, domain, false);
        await between();
        continue;
      }
      await this.#cut(content, domain, true);
      if (piece.kind === "end") return content.finish();
      await content.push({ kind: "hole", length: piece.length });
    }
  }

  #makeRoom(): void {
    if (this.#start === 0) return;
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }

  async #cut(content: ContentBuilder, domain: Domain, isLast: boolean): Promise<void> {
    const { maxBytes } = this.#chunker.sizes;
    while (this.#end - this.#start >= (isLast ? 1 : maxBytes)) {
      const cut = this.#chunker.cut(this.#buffer, this.#start, this.#end);
      const chunk = this.#buffer.subarray(this.#start, cut);
      const name = await this.#writer.add(domain, "data", chunk);
      await content.push({ kind: "chunk", name, length: chunk.length });
      this.#start = cut;
    }
  }
}
