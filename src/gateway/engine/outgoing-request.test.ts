// What is kept of a request stays as it was sent for as long as anybody may need it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrng } from "../../core/base/prng.ts";
import { RequestHead } from "../http1/request-head.ts";
import { Writer } from "../http1/writer.ts";
import { OutgoingRequest } from "./outgoing-request.ts";

const limits = {
  headBytes: 16_384,
  headerCount: 100,
  targetBytes: 8192,
  connections: 1,
  connectionsPerAddress: 1,
  minimumRate: 0,
};
const head = new RequestHead(limits);
const writer = new Writer(65_536);

function begin(request: OutgoingRequest, path: string, bodyBytes = 0): Buffer {
  const length = `Content-Length: ${bodyBytes}`;
  const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n${length}\r\n\r\n`);
  head.reset(0);
  head.scan(bytes, bytes.length);
  request.start(bytes, head);
  request.keepHead(writer, bytes, head, bytes.length, {
    provenance: new Uint8Array(0),
    upgrade: false,
    hostIfNone: Buffer.alloc(0),
    random: createPrng(1),
  });
  return request.kept[0] as Buffer;
}

test("a kept head takes the memory of the one before, unless a write may still hold that", () => {
  const request = new OutgoingRequest();
  const first = begin(request, "/first");
  assert.match(first.toString("latin1"), /^GET \/first /);
  request.forget();
  const second = begin(request, "/again");
  assert.equal(second.buffer, first.buffer);
  assert.match(second.toString("latin1"), /^GET \/again /);
  request.leaveToWrite();
  request.forget();
  const third = begin(request, "/third");
  assert.match(second.toString("latin1"), /^GET \/again /, "as the write was given it");
  assert.match(third.toString("latin1"), /^GET \/third /);
  request.forget();
  const long = begin(request, `/${"x".repeat(5000)}`);
  assert.equal(long.length > 5000, true);
});

test("a body is kept where it fits, whatever the next request adds to its read", () => {
  const request = new OutgoingRequest();
  const readBytes = 100_000;
  begin(request, "/large", 40_000);
  assert.equal(request.passes(readBytes, 39_999), true);
  assert.equal(request.passes(readBytes, 40_000), false);
  request.forget();
  begin(request, "/small", 100);
  assert.equal(request.passes(readBytes, 0), false, "too little to be sent from where it lies");
});
