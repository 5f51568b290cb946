// What was packed comes out again, wherever the chunks are cut.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { packItems, unpackItems } from "./items.ts";

async function* cut(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.slice(at, at + chunkBytes);
}

async function unpacked(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const items: Uint8Array[] = [];
  await unpackItems(chunks, (item) => void items.push(item.slice()));
  return items;
}

describe("the items of a snapshot", () => {
  it("come out as they went in, wherever the chunks are cut", async () => {
    const item = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.integer({ min: 0, max: 200_000 }).map((bytes) => new Uint8Array(bytes).fill(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(item), fc.integer({ min: 1, max: 5000 }), async (items, size) => {
        const packed = Buffer.concat([...packItems(items)]);
        const same = await unpacked(cut(packed, packed.length > 20_000 ? size + 500 : size));
        assert.equal(same.length, items.length);
        for (const [index, each] of items.entries()) {
          assert.ok(Buffer.compare(each, same[index] ?? new Uint8Array()) === 0);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("are held a chunk at a time", () => {
    const chunks = packItems(Array.from({ length: 1000 }, () => new Uint8Array(1000)));
    for (const chunk of chunks) assert.ok(chunk.length <= 64 * 1024);
  });

  it("must be whole", async () => {
    const packed = Buffer.concat([...packItems([new Uint8Array(10)])]);
    await assert.rejects(unpacked(cut(packed.subarray(0, 13), 5)), /ends with an item/);
  });
});
