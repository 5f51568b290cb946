// What a route hashes of a request, and what it does with one that lacks it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fnv1a32 } from "../../core/base/prng.ts";
import type { HashedPart } from "../../core/route/table.ts";
import { RequestHead } from "../http1/request-head.ts";
import { cookieOf, hashKeyOf } from "./hash-key.ts";

const limits = { headBytes: 16_384, headerCount: 100, targetBytes: 8_192 };
const ADDRESS = 77;

function keyOf(part: HashedPart, name: string, lines: readonly string[]): number {
  const bytes = Buffer.from([...lines, "Host: a", "", ""].join("\r\n"));
  const head = new RequestHead(limits);
  head.reset(0);
  assert.equal(head.scan(bytes, bytes.length), bytes.length);
  return hashKeyOf({ part, name }, bytes, head, ADDRESS);
}

test("a request is led by what its route hashes, and by its address without it", () => {
  const get = "GET /shop/1?user=7 HTTP/1.1";
  assert.equal(keyOf("source", "", [get]), ADDRESS);
  assert.equal(keyOf("path", "", [get]), fnv1a32("/shop/1"));
  assert.equal(keyOf("query", "", [get]), fnv1a32("user=7"));
  assert.equal(keyOf("query", "", ["GET / HTTP/1.1"]), ADDRESS);
  assert.equal(keyOf("header", "x-user", [get, "X-User: ann"]), fnv1a32("ann"));
  assert.equal(keyOf("header", "x-user", [get]), ADDRESS);
  assert.equal(keyOf("cookie", "sid", [get, "Cookie: a=1; sid=x=2; sid=3"]), fnv1a32("x=2"));
  assert.equal(keyOf("cookie", "sid", [get, "Cookie: asid=1"]), ADDRESS);
});

test("a cookie is found by its whole name", () => {
  assert.equal(cookieOf("ab=1; b=2", "b"), "2");
  assert.equal(cookieOf("b", "b"), undefined);
  assert.equal(cookieOf(undefined, "b"), undefined);
});
