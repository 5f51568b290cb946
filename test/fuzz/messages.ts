// HTTP/1.1 messages for the fuzz: whole ones from the grammar, then spoiled.
//
// A spoiled message is nearly right: it carries one to three tricks that made some pair of servers
// disagree once (two lengths, a coding in disguise, a chunk size with a sign, a bare LF, a folded
// field, a second Host), or bytes changed blindly. Bodies look like requests and answers, so that
// whoever frames a body wrongly is seen to act on it. Characters are bytes (latin1).

import type { Random } from "../../src/core/base/prng.ts";

export interface Made {
  readonly text: string;
  /** Valid as it stands: it must pass. */
  readonly clean: boolean;
}

/** How a head and its body are put together, before anything is spoiled. */
interface Parts {
  line: string;
  readonly fields: string[];
  body: string;
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.below(choices.length)] as T;
}

const SMUGGLED_REQUEST = "GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const SMUGGLED_ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";

function payload(random: Random): string {
  const kinds = [
    "",
    "a",
    "hello=world&x=1",
    SMUGGLED_REQUEST,
    SMUGGLED_ANSWER,
    "\r\n\r\n",
    "0\r\n\r\n",
    "\x00\x01\xff\n",
    "b".repeat(1 + random.below(300)),
  ];
  return pick(random, kinds);
}

function chunked(random: Random, body: string): string {
  let text = "";
  for (let from = 0; from < body.length; ) {
    const size = 1 + random.below(body.length - from);
    const digits = pick(random, [
      size.toString(16),
      size.toString(16).toUpperCase(),
      `0${size.toString(16)}`,
    ]);
    const extension = pick(random, ["", "", "", ";a", ";a=b", ';a="b;c"']);
    text += `${digits}${extension}\r\n${body.slice(from, from + size)}\r\n`;
    from += size;
  }
  const trailers = pick(random, ["", "", "", "X-Sum: 1\r\n", "Content-Length: 9\r\nX-Sum: 2\r\n"]);
  return `${text}0\r\n${trailers}\r\n`;
}

