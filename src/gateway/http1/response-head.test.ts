// Answers' heads: as strict as with requests, since a gateway vouches for what it passes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FAULT, INCOMPLETE } from "./fields.ts";
import { framing } from "./request-head.ts";
import { ResponseHead } from "./response-head.ts";

const limits = { headBytes: 500, headerCount: 10, targetBytes: 100 };

function scan(text: string): ResponseHead | "FAULT" | "INCOMPLETE" {
  const bytes = Buffer.from(text, "latin1");
  const head = new ResponseHead(limits);
  head.reset(0);
  const end = head.scan(bytes, bytes.length);
  if (end === INCOMPLETE) return "INCOMPLETE";
  return end === FAULT ? "FAULT" : head;
}

function accepted(text: string): ResponseHead {
  const result = scan(text);
  assert.ok(typeof result === "object", `${JSON.stringify(text)} gave ${String(result)}`);
  return result;
}

describe("an answer's head is refused", () => {
  const refused: readonly (readonly [string, string])[] = [
    ["HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"],
    ["HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
    ["a status below 100", "HTTP/1.1 099 x\r\n\r\n"],
    ["a status above 599", "HTTP/1.1 600 x\r\n\r\n"],
    ["two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n"],
    ["a bare LF", "HTTP/1.1 200 OK\nA: b\n\n"],
    ["a control character in the reason", "HTTP/1.1 200 O\x01K\r\n\r\n"],
    ["no HTTP at all", "hello"],
    ["a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n"],
    ["a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"],
    [
      "length and coding",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ["another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"],
    ["a coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["a head over the limit", `HTTP/1.1 200 OK\r\nA: ${"b".repeat(500)}\r\n\r\n`],
    ["too many fields", `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(11)}\r\n`],
  ];
  for (const [name, text] of refused) test(name, () => assert.equal(scan(text), "FAULT"));
});

describe("an answer's head is accepted", () => {
  test("with and without a reason", () => {
    assert.equal(accepted("HTTP/1.1 200 OK\r\n\r\n").status, 200);
    assert.equal(accepted("HTTP/1.1 404 \r\n\r\n").status, 404);
    assert.equal(accepted("HTTP/1.1 503\r\n\r\n").status, 503);
  });

  test("and its body is framed by status, request and fields", () => {
    const length = accepted("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert.equal(length.framing(false), framing.length);
    assert.equal(length.framing(true), framing.none);
    const chunked = accepted("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert.equal(chunked.framing(false), framing.chunked);
    assert.equal(accepted("HTTP/1.1 200 OK\r\n\r\n").framing(false), framing.untilClose);
    for (const status of [204, 304, 103]) {
      const bodiless = accepted(`HTTP/1.1 ${status} x\r\nContent-Length: 5\r\n\r\n`);
      assert.equal(bodiless.framing(false), framing.none);
    }
  });

  test("and says whether the connection stays, and for how long", () => {
    const text = "HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=12\r\n\r\n";
    assert.equal(accepted(text).keepAliveSeconds(Buffer.from(text)), 12);
    assert.equal(accepted(text).keepsAlive, true);
    assert.equal(accepted("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").keepsAlive, false);
    assert.equal(accepted("HTTP/1.0 200 OK\r\n\r\n").keepsAlive, false);
    assert.equal(accepted("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").keepsAlive, true);
  });

  test("cut at any byte, as if it had come whole", () => {
    const bytes = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\n");
    for (let cut = 0; cut < bytes.length; cut++) {
      const head = new ResponseHead(limits);
      head.reset(0);
      assert.equal(head.scan(bytes, cut), INCOMPLETE, `at ${cut}`);
      assert.equal(head.scan(bytes, bytes.length), bytes.length);
      assert.equal(head.fields.contentLength, 5);
    }
  });
});
