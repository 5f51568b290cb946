// What is let go is gone at once, and takes nothing with it that somebody else may need.

import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import { letGo } from "./let-go.ts";

describe("what is let go", () => {
  it("leaves no memory behind, of results long and short", () => {
    for (const length of [1, 20_000, 65_536]) {
      const cipher = createCipheriv("aes-256-gcm", randomBytes(32), randomBytes(12));
      const sealed = cipher.update(randomBytes(length));
      letGo(sealed);
      assert.equal(sealed.buffer.byteLength, 0);
    }
    const deflated = deflateRawSync(new Uint8Array(100_000), { chunkSize: 100_000 });
    letGo(deflated);
    assert.equal(deflated.buffer.byteLength, 0);
  });

  it("stays where it lies beside others", () => {
    const [own, other] = [Buffer.from("own"), Buffer.from("other")];
    letGo(own);
    assert.equal(other.toString(), "other");
    assert.equal(own.toString(), "own");
    letGo(Buffer.alloc(0));
  });
});