const METHODS = ["GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];

/** A request that every server reads in the same way. `tag` tells it from all others. */
function cleanRequest(random: Random, tag: string): Parts {
  const method = pick(random, METHODS);
  const path = pick(random, [`/${tag}`, `/${tag}?q=1`, `/a/../${tag}`, `/${tag}/%2e%2e`]);
  const absolute = random.below(12) === 0;
  const parts: Parts = {
    line: `${method} ${absolute ? "http://shop.test" : ""}${path} HTTP/1.1`,
    fields: ["Host: shop.test"],
    body: "",
  };
  for (let count = random.below(4); count > 0; count--) parts.fields.push(harmlessField(random));
  addBody(random, parts, method === "GET" || method === "HEAD" ? 6 : 2);
  return parts;
}

function harmlessField(random: Random): string {
  return pick(random, [
    "Accept: */*",
    "X-Empty:",
    "X-Padded:  \t a b \t ",
    "X-High: \xe9\xff",
    "x-a-b: c, d",
    "Cookie: a=b; c=d",
    `X-Long: ${"v".repeat(random.below(200))}`,
    "Connection: keep-alive",
    "Connection: X-Gone",
    "X-Gone: 1",
    "TE: trailers",
    "X-Forwarded-For: 10.1.1.1",
  ]);
}

/** One time in `rarity` there is none; else a length or chunks. */
function addBody(random: Random, parts: Parts, rarity: number): void {
  const body = random.below(rarity) === 0 || rarity === 2 ? payload(random) : "";
  const how = random.below(rarity === 2 ? 3 : 8);
  if (how === 0 && body !== "") {
    parts.fields.push(pick(random, ["Transfer-Encoding: chunked", "transfer-encoding:Chunked"]));
    parts.body = chunked(random, body);
  } else if (body !== "" || how === 1) {
    parts.fields.push(`Content-Length: ${body.length}`);
    parts.body = body;
  }
}

/** Status lines whose bodies differ in kind. */
const STATUSES = [
  "200 OK",
  "200 OK",
  "200 OK",
  "404 Not Found",
  "500 Oops",
  "204 No Content",
  "304 Not Modified",
  "200 ",
  "302 \xe9",
];

function cleanAnswer(random: Random): Parts {
  const status = pick(random, STATUSES);
  const parts: Parts = { line: `HTTP/1.1 ${status}`, fields: [], body: "" };
  for (let count = random.below(3); count > 0; count--) {
    parts.fields.push(
      pick(random, ["Server: x", "Set-Cookie: a=b", "X-Empty:", "Keep-Alive: timeout=5"]),
    );
  }
  if (/204|304/.test(status)) return parts;
  const body = payload(random);
  const how = random.below(8);
  if (how < 3) {
    parts.fields.push("Transfer-Encoding: chunked");
    parts.body = chunked(random, body);
  } else {
    if (how < 7) parts.fields.push(`Content-Length: ${body.length}`);
    parts.body = body;
  }
  return parts;
}

function assemble({ line, fields, body }: Parts): string {
  return `${[line, ...fields].join("\r\n")}\r\n\r\n${body}`;
}

/** Fields that lie about the body, or that parsers have read differently. */
function trickyField(random: Random, parts: Parts): string {
  const length = parts.body.length;
  return pick(random, [
    `Content-Length: ${length}`,
    `Content-Length: ${length + 1}`,
    `Content-Length: 0`,
    `Content-Length: +${length}`,
    `Content-Length: -1`,
    `Content-Length: 0x${length.toString(16)}`,
    `Content-Length: ${length}, ${length}`,
    `Content-Length: ${length} ${length}`,
    `Content-Length: 00${length}`,
    `Content-Length: 99999999999999999999`,
    `Content-Length: 18446744073709551616`,
    `Content-Length : ${length}`,
    ` Content-Length: ${length}`,
    `Content_Length: ${length}`,
    `Content-Length:\x0b${length}`,
    `Content-Length: ${length}\x00`,
    "Content-Length:",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: chunked;q=1",
    'Transfer-Encoding: "chunked"',
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding\x00: chunked",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding:",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "X: y\r\n\tfolded: yes",
    "X: y\n",
    "Host: other.test",
    "Host: shop.test@other.test",
    "Host: shop.test/x",
    "Host: [::1",
    "Host: [::[1]",
    "Host: sh]op.test",
    "Host: :80",
    "Host: shop.test:http",
    "Host: shop.test:123456",
    "Connection: Content-Length",
    "Connection: Transfer-Encoding, close",
    "Connection: close",
    "Connection: upgrade\r\nUpgrade: websocket",
    "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    "Expect: 100-continue",
    "Expect: 100-continued",
    "No-Colon",
    ": no-name",
    "B\xe9d: name",
    "B(d: name",
    `X-Many: ${"x,".repeat(random.below(50))}`,
  ]);
}

const SPOILED_CHUNKS = [
  "+5\r\nhello\r\n0\r\n\r\n",
  "-5\r\nhello\r\n0\r\n\r\n",
  "0x5\r\nhello\r\n0\r\n\r\n",
  "5 \r\nhello\r\n0\r\n\r\n",
  " 5\r\nhello\r\n0\r\n\r\n",
  "5\nhello\n0\n\n",
  "5\r\nhello0\r\n\r\n",
  "5\r\nhelloX\r\n0\r\n\r\n",
  "5;\n\r\nhello\r\n0\r\n\r\n",
  "5;a\x00b\r\nhello\r\n0\r\n\r\n",
  "5;a\rb\r\nhello\r\n0\r\n\r\n",
  "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
  "100000005\r\nhello\r\n0\r\n\r\n",
  "5\r\nhello\r\n\r\n0\r\n\r\n",
  "5\r\nhello\r\n0\r\nX\r\n\r\n",
  "5\r\nhello\r\n0\r\n X: folded\r\n\r\n",
  "5\r\nhello\r\n0\r\nX: y\n\r\n",
  "5\r\nhello\r\n0\r\n\n",
  "5\r\nhello\r\n00000000000000000000\r\n\r\n",
  "\r\nhello\r\n0\r\n\r\n",
  `0\r\n\r\n${SMUGGLED_REQUEST}`,
];

const REQUEST_LINES = [
  "GET /x",
  "GET  /x HTTP/1.1",
  "GET /x  HTTP/1.1",
  "GET\t/x\tHTTP/1.1",
  "GET /x HTTP/1.1 ",
  " GET /x HTTP/1.1",
  "GET /x HTTP/1.0",
  "GET /x HTTP/1.9",
  "GET /x HTTP/2.0",
  "GET /x HTTP/01.1",
  "GET /x http/1.1",
  "GET /x#y HTTP/1.1",
  "GET x HTTP/1.1",
  "GET * HTTP/1.1",
  "OPTIONS * HTTP/1.1",
  "GET http://other.test/x HTTP/1.1",
  "GET http://user@shop.test/x HTTP/1.1",
  "GET //other.test/x HTTP/1.1",
  "GET /\xe9 HTTP/1.1",
  "GET /\x7f HTTP/1.1",
  "CONNECT shop.test:443 HTTP/1.1",
  "CONNECT /x HTTP/1.1",
  "GET http:/shop.test/x HTTP/1.1",
  "GET http://shop.test HTTP/1.1",
  "GET http://shop.tes/x HTTP/1.1",
  "GET http://[shop.test/x HTTP/1.1",
  "GET http://shop.test:x/x HTTP/1.1",
  "G(T /x HTTP/1.1",
  "get /x HTTP/1.1",
  "PRI * HTTP/2.0",
  "\r\nGET /x HTTP/1.1",
  "\r\n\r\nGET /x HTTP/1.1",
  "\nGET /x HTTP/1.1",
  "HTTP/1.1 200 OK",
];

const STATUS_LINES = [
  "HTTP/1.1 200",
  "HTTP/1.1  200 OK",
  "HTTP/1.1 2000 OK",
  "HTTP/1.1 20 OK",
  "HTTP/1.1 099 Low",
  "HTTP/1.1 600 High",
  "HTTP/1.0 200 OK",
  "HTTP/2.0 200 OK",
  "HTTP/1.1 200 O\x00K",
  "HTTP/1.1 200 O\rK",
  "HTTP/1.1\t200 OK",
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 100 Continue",
  "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK",
  "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
  "ICY 200 OK",
  "\r\nHTTP/1.1 200 OK",
  "GET / HTTP/1.1",
];

/** Changes the parts: the head's fields, its first line, or the body's framing. */
function playTrick(random: Random, parts: Parts, lines: readonly string[]): void {
  const { fields } = parts;
  switch (random.below(8)) {
    case 0:
      parts.line = pick(random, lines);
      return;
    case 1:
      fields.splice(random.below(fields.length + 1), random.below(2), trickyField(random, parts));
      return;
    case 2:
      fields.push("Transfer-Encoding: chunked");
      parts.body = pick(random, SPOILED_CHUNKS);
      return;
    case 3:
      fields.splice(random.below(fields.length + 1), 1);
      return;
    case 4:
      parts.body += pick(random, [SMUGGLED_REQUEST, SMUGGLED_ANSWER, "\r\n", "x"]);
      return;
    case 5:
      parts.line = parts.line.replace("HTTP/1.1", "HTTP/1.0");
      return;
    default:
      fields.splice(random.below(fields.length + 1), 0, trickyField(random, parts));
  }
}

const BYTES = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "\xff",
  "0",
  "a",
  "\x0b",
  "\x7f",
  "G",
];

