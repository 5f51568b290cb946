// Which folders are subjects, as a file says it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { subjectOf } from "./place.ts";

test("a star is any folder, and its escape the folder that is called so", () => {
  const of = (...subjects: readonly string[]) =>
    subjectOf({
      name: "data",
      service: "data",
      from: { kind: "files", path: "/data", exclude: [], subjects },
    });
  assert.equal(of("people", "*")(["people", "ann"]), "ann");
  assert.equal(of("people", "*")(["others", "ann"]), undefined);
  assert.equal(of("people", "*")(["people"]), undefined);
  assert.equal(of("people", "\\x2a")(["people", "ann"]), undefined);
  assert.equal(of("people", "\\x2a")(["people", "*"]), "*");
});
