// Request heads: a table of what is refused and why, and that no cut of the bytes matters.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FAULT, INCOMPLETE } from "./fields.ts";
import type { ReasonCode } from "../../core/base/reasons.ts";
import { framing, RequestHead } from "./request-head.ts";

const limits = { headBytes: 2000, headerCount: 20, targetBytes: 200 };

function scan(text: string): RequestHead | ReasonCode | "INCOMPLETE" {
  const bytes = Buffer.from(text, "latin1");
  const head = new RequestHead(limits);
  head.reset(0);
  const end = head.scan(bytes, bytes.length);
  if (end === INCOMPLETE) return "INCOMPLETE";
  return end === FAULT ? head.fault : head;
}

function accepted(text: string): RequestHead {
  const result = scan(text);
  assert.ok(typeof result === "object", `${JSON.stringify(text)} gave ${String(result)}`);
  return result;
}

const get = (fields: string): string => `GET / HTTP/1.1\r\n${fields}\r\n`;
const host = "Host: a.example\r\n";

describe("a request head is refused, with its reason", () => {
  const refused: readonly (readonly [string, string, ReasonCode])[] = [
    // The request line.
    ["no version", "GET /\r\nHost: a\r\n\r\n", "BAD_TARGET"],
    ["no version and a bare LF", "GET /\nHost: a\n\n", "BAD_TARGET"],
    ["a bare LF after the version", "GET / HTTP/1.1\nHost: a\r\n\r\n", "BAD_VERSION"],
    ["a bare CR after the version", "GET / HTTP/1.1\rHost: a\r\n\r\n", "BAD_VERSION"],
    ["HTTP/1.9", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", "UNSUPPORTED_VERSION"],
    ["HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "UNSUPPORTED_VERSION"],
    ["HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", "UNSUPPORTED_VERSION"],
    ["HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "BAD_VERSION"],
    ["a lower-case protocol", "GET / http/1.1\r\nHost: a\r\n\r\n", "BAD_VERSION"],
    ["a space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "BAD_VERSION"],
    ["two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_TARGET"],
    ["two spaces after the target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_VERSION"],
    ["a tab for a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_METHOD"],
    ["a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_VERSION"],
    ["a leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_METHOD"],
    ["two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_METHOD"],
    ["a leading bare LF", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_METHOD"],
    ["a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_METHOD"],
    ["a method of 33 letters", `${"M".repeat(33)} / HTTP/1.1\r\n\r\n`, "BAD_METHOD"],
    ["CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "CONNECT_REFUSED"],
    // The target.
    ["a fragment", `GET /a#b HTTP/1.1\r\n${host}\r\n`, "BAD_TARGET"],
    ["a control character", `GET /a\x01 HTTP/1.1\r\n${host}\r\n`, "BAD_TARGET"],
    ["a byte above ASCII", `GET /\xe9 HTTP/1.1\r\n${host}\r\n`, "BAD_TARGET"],
    ["a relative path", `GET a HTTP/1.1\r\n${host}\r\n`, "BAD_TARGET"],
    ["'*' for GET", `GET * HTTP/1.1\r\n${host}\r\n`, "BAD_TARGET"],
    ["another scheme", `GET ftp://a.example/ HTTP/1.1\r\n${host}\r\n`, "BAD_TARGET"],
    ["an absolute target of another host", `GET http://b/ HTTP/1.1\r\n${host}\r\n`, "HOST_DIFFERS"],
    ["userinfo", "GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", "BAD_TARGET"],
    ["an empty authority", `GET http:///a HTTP/1.1\r\n${host}\r\n`, "BAD_TARGET"],
    [
      "a target over the limit",
      `GET /${"a".repeat(200)} HTTP/1.1\r\n${host}\r\n`,
      "TARGET_TOO_LONG",
    ],
    // Host.
    ["no Host in HTTP/1.1", get(""), "HOST_MISSING"],
    ["two Hosts", get(host + host), "HOST_REPEATED"],
    ["a Host with '@'", get("Host: a@b\r\n"), "BAD_HOST"],
    ["a Host with a path", get("Host: a/b\r\n"), "BAD_HOST"],
    ["a Host with a space", get("Host: a b\r\n"), "BAD_HOST"],
    ["a Host with a bad port", get("Host: a:b\r\n"), "BAD_HOST"],
    ["a Host with a port too large", get("Host: a:65536\r\n"), "BAD_HOST"],
    ["a Host that is only a port", get("Host: :80\r\n"), "BAD_HOST"],
    ["an open bracket", get("Host: [::1\r\n"), "BAD_HOST"],
    ["two ports", get("Host: a:1:2\r\n"), "BAD_HOST"],
    // Fields.
    ["a space before the colon", get(`${host}A : b\r\n`), "BAD_FIELD"],
    ["no colon", get(`${host}Ab\r\n`), "BAD_FIELD"],
    ["an empty name", get(`${host}: b\r\n`), "BAD_FIELD"],
    ["a folded value", get(`${host}A: b\r\n c\r\n`), "FOLDED_FIELD"],
    ["a folded value by tab", get(`${host}A: b\r\n\tc\r\n`), "FOLDED_FIELD"],
    ["a fold before the first field", get(` A: b\r\n${host}`), "FOLDED_FIELD"],
    ["a bare LF in a value", get(`${host}A: b\nB: c\r\n`), "BAD_FIELD"],
    ["a bare CR in a value", get(`${host}A: b\rc\r\n`), "BAD_FIELD"],
    ["NUL in a value", get(`${host}A: b\0c\r\n`), "BAD_FIELD"],
    ["DEL in a value", get(`${host}A: b\x7fc\r\n`), "BAD_FIELD"],
    ["a name with a slash", get(`${host}A/b: c\r\n`), "BAD_FIELD"],
    ["a name above ASCII", get(`${host}\xe9: c\r\n`), "BAD_FIELD"],
    ["21 fields where 20 are allowed", get(host + "A: b\r\n".repeat(20)), "TOO_MANY_FIELDS"],
    ["a head over the limit", get(`${host}A: ${"b".repeat(2000)}\r\n`), "HEAD_TOO_LARGE"],
    ["an endless head", `GET / HTTP/1.1\r\nA: ${"b".repeat(3000)}`, "HEAD_TOO_LARGE"],
    ["an endless target", `GET /${"b".repeat(3000)}`, "TARGET_TOO_LONG"],
    ["an unknown expectation", get(`${host}Expect: 200-ok\r\n`), "BAD_EXPECT"],
    // Framing.
    ["a signed length", get(`${host}Content-Length: +5\r\n`), "BAD_LENGTH"],
    ["a negative length", get(`${host}Content-Length: -5\r\n`), "BAD_LENGTH"],
    ["an empty length", get(`${host}Content-Length:\r\n`), "BAD_LENGTH"],
    ["a hexadecimal length", get(`${host}Content-Length: 0x5\r\n`), "BAD_LENGTH"],
    ["a list of lengths", get(`${host}Content-Length: 5, 5\r\n`), "BAD_LENGTH"],
    ["a length past exactness", get(`${host}Content-Length: ${"9".repeat(16)}\r\n`), "BAD_LENGTH"],
    ["a repeated length", get(`${host}${"Content-Length: 5\r\n".repeat(2)}`), "LENGTH_REPEATED"],
    [
      "length and coding",
      get(`${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`),
      "LENGTH_AND_CODING",
    ],
    [
      "coding and length",
      get(`${host}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n`),
      "LENGTH_AND_CODING",
    ],
    ["another coding first", get(`${host}Transfer-Encoding: gzip, chunked\r\n`), "CODING_UNKNOWN"],
    ["chunked not last", get(`${host}Transfer-Encoding: chunked, gzip\r\n`), "CODING_UNKNOWN"],
    ["chunked twice", get(`${host}Transfer-Encoding: chunked, chunked\r\n`), "CODING_UNKNOWN"],
    ["a quoted coding", get(`${host}Transfer-Encoding: "chunked"\r\n`), "CODING_UNKNOWN"],
    ["identity", get(`${host}Transfer-Encoding: identity\r\n`), "CODING_UNKNOWN"],
    ["an empty coding", get(`${host}Transfer-Encoding:\r\n`), "CODING_UNKNOWN"],
    ["a vertical tab in the coding", get(`${host}Transfer-Encoding: \vchunked\r\n`), "BAD_FIELD"],
    ["two codings", get(`${host}${"Transfer-Encoding: chunked\r\n".repeat(2)}`), "CODING_REPEATED"],
    [
      "a coding in HTTP/1.0",
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
      "CODING_IN_HTTP10",
    ],
  ];
  for (const [name, text, reason] of refused) {
    test(name, () => assert.equal(scan(text), reason));
  }
});

describe("a request head is accepted", () => {
  test("with one empty line before it", () => {
    const head = accepted(`\r\nGET /a?b HTTP/1.1\r\n${host}\r\n`);
    assert.equal(head.methodFrom, 2);
  });

  test("in HTTP/1.0 without a Host", () => {
    const head = accepted("GET / HTTP/1.0\r\n\r\n");
    assert.equal(head.minorVersion, 0);
    assert.equal(head.keepsAlive, false);
  });

  test("with an absolute target, whose path is taken", () => {
    const text = "GET http://A.example:80/x?y HTTP/1.1\r\nHost: a.example:80\r\n\r\n";
    const head = accepted(text);
    assert.equal(text.slice(head.pathFrom, head.pathTo), "/x?y");
    assert.equal(text.slice(head.authorityFrom, head.authorityTo), "A.example:80");
  });

  for (const value of [
    "a",
    "a.example:8080",
    "127.0.0.1:1",
    "[::1]",
    "[::1]:80",
    "a:",
    "",
    "x_y",
  ]) {
    test(`with the Host '${value}'`, () => {
      accepted(get(`Host: ${value}\r\n`));
    });
  }

  test("with values that have tabs, high bytes, and blanks around them", () => {
    const text = get(`${host}A: \t b\tc\xe9 \t\r\nB:\r\n`);
    const head = accepted(text);
    assert.equal(head.fields.value(Buffer.from(text, "latin1"), 1), "b\tc\xe9");
    assert.equal(head.fields.value(Buffer.from(text, "latin1"), 2), "");
  });

  test("and says how its body is framed and whether the connection stays", () => {
    assert.equal(accepted(get(host)).framing, framing.none);
    assert.equal(accepted(get(`${host}Content-Length: 0\r\n`)).framing, framing.none);
    assert.equal(accepted(get(`${host}Content-Length: 12\r\n`)).fields.contentLength, 12);
    assert.equal(accepted(get(`${host}Transfer-Encoding: Chunked\r\n`)).framing, framing.chunked);
    assert.equal(accepted(get(host)).keepsAlive, true);
    assert.equal(accepted(get(`${host}Connection: a, Close\r\n`)).keepsAlive, false);
    const old = accepted("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert.equal(old.keepsAlive, true);
  });

  test("and an upgrade is one only when Connection names it, and never to HTTP/2", () => {
    const wants = (fields: string): boolean => {
      const text = get(host + fields);
      return accepted(text).wantsUpgrade(Buffer.from(text, "latin1"));
    };
    assert.equal(wants("Connection: Upgrade\r\nUpgrade: websocket\r\n"), true);
    assert.equal(wants("Connection: keep-alive, upgrade\r\nUpgrade: x\r\n"), true);
    assert.equal(wants("Upgrade: websocket\r\n"), false);
    assert.equal(wants("Connection: Upgrade\r\nUpgrade: h2c\r\n"), false);
    const both = "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n";
    assert.equal(wants(both), false);
    assert.equal(wants("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"), false);
    assert.equal(
      wants("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n"),
      false,
    );
  });
});

describe("pieces", () => {
  const whole = `POST /a/b?c HTTP/1.1\r\n${host}Content-Length: 10\r\nConnection: x, close\r\n\r\n`;

  test("a head cut at any byte is incomplete, and then read as if it had come whole", () => {
    const bytes = Buffer.from(whole, "latin1");
    for (let cut = 0; cut < bytes.length; cut++) {
      const head = new RequestHead(limits);
      head.reset(0);
      assert.equal(head.scan(bytes, cut), INCOMPLETE, `at ${cut}`);
      assert.equal(head.scan(bytes, bytes.length), bytes.length);
      assert.equal(head.fields.count, 3);
      assert.equal(head.fields.contentLength, 10);
      assert.equal(head.fields.close, true);
    }
  });

  test("whatever comes, coming in pieces changes nothing", () => {
    const piece = fc.constantFrom(
      "GET / HTTP/1.1\r\n",
      "POST http://a/ HTTP/1.1\r\n",
      "Host: a\r\n",
      "Content-Length: 5\r\n",
      "Transfer-Encoding: chunked\r\n",
      "Connection: close, upgrade\r\n",
      "\r\n",
      "\n",
      "\r",
      " ",
      ":",
      "A: \0\r\n",
      "x",
      "HTTP/1.0\r\n",
    );
    const property = fc.property(
      fc.array(piece, { maxLength: 10 }),
      fc.array(fc.nat(120), { maxLength: 5 }),
      (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(""), "latin1");
        const [atOnce, cut] = [new RequestHead(limits), new RequestHead(limits)];
        atOnce.reset(0);
        cut.reset(0);
        const expected = atOnce.scan(bytes, bytes.length);
        let result = INCOMPLETE;
        for (const end of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
          if (end > bytes.length) continue;
          result = cut.scan(bytes, end);
          if (result !== INCOMPLETE) break;
        }
        assert.equal(result, expected);
        if (expected === FAULT) assert.equal(cut.fault, atOnce.fault);
        if (expected > 0) assert.deepEqual(cut.fields, atOnce.fields);
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });
});