/** Changes bytes blindly. */
function bruise(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const length = random.below(8);
  const from = random.below(text.length + 1);
  switch (random.below(6)) {
    case 0:
      return text.slice(0, at) + pick(random, BYTES) + text.slice(at);
    case 1:
      return text.slice(0, at) + pick(random, BYTES) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + text.slice(at + 1 + length);
    case 3:
      return text.slice(0, at) + text.slice(from, from + length) + text.slice(at);
    case 4:
      return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    default:
      return random.below(4) === 0
        ? text.slice(0, at)
        : text.replace(pick(random, ["\r\n", ": ", " "]), pick(random, BYTES));
  }
}

function make(random: Random, parts: Parts, lines: readonly string[]): Made {
  if (random.below(3) === 0) return { text: assemble(parts), clean: true };
  const how = random.below(3);
  if (how !== 0) {
    for (let tricks = 1 + random.below(2); tricks > 0; tricks--) playTrick(random, parts, lines);
  }
  let text = assemble(parts);
  if (how !== 1) {
    for (let bruises = 1 + random.below(2); bruises > 0; bruises--) text = bruise(random, text);
  }
  return { text, clean: false };
}

export function makeRequest(random: Random, tag: string): Made {
  return make(random, cleanRequest(random, tag), REQUEST_LINES);
}

export function makeAnswer(random: Random): Made {
  return make(random, cleanAnswer(random), STATUS_LINES);
}

/** The text in pieces, cut anywhere; often in one. */
export function cut(random: Random, text: string): readonly string[] {
  const pieces: string[] = [];
  let from = 0;
  for (let cuts = pick(random, [0, 0, 1, 2, 5]); cuts > 0; cuts--) {
    const to = from + random.below(text.length - from + 1);
    if (to > from) pieces.push(text.slice(from, to));
    from = to;
  }
  if (from < text.length) pieces.push(text.slice(from));
  return pieces;
}
