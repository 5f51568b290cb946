// Bodies by the letter of RFC 9112: what is refused, and that no cut of the bytes matters.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BODY_FAULT, BodyReader } from "./body.ts";
import { writeLastChunk, writeRun } from "./body-out.ts";
import { type Framing, framing } from "./request-head.ts";
import { Writer } from "./writer.ts";

interface Read {
  readonly data: string;
  readonly done: boolean;
  readonly fault: boolean;
  /** Bytes that belong to what comes next. */
  readonly rest: string;
}

function read(kind: Framing, length: number, pieces: readonly string[]): Read {
  const reader = new BodyReader();
  reader.start(kind, length);
  let data = "";
  let rest = "";
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, "latin1");
    let next = 0;
    while (next < bytes.length && !reader.done) {
      next = reader.step(bytes, next, bytes.length);
      if (next === BODY_FAULT) return { data, done: false, fault: true, rest };
      data += bytes.toString("latin1", reader.dataFrom, reader.dataTo);
    }
    rest += bytes.toString("latin1", next);
  }
  return { data, done: reader.done, fault: false, rest };
}

describe("a chunked body", () => {
  const good: readonly (readonly [string, string, string])[] = [
    ["one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"],
    ["two chunks", "1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n", "a0123456789"],
    ["none", "0\r\n\r\n", ""],
    ["leading zeros", "0005\r\nhello\r\n000\r\n\r\n", "hello"],
    ["an extension", '5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n', "hello"],
    ["a trailer", "5\r\nhello\r\n0\r\nA: b\r\nC-d:\r\n\r\n", "hello"],
  ];
  for (const [name, text, data] of good) {
    test(`with ${name}`, () => {
      assert.deepEqual(read(framing.chunked, 0, [`${text}GET /`]), {
        data,
        done: true,
        fault: false,
        rest: "GET /",
      });
    });
  }

  const bad: readonly (readonly [string, string])[] = [
    ["an empty size", "\r\n\r\n"],
    ["a sign", "+5\r\nhello\r\n0\r\n\r\n"],
    ["a prefix", "0x5\r\nhello\r\n0\r\n\r\n"],
    ["a space before the size", " 5\r\nhello\r\n0\r\n\r\n"],
    ["a space after the size", "5 \r\nhello\r\n0\r\n\r\n"],
    ["a size of 14 digits", "00000000000005\r\nhello\r\n0\r\n\r\n"],
    ["a bare LF after the size", "5\nhello\r\n0\r\n\r\n"],
    ["a bare CR after the size", "5\rhello\r\n0\r\n\r\n"],
    ["a bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n"],
    ["a control character in an extension", "5;a\0\r\nhello\r\n0\r\n\r\n"],
    ["an endless extension", `5;${"a".repeat(5000)}`],
    ["data longer than its size", "4\r\nhello\r\n0\r\n\r\n"],
    ["a bare LF after the data", "5\r\nhello\n0\r\n\r\n"],
    ["a trailer without a name", "0\r\n: b\r\n\r\n"],
    ["a trailer without a colon", "0\r\nab\r\n\r\n"],
    ["a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"],
    ["a bare LF in a trailer", "0\r\nA: b\n\r\n"],
    ["a bare LF at the end", "0\r\n\n"],
    ["an endless trailer", `0\r\nA: ${"b".repeat(9000)}`],
  ];
  for (const [name, text] of bad) {
    test(`is refused with ${name}`, () => {
      assert.equal(read(framing.chunked, 0, [text]).fault, true);
    });
  }

  test("is written and read back the same, wherever it is cut", () => {
    const property = fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }), { maxLength: 6 }),
      fc.array(fc.nat(200), { maxLength: 6 }),
      (runs, cuts) => {
        const out = new Writer(16);
        for (const run of runs) {
          const bytes = Buffer.from(run, "latin1");
          writeRun(out, true, bytes, 0, bytes.length);
        }
        writeLastChunk(out);
        const text = out.take().toString("latin1");
        const ends = [...cuts, text.length].toSorted((a, b) => a - b);
        const pieces = ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
        const expected = { data: runs.join(""), done: true, fault: false, rest: "" };
        assert.deepEqual(read(framing.chunked, 0, pieces), expected);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  test("whatever comes, coming byte by byte changes nothing", () => {
    const piece = fc.constantFrom(
      "5\r\nhello\r\n",
      "0\r\n",
      "\r\n",
      "1",
      ";a",
      "A: b\r\n",
      "x",
      "\n",
    );
    const property = fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      const atOnce = read(framing.chunked, 0, [text]);
      assert.deepEqual(read(framing.chunked, 0, [...text]), atOnce);
    });
    fc.assert(property, { numRuns: 2000 });
  });
});

test("a body of known length ends there, and what follows is not its", () => {
  const expected = { data: "hello", done: true, fault: false, rest: "GET" };
  assert.deepEqual(read(framing.length, 5, ["hel", "loGET"]), expected);
});

test("a body until close is never done by itself", () => {
  const expected = { data: "abc", done: false, fault: false, rest: "" };
  assert.deepEqual(read(framing.untilClose, 0, ["a", "bc"]), expected);
});
