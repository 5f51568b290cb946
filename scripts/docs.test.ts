// That the pages of docs/reference say what the code says.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { errorCatalogue } from "../src/core/base/errors.ts";
import { allReasons, reasons } from "../src/core/base/reasons.ts";
import { errorReference, pages, stalePages } from "./docs.ts";

describe("the generated pages of docs/reference", () => {
  it("say what the code says (node dist/scripts/docs.js --write)", () => {
    assert.deepEqual(stalePages(), []);
  });

  it("are one a path", () => {
    assert.equal(new Set(pages.map(({ path }) => path)).size, pages.length);
  });

  it("have every answer of the gateway", () => {
    const page = errorReference();
    for (const [code, { status, sentence }] of Object.entries(reasons)) {
      assert.match(page, new RegExp(`\\| \`${code}\` \\| ${status} \\| \`..\` \\| `), code);
      assert.ok(page.includes(`| ${sentence} |`), code);
    }
  });

  it("have every reason once, with a sentence", () => {
    const page = errorReference();
    for (const [code, { sentence }] of Object.entries(allReasons)) {
      assert.match(sentence, /^[A-Z].*\.$/, code);
      assert.equal(page.split(`| \`${code}\` |`).length, 2, code);
      assert.ok(page.includes(`| ${sentence} |`), code);
    }
  });

  it("have every error, with a meaning and a remedy as sentences", () => {
    const page = errorReference();
    for (const [code, { meaning, remedy }] of Object.entries(errorCatalogue)) {
      assert.match(code, /^NINES_[A-Z_]+$/);
      assert.ok(page.includes(`| \`${code}\` | ${meaning} | ${remedy} |`), code);
      for (const sentence of [meaning, remedy]) assert.match(sentence, /^[A-Z`].*\.$/s, code);
      assert.ok(!(meaning + remedy).includes("|"), `${code} would break the table`);
    }
  });
});
