// What goes on to an instance and back to a client: which fields pass, change, and stay.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createPrng } from "../../core/base/prng.ts";
import { Fields } from "./fields.ts";
import { provenanceOf, writeRequestHead } from "./forward-request.ts";
import { connectionWord, type ResponseEdits, writeResponseHead } from "./forward-response.ts";
import { framing, RequestHead } from "./request-head.ts";
import { ResponseHead } from "./response-head.ts";
import { Writer } from "./writer.ts";

const limits = { headBytes: 5000, headerCount: 50, targetBytes: 1000 };

/** The forwarded head: its first line, and its fields with lower-case names, in order. */
interface Forwarded {
  readonly line: string;
  readonly fields: readonly (readonly [string, string])[];
}

function parse(text: string): Forwarded {
  assert.ok(text.endsWith("\r\n\r\n"), "a head ends in an empty line");
  const [line = "", ...rest] = text.slice(0, -4).split("\r\n");
  const fields = rest.map((field): readonly [string, string] => {
    const colon = field.indexOf(":");
    assert.ok(colon > 0, `${JSON.stringify(field)} is a field`);
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
  });
  return { line, fields };
}

function values(forwarded: Forwarded, name: string): readonly string[] {
  return forwarded.fields.filter(([each]) => each === name).map(([, value]) => value);
}

function forwardRequest(text: string, upgrade = false): Forwarded {
  // Not at the start of its buffer, as pipelined requests are.
  const bytes = Buffer.from(`xx${text}`, "latin1");
  const head = new RequestHead(limits);
  head.reset(2);
  assert.equal(head.scan(bytes, bytes.length), bytes.length, head.fault);
  const out = new Writer(16);
  writeRequestHead(out, bytes, head, {
    provenance: provenanceOf("::ffff:192.0.2.7", "http"),
    upgrade,
    hostIfNone: Buffer.from("web"),
    random: createPrng(7),
  });
  return parse(out.take().toString("latin1"));
}

function forwardResponse(text: string, edits: Partial<ResponseEdits>): Forwarded {
  const bytes = Buffer.from(`xx${text}`, "latin1");
  const head = new ResponseHead(limits);
  head.reset(2);
  assert.equal(head.scan(bytes, bytes.length), bytes.length, head.fault);
  const out = new Writer(16);
  const all: ResponseEdits = {
    body: head.framing(false),
    toHead: false,
    clientMinorVersion: 1,
    connection: connectionWord.none,
    ...edits,
  };
  writeResponseHead(out, bytes, 2, head, all);
  return parse(out.take().toString("latin1"));
}

