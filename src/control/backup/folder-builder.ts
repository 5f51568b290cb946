// A folder in the making: its entries in a row are cut into chunks as a file's bytes are.

import type { Chunker } from "../../core/vault/chunker.ts";
import type { Domain } from "../../core/vault/keys.ts";
import { type Content, type TreeEntry, writeEntry } from "../../core/vault/tree.ts";
import type { ChunkWriter } from "./chunk-writer.ts";
import { ContentBuilder } from "./content-builder.ts";

export class FolderBuilder {
  readonly #chunker: Chunker;
  readonly #writer: ChunkWriter;
  readonly #domain: Domain;
  readonly #content: ContentBuilder;
  #bytes: Uint8Array = new Uint8Array(4_096);
  #length = 0;

  constructor(chunker: Chunker, writer: ChunkWriter, domain: Domain) {
    this.#chunker = chunker;
    this.#writer = writer;
    this.#domain = domain;
    this.#content = new ContentBuilder(writer, domain);
  }

  async push(entry: TreeEntry): Promise<void> {
    const bytes = writeEntry(entry);
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
    while (this.#length >= this.#chunker.sizes.maxBytes) await this.#cut();
  }

  async finish(): Promise<Content> {
    while (this.#length > 0) await this.#cut();
    return this.#content.finish();
  }

  async #cut(): Promise<void> {
    const cut = this.#chunker.cut(this.#bytes, 0, this.#length);
    const name = await this.#writer.add(this.#domain, "tree", this.#bytes.subarray(0, cut));
    await this.#content.push({ kind: "chunk", name, length: cut });
    this.#bytes.copyWithin(0, cut, this.#length);
    this.#length -= cut;
  }
}
