// That every key explains itself, and that what is generated from the schema is true.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { parse } from "yaml";
import { entryOf, kindOf } from "./fields.ts";
import { initText } from "./init-text.ts";
import { nearest } from "./problems.ts";
import { configReference } from "./reference.ts";
import { bare, file, jsonSchema, keysAt, laterKeys, mapsWithin } from "./schema.ts";

type Schema = z.core.$ZodType;

/** Every key of the file with its schema, depth first. */
function everyKey(map: z.ZodObject = file, place = ""): readonly [string, Schema][] {
  return Object.entries(map.shape as Record<string, Schema>).flatMap(([key, schema]) => {
    const path = place === "" ? key : `${place}.${key}`;
    const below = mapsWithin(schema, path).flatMap(([inner, at]) => everyKey(inner, at));
    return [[path, schema] as [string, Schema], ...below];
  });
}

describe("the schema", () => {
  const keys = everyKey();

  it("explains every key", () => {
    assert.ok(keys.length > 70);
    for (const [path, schema] of keys) {
      const meaning = entryOf(schema)?.meaning ?? "";
      assert.ok(/^[\w`:].*[.`]$/s.test(meaning), `${path}: ${meaning}`);
    }
  });

  it("gives every key that may be left out a default, and says it", () => {
    for (const [path, schema] of keys) {
      const stated = entryOf(schema)?.default !== undefined;
      const optional = schema instanceof z.ZodOptional;
      const inScale = /\.(scale|slo)\./.test(path);
      assert.ok(!optional || stated || inScale, `${path} may be left out, and has no default`);
    }
  });

  it("has defaults that its own fields accept", () => {
    for (const [path, schema] of keys) {
      if (!(schema instanceof z.ZodPrefault)) continue;
      const read = z.safeParse(schema, undefined);
      assert.ok(read.success, `${path}: ${JSON.stringify(read.error?.issues)}`);
    }
  });

  it("has examples that its own fields accept", () => {
    for (const [path, schema] of keys) {
      const kind = kindOf(bare(schema));
      if (kind === undefined) continue;
      const [first = ""] = kind.example.split(/, | or /);
      const read = z.safeParse(schema, parse(first));
      const outOfRange = /^must be a (duration|size) from/.test(
        read.error?.issues[0]?.message ?? "",
      );
      assert.ok(read.success || outOfRange, `${path}: ${kind.example}`);
    }
  });

  it("refers only to keys that there are", () => {
    const known = new Set(
      keys.flatMap(([path, schema]) => [path, ...mapsWithin(schema, path).map(([, at]) => at)]),
    );
    for (const [path, schema] of keys) {
      for (const other of entryOf(schema)?.see ?? []) {
        assert.ok(known.has(other), `${path} refers to ${other}`);
        assert.notEqual(other, path);
      }
    }
  });

  it("knows no key of a later version", () => {
    const places: readonly (readonly [string, readonly (string | number)[]])[] = [
      ["", []],
      ["services.*", ["services", "web"]],
      ["admin", ["admin"]],
      ["gateway.listen.*", ["gateway", "listen", 0]],
      ["gateway.routes.*", ["gateway", "routes", 0]],
    ];
    assert.deepEqual(
      places.map(([place]) => place),
      Object.keys(laterKeys),
    );
    for (const [place, path] of places) {
      const known = keysAt(path);
      assert.ok(known.length > 0, place);
      for (const key of laterKeys[place] ?? []) assert.ok(!known.includes(key), `${place} ${key}`);
    }
  });

  it("has no two keys in one map that a slip turns into each other", () => {
    for (const path of [[], ["services", "web"], ["gateway"], ["services", "web", "health"]]) {
      const known = keysAt(path);
      for (const key of known) assert.equal(nearest(key, known), key);
    }
  });
});

describe("the reference page", () => {
  it("has every key, once", () => {
    const page = configReference();
    for (const [path] of everyKey()) {
      const headings = page.match(new RegExp(`^##+ \`${path.replace(/[.[\]]/g, "\\$&")}\`$`, "gm"));
      assert.equal(headings?.length, 1, path);
    }
  });
});

describe("the JSON Schema for editors", () => {
  const schema = jsonSchema();
  // Read back by another way than it was made. zod's reader takes `oneOf`, and `anyOf` of
  // maps, for a loosening of additionalProperties, which they are not; these are compared below.
  const readable: unknown = JSON.parse(
    JSON.stringify({ ...schema, anyOf: undefined }, (key, value: unknown) =>
      key === "oneOf" ? undefined : value,
    ),
  );
  const editor = z.fromJSONSchema(readable as Parameters<typeof z.fromJSONSchema>[0]);

  it("accepts what the loader accepts", () => {
    assert.ok(editor.safeParse(parse(initText(undefined))).success);
    const endpoints = { services: { db: { endpoints: ["10.0.0.7:5432"] } } };
    assert.ok(editor.safeParse(endpoints).success);
  });

  it("refuses unknown keys, missing units and values out of range", () => {
    const wrong = [
      { services: { web: { command: "x", helth: {} } } },
      { services: { web: { command: "x", stopGrace: "5" } } },
      { services: { web: { command: "x", limits: { memory: "1G" } } } },
      { services: { web: { command: "x", replicas: 0 } } },
      { services: { web: { command: "x" } }, gateway: {} },
    ];
    for (const one of wrong) assert.ok(!editor.safeParse(one).success, JSON.stringify(one));
  });

  it("asks for services or a backup", () => {
    assert.deepEqual(schema["anyOf"], [{ required: ["services"] }, { required: ["backup"] }]);
  });

  it("asks for exactly one of command and endpoints", () => {
    const choice = '"oneOf":[{"required":["command"]},{"required":["endpoints"]}]';
    assert.ok(JSON.stringify(schema).includes(choice));
  });

  it("describes every key to the reader", () => {
    const descriptions: string[] = [];
    JSON.stringify(schema, (key, value: unknown) => {
      if (key === "description" && typeof value === "string") descriptions.push(value);
      return value;
    });
    assert.ok(descriptions.length >= everyKey().length);
    assert.ok(
      descriptions.every((text) => !text.includes("`")),
      "plain text, not Markdown",
    );
  });
});
