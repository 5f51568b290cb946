// What a text or a program becomes as a plain value, and that nothing in it can hurt the reader.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readText, readValue } from "./document.ts";
import type { Path } from "./problems.ts";

const never = (): boolean => false;

function whatIsWrong(text: string): readonly string[] {
  return readText(text, never).problems.map(({ what }) => what);
}

describe("a text read as a plain value", () => {
  it("is what JSON.parse makes of JSON, however it is laid out", () => {
    const object = fc.dictionary(
      fc.string({ maxLength: 20 }).filter((key) => key !== "__proto__" && !key.includes("\0")),
      fc.jsonValue({ maxDepth: 3 }),
      { maxKeys: 5, noNullPrototype: true },
    );
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, 1, 2, "\t"), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        fc.pre(!text.includes("\\u0000") && !text.includes("__proto__"));
        const document = readText(text, never);
        assert.deepEqual(document.problems, []);
        assert.deepEqual(document.value, JSON.parse(text));
      }),
    );
  });

  it("knows where each part stands: its key and its value", () => {
    const text = "a: 1\nb:\n  - x\n  - { c: deep }\n";
    const { locate } = readText(text, never);
    assert.deepEqual(locate(["a"], "key"), { line: 1, column: 1 });
    assert.deepEqual(locate(["a"], "value"), { line: 1, column: 4 });
    assert.deepEqual(locate(["b", 1], "value"), { line: 4, column: 5 });
    assert.deepEqual(locate(["b", 1, "c"], "key"), { line: 4, column: 7 });
    assert.deepEqual(locate(["b", 1, "c"], "value"), { line: 4, column: 10 });
  });

  it("places what is missing at what should hold it", () => {
    const { locate } = readText("a: 1\nb:\n  c: 2\n", never);
    assert.deepEqual(locate(["b", "d", "e"], "value"), { line: 2, column: 1 });
    assert.deepEqual(locate([], "value"), { line: 1, column: 1 });
  });

  it("keeps numbers as written where text is meant", () => {
    const isText = (path: Path): boolean => path[0] === "text";
    const text = "text: [1.10, 0x10, true, 12345678901234567890]\nnumber: [1.10, true]\n";
    assert.deepEqual(readText(text, isText).value, {
      text: ["1.10", "0x10", "true", "12345678901234567890"],
      number: [1.1, true],
    });
  });

  it("is YAML 1.2: yes, on and 1e are text", () => {
    const { value } = readText("[yes, on, 12:30, ~]", never);
    assert.deepEqual(value, ["yes", "on", "12:30", null]);
  });

  it("follows aliases, each to the anchor before it", () => {
    const { value } = readText("a: &x [1]\nb: *x\nc: &x 2\nd: *x\n", never);
    assert.deepEqual(value, { a: [1], b: [1], c: 2, d: 2 });
    assert.deepEqual(whatIsWrong("a: *x\n"), ["has no anchor &x before it"]);
  });

  it("refuses duplicate keys, __proto__ and NUL", () => {
    assert.deepEqual(whatIsWrong("a: 1\nb: 2\na: 3\n"), ["is there twice, first on line 1"]);
    assert.deepEqual(whatIsWrong("__proto__: { a: 1 }\n"), ["cannot be a name"]);
    assert.deepEqual(whatIsWrong('a: "x\\0y"\n'), ["has a NUL character in it"]);
  });
});

describe("a text that is meant to hurt", () => {
  it("is refused when it is too long", () => {
    assert.deepEqual(whatIsWrong("#".repeat(1024 * 1024 + 1)), ["is longer than 1 MiB"]);
    assert.deepEqual(whatIsWrong("#".repeat(1024 * 1024)), []);
  });

  it("may not grow by aliases", () => {
    const levels = Array.from({ length: 20 }, (_, level) => {
      const item = level === 0 ? "x" : `*a${level - 1}`;
      return `a${level}: &a${level} [${Array.from({ length: 10 }, () => item).join(", ")}]`;
    });
    const document = readText(levels.join("\n"), never);
    assert.deepEqual(document.problems.length, 1);
    assert.equal(document.problems[0]?.what, "has more than 100000 values");
    assert.equal(document.value, undefined);
  });

  it("may not nest without end", () => {
    const nested = `${"[".repeat(40)}${"]".repeat(40)}`;
    assert.deepEqual(whatIsWrong(nested), ["is nested deeper than 32"]);
    assert.deepEqual(whatIsWrong("&a [*a]"), ["is nested deeper than 32"]);
    for (const open of ["[", "{a: ", "- ", "? "]) {
      assert.notDeepEqual(whatIsWrong(open.repeat(20_000)), [], open);
    }
  });

  it("never throws", () => {
    const punctuation = fc.constantFrom(..."[]{}:,-?&*!|>'\"%@`# \n\ta1\0<~".split(""));
    const text = fc.oneof(
      fc.string(),
      fc.array(punctuation).map((letters) => letters.join("")),
    );
    fc.assert(
      fc.property(text, (junk) => {
        const { value, problems, locate } = readText(junk, () => true);
        assert.ok(value !== undefined || problems.length > 0, "a value, or why there is none");
        locate(["a", 0], "key");
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what a program exports, read as a plain value", () => {
  it("is a copy without the keys that are undefined", () => {
    const made = { a: [1, "x", true, null], b: { c: undefined } };
    const { value, problems } = readValue(made);
    assert.deepEqual(problems, []);
    assert.deepEqual(value, { a: [1, "x", true, null], b: {} });
    assert.notEqual(value, made);
  });

  it("may have no functions, classes or circles", () => {
    const circle: unknown[] = [];
    circle.push(circle);
    const cases: readonly [unknown, string][] = [
      [{ a: () => 1 }, "is a function"],
      [{ a: 1n }, "is a bigint"],
      [{ a: new Map() }, "is an instance of a class"],
      [circle, "is nested deeper than 32"],
    ];
    for (const [made, expected] of cases) assert.equal(readValue(made).problems[0]?.what, expected);
  });

  it("may throw while it is read", () => {
    const made = {
      get services(): never {
        throw new Error("no database");
      },
    };
    assert.equal(readValue(made).problems[0]?.what, "cannot be read: no database");
  });
});