describe("a forwarded request", () => {
  test("keeps tracestate with a valid traceparent only, and not where Connection names it", () => {
    const valid = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const states = (...fields: readonly string[]) => {
      const lines = fields.map((field) => `${field}\r\n`).join("");
      const text = `GET / HTTP/1.1\r\nHost: a\r\n${lines}tracestate: k=v\r\n\r\n`;
      return values(forwardRequest(text), "tracestate");
    };
    assert.deepEqual(states(valid), ["k=v"]);
    assert.deepEqual(states(), []);
    assert.deepEqual(states("traceparent: 00-0-0-01"), []);
    assert.deepEqual(states(valid, valid), []);
    assert.deepEqual(states(valid, "Connection: tracestate"), []);
  });

  test("keeps its end-to-end fields as they were, in order, and says where it came from", () => {
    const forwarded = forwardRequest(
      "GET /a?b HTTP/1.1\r\nHost: a.b\r\nX-A:  1 \r\nx-a: 2\r\n\r\n",
    );
    assert.equal(forwarded.line, "GET /a?b HTTP/1.1");
    assert.deepEqual(forwarded.fields.slice(0, 3), [
      ["host", "a.b"],
      ["x-a", "1"],
      ["x-a", "2"],
    ]);
    assert.deepEqual(values(forwarded, "x-forwarded-for"), ["192.0.2.7"]);
    assert.deepEqual(values(forwarded, "x-forwarded-proto"), ["http"]);
    assert.deepEqual(values(forwarded, "x-forwarded-host"), ["a.b"]);
  });

  test("loses what is for this hop only, and what Connection names", () => {
    const forwarded = forwardRequest(
      [
        "GET / HTTP/1.1",
        "Connection: keep-alive, X-Secret",
        "Host: a",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Trailer: A",
        "Upgrade: h2c",
        "HTTP2-Settings: AAA",
        "x-secret: 1",
        "X-Kept: 1\r\n\r\n",
      ].join("\r\n"),
    );
    const names = forwarded.fields.map(([name]) => name).filter((name) => !name.startsWith("x-f"));
    assert.deepEqual(names, ["host", "x-kept", "traceparent", "x-request-id"]);
  });

  test("keeps framing and host though Connection names them", () => {
    const forwarded = forwardRequest(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: host, content-length\r\n\r\n",
    );
    assert.deepEqual(values(forwarded, "host"), ["a"]);
    assert.deepEqual(values(forwarded, "content-length"), ["5"]);
  });

  test("does not carry a client's word about itself, nor disguised fields", () => {
    const forwarded = forwardRequest(
      [
        "GET / HTTP/1.1",
        "Host: a",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil",
        "X_Forwarded_Proto: https",
        "Content_Length: 5",
        "Transfer_Encoding: chunked",
        "api_key: kept\r\n\r\n",
      ].join("\r\n"),
    );
    assert.deepEqual(values(forwarded, "x-forwarded-for"), ["10.0.0.1", "192.0.2.7"]);
    assert.deepEqual(values(forwarded, "x-forwarded-proto"), ["http"]);
    assert.deepEqual(values(forwarded, "x-forwarded-host"), ["a"]);
    assert.deepEqual(values(forwarded, "x_forwarded_proto"), []);
    assert.deepEqual(values(forwarded, "content_length"), []);
    assert.deepEqual(values(forwarded, "transfer_encoding"), []);
    assert.deepEqual(values(forwarded, "api_key"), ["kept"]);
  });

  test("has no double of X-Forwarded-For beside the gateway's own word", () => {
    const forwarded = forwardRequest(
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nX_Forwarded_For: 10.0.0.2\r\n\r\n",
    );
    assert.deepEqual(values(forwarded, "x-forwarded-for"), ["10.0.0.1", "192.0.2.7"]);
    assert.deepEqual(values(forwarded, "x_forwarded_for"), []);
  });

  test("has Connection read once, however many fields it may name", () => {
    const fields = Array.from({ length: 40 }, (_, index) => `X-${index}: 1\r\n`).join("");
    const text = `GET / HTTP/1.1\r\nHost: a\r\n${fields}Connection: X-7, x-39, ${"y,".repeat(999)}z\r\n\r\n`;
    const bytes = Buffer.from(text);
    const head = new RequestHead(limits);
    head.reset(0);
    head.scan(bytes, bytes.length);
    let reads = 0;
    const { value } = Fields.prototype;
    head.fields.value = (...args) => {
      reads++;
      return value.apply(head.fields, args);
    };
    const nominated = Array.from({ length: head.fields.count }, (_, field) => field).filter(
      (field) => head.fields.isNominated(bytes, field),
    );
    assert.deepEqual(nominated, [8, 40]);
    assert.equal(reads, 1);
    head.reset(0);
    const other = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\nX-7: 1\r\nConnection: x-8\r\n\r\n");
    head.scan(other, other.length);
    assert.equal(head.fields.isNominated(other, 1), false);
  });

  test("is HTTP/1.1 with a Host, whatever it was", () => {
    const old = forwardRequest("GET / HTTP/1.0\r\nA: b\r\n\r\n");
    assert.equal(old.line, "GET / HTTP/1.1");
    assert.deepEqual(values(old, "host"), ["web"]);
    assert.deepEqual(values(old, "a"), ["b"]);
    const absolute = forwardRequest("GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(absolute.line, "GET /x HTTP/1.1");
    const bare = forwardRequest("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(bare.line, "GET / HTTP/1.1");
    const server = forwardRequest("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(server.line, "OPTIONS * HTTP/1.1");
    const star = forwardRequest("OPTIONS * HTTP/1.0\r\n\r\n");
    assert.equal(star.line, "OPTIONS * HTTP/1.1");
  });

  const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const traceOf = (...lines: string[]): readonly string[] => {
    const fields = lines.map((value) => `traceparent: ${value}\r\n`).join("");
    return values(forwardRequest(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`), "traceparent");
  };

  test("passes a valid trace on, and starts one otherwise", () => {
    assert.deepEqual(traceOf(valid), [valid]);
    const wrong = [
      [],
      [valid, valid],
      ["00-00000000000000000000000000000000-b7ad6b7169203331-01"],
      ["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"],
      [valid.toUpperCase()],
      ["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
      [`${valid}-x`],
    ];
    for (const lines of wrong) {
      const made = traceOf(...lines);
      assert.equal(made.length, 1);
      assert.match(made[0] ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      assert.notEqual(made[0], valid);
    }
  });

  test("passes a request id on, and makes one otherwise", () => {
    const idOf = (field: string): readonly string[] =>
      values(forwardRequest(`GET / HTTP/1.1\r\nHost: a\r\n${field}\r\n`), "x-request-id");
    assert.deepEqual(idOf("X-Request-Id: abc-1\r\n"), ["abc-1"]);
    assert.match(idOf("")[0] ?? "", /^[0-9a-f]{32}$/);
    assert.match(idOf("X-Request-Id: a b\r\n")[0] ?? "", /^[0-9a-f]{32}$/);
    assert.match(idOf(`X-Request-Id: ${"a".repeat(129)}\r\n`)[0] ?? "", /^[0-9a-f]{32}$/);
  });

  test("carries an upgrade only when it is to be passed on", () => {
    const text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert.deepEqual(values(forwardRequest(text, true), "connection"), ["Upgrade"]);
    assert.deepEqual(values(forwardRequest(text, true), "upgrade"), ["websocket"]);
    assert.deepEqual(values(forwardRequest(text, false), "upgrade"), []);
  });
});

describe("a forwarded answer", () => {
  test("keeps its end-to-end fields and loses the hop's", () => {
    const forwarded = forwardResponse(
      "HTTP/1.1 200 OK\r\nConnection: X-B\r\nContent-Length: 3\r\nKeep-Alive: timeout=5\r\n" +
        "X-A: 1\r\nX-B: 2\r\nTrailer: C\r\nUpgrade: h2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
      {},
    );
    assert.equal(forwarded.line, "HTTP/1.1 200 OK");
    assert.deepEqual(forwarded.fields, [
      ["content-length", "3"],
      ["x-a", "1"],
      ["set-cookie", "a"],
      ["set-cookie", "b"],
    ]);
  });

  test("is HTTP/1.1 with a space after the status, whatever it was", () => {
    const old = forwardResponse("HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", {});
    assert.equal(old.line, "HTTP/1.1 404 Not Found");
    assert.equal(forwardResponse("HTTP/1.1 503\r\nA: b\r\n\r\n", {}).line, "HTTP/1.1 503 ");
  });

  test("is in chunks when the instance ends it by closing", () => {
    const text = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    const forwarded = forwardResponse(text, { body: framing.chunked });
    assert.deepEqual(values(forwarded, "transfer-encoding"), ["chunked"]);
  });

  test("has no coding for HTTP/1.0, and ends by closing", () => {
    const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const forwarded = forwardResponse(text, {
      body: framing.untilClose,
      clientMinorVersion: 0,
      connection: connectionWord.close,
    });
    assert.deepEqual(forwarded.fields, [["connection", "close"]]);
  });

  test("has no framing where the status forbids it, and keeps it for HEAD and 304", () => {
    const fields = "Content-Length: 5\r\n\r\n";
    assert.deepEqual(forwardResponse(`HTTP/1.1 204 x\r\n${fields}`, {}).fields, []);
    assert.deepEqual(forwardResponse(`HTTP/1.1 103 x\r\n${fields}`, {}).fields, []);
    const notModified = forwardResponse(`HTTP/1.1 304 x\r\n${fields}`, {});
    assert.deepEqual(values(notModified, "content-length"), ["5"]);
    const toHead = forwardResponse("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", {
      body: framing.none,
      toHead: true,
    });
    assert.deepEqual(values(toHead, "transfer-encoding"), ["chunked"]);
  });

  test("names the new protocol of an upgrade", () => {
    const forwarded = forwardResponse(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
      { connection: connectionWord.upgrade },
    );
    assert.deepEqual(forwarded.fields, [
      ["upgrade", "websocket"],
      ["connection", "Upgrade"],
    ]);
  });
});
