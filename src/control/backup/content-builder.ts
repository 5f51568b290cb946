// A content in the making: segments as they come, long lists put away in chunks on the way, so that
// memory does not grow with the file.

import { assert } from "../../core/base/assert.ts";
import type { Domain } from "../../core/vault/keys.ts";
import {
  type Content,
  depthMax,
  listSegmentsMax,
  type Segment,
  segmentsMax,
  writeSegments,
} from "../../core/vault/tree.ts";
import { ByteWriter } from "../../core/vault/wire.ts";
import type { ChunkWriter } from "./chunk-writer.ts";

export class ContentBuilder {
  readonly #writer: ChunkWriter;
  readonly #domain: Domain;
  /** Lists by depth; each holds what does not fill a chunk yet. */
  readonly #levels: Segment[][] = [[]];
  #bytes = 0;

  constructor(writer: ChunkWriter, domain: Domain) {
    this.#writer = writer;
    this.#domain = domain;
  }

  async push(segment: Segment): Promise<void> {
    this.#bytes += segment.length;
    await this.#pushAt(0, segment);
  }

  async finish(): Promise<Content> {
    let depth = 0;
    while ((this.#levels[depth]?.length ?? 0) > segmentsMax || depth < this.#levels.length - 1) {
      await this.#putAway(depth);
      depth++;
    }
    return { bytes: this.#bytes, depth, segments: this.#levels[depth] ?? [] };
  }

  async #pushAt(depth: number, segment: Segment): Promise<void> {
    assert(depth <= depthMax, "lists are not deeper than the format knows");
    const list = this.#levels[depth] ?? [];
    this.#levels[depth] = list;
    list.push(segment);
    if (list.length === listSegmentsMax) await this.#putAway(depth);
  }

  async #putAway(depth: number): Promise<void> {
    const list = this.#levels[depth] ?? [];
    this.#levels[depth] = [];
    if (list.length === 0) return;
    const writer = new ByteWriter();
    writeSegments(writer, list);
    const bytes = writer.done();
    const name = await this.#writer.add(this.#domain, "tree", bytes);
    await this.#pushAt(depth + 1, { kind: "chunk", name, length: bytes.length });
  }
}
