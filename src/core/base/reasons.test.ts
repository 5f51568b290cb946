// The catalogue is whole, and tells its kinds apart.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { allReasons, ejectionReasons, endings, reasons, retryReasons } from "./reasons.ts";

describe("the catalogue of reasons", () => {
  it("has each code once", () => {
    const kinds = [reasons, endings, retryReasons, ejectionReasons];
    const codes = kinds.flatMap((kind) => Object.keys(kind));
    assert.equal(new Set(codes).size, codes.length);
    assert.equal(Object.keys(allReasons).length, codes.length);
    for (const code of codes) assert.match(code, /^[A-Z][A-Z0-9_]+$/);
  });

  it("gives a client a status exactly where it is told the reason", () => {
    for (const [code, { status }] of Object.entries(reasons)) {
      assert.ok(status >= 400 && status < 600, code);
    }
    for (const kind of [endings, retryReasons, ejectionReasons]) {
      for (const [code, { status }] of Object.entries(kind)) assert.equal(status, 0, code);
    }
  });

  it("blames nobody's time for what was refused at once", () => {
    for (const [code, { state, status }] of Object.entries(allReasons)) {
      const ranOut = /^[cs]/.test(state);
      if (status === 408 || status === 504) assert.ok(ranOut, code);
      if (status === 400 || status === 404 || status === 429) assert.ok(!ranOut, code);
    }
  });
});
