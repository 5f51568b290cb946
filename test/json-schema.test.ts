// The validator that the admin API's answers are held against, held against the specification.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { violations } from "./json-schema.fixture.ts";

const person = {
  type: "object",
  properties: {
    name: { type: "string", minLength: 1 },
    age: { anyOf: [{ type: "integer", minimum: 0 }, { type: "null" }] },
    tags: { type: "array", items: { enum: ["a", "b"] } },
    nick: { type: ["string", "null"] },
    more: { type: "object", additionalProperties: { type: "number" } },
  },
  required: ["name"],
};
const document = { components: { schemas: { Person: person } } };
const found = (value: unknown) =>
  violations(document, { $ref: "#/components/schemas/Person" }, value);

describe("the validator of the tests", () => {
  const right: readonly (readonly [string, unknown])[] = [
    ["what is required", { name: "n" }],
    ["each of two types", { name: "n", age: null, nick: null }],
    ["all of it", { name: "n", age: 3, tags: ["a", "b"], more: { x: 1.5 } }],
  ];
  for (const [what, value] of right) it(`takes ${what}`, () => assert.deepEqual(found(value), []));

  const wrong: readonly (readonly [string, unknown])[] = [
    ["another type", []],
    ["a missing field", {}],
    ["a field that is not described", { name: "n", alias: "x" }],
    ["a wrong type in a field", { name: 3 }],
    ["a text that is too short", { name: "" }],
    ["a fraction for an integer", { name: "n", age: 1.5 }],
    ["a number below its least", { name: "n", age: -1 }],
    ["what is none of two types", { name: "n", nick: 1 }],
    ["a wrong item", { name: "n", tags: ["a", "c"] }],
    ["a wrong value in a map", { name: "n", more: { x: "1" } }],
  ];
  for (const [what, value] of wrong) {
    it(`refuses ${what}`, () => assert.notDeepEqual(found(value), []));
  }

  it("refuses what it does not know", () => {
    assert.notDeepEqual(violations(document, { multipleOf: 2 }, 4), []);
    assert.notDeepEqual(violations(document, { $ref: "#/components/schemas/Nobody" }, 4), []);
  });
});
