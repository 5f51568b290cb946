// A seed is drawn from the clock and printed; a finding is repeated with
// `FUZZ_SEED=… FUZZ_CASE=… node --test dist/test/fuzz/fuzz.process.test.js`.

import assert from "node:assert/strict";
import { createEngine } from "../../src/gateway/engine/engine.ts";
import { importPlanted, type PlantedFault } from "../planted.fixture.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { type FuzzResult, fuzz } from "./fuzz.ts";
import { Lane } from "./lane.ts";

/** The long suite plays a million messages. */
const BUDGET_MS = 3_000;
/** A planted fault must be found within this many messages; most are within 1,000. */
const PLANTED_MESSAGES = 100_000;

const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 32);
const onlyCase = process.env["FUZZ_CASE"];

async function findNothing(tell: (line: string) => void): Promise<void> {
  const result = await fuzz({
    create: createEngine,
    seed,
    messages: Infinity,
    durationMs: BUDGET_MS,
    ...(onlyCase === undefined ? {} : { onlyCase: Number(onlyCase) }),
  });
  tell(`seed ${seed}: ${result.messages} messages, ${result.forwarded} forwarded`);
  assert.ok(result.finding === undefined, result.finding);
}

const HTTP1 = "src/gateway/http1";
const planted: readonly PlantedFault[] = [
  {
    name: "a bare LF ends a field",
    file: `${HTTP1}/fields.js`,
    find: "if (at(bytes, index) !== CR || at(bytes, index + 1) !== LF)",
    replace: "if (at(bytes, index) === LF) index--; else if (at(bytes, index + 1) !== LF)",
  },
  {
    name: "a second Content-Length is let pass",
    file: `${HTTP1}/fields.js`,
    find: "if (this.contentLength !== NO_LENGTH)",
    replace: "if (false)",
  },
  {
    name: "a Content-Length may have a sign",
    file: `${HTTP1}/fields.js`,
    find: "if (digit < 0 || digit > 9)\n                return",
    replace: "if (digit < -5 || digit > 9)\n                return",
  },
  {
    name: "Content-Length and Transfer-Encoding stand together in a request",
    file: `${HTTP1}/request-head.js`,
    find: "if (fields.chunked && fields.contentLength !== NO_LENGTH)",
    replace: "if (false)",
  },
  {
    name: "Content-Length and Transfer-Encoding stand together in an answer",
    file: `${HTTP1}/response-head.js`,
    find: "|| fields.contentLength !== NO_LENGTH",
    replace: "",
  },
  {
    name: "an unknown transfer coding is taken for none",
    file: `${HTTP1}/fields.js`,
    find: 'return this.#fault("CODING_UNKNOWN");',
    replace: "return true;",
  },
  {
    name: "HTTP/1.0 may be chunked",
    file: `${HTTP1}/request-head.js`,
    find: "if (fields.chunked && this.minorVersion === 0)",
    replace: "if (false)",
  },
  {
    name: "a second Host is let pass",
    file: `${HTTP1}/fields.js`,
    find: "if (this.host >= 0)",
    replace: "if (false)",
  },
  {
    name: "a Host is not looked at",
    file: `${HTTP1}/request-head.js`,
    find: "if (from < to && !isHost(bytes, from, to))",
    replace: "if (false)",
  },
  {
    name: "the target's host differs from the Host field",
    file: `${HTTP1}/request-head.js`,
    find: "if (this.authorityTo > this.authorityFrom && !this.#sameAuthority(bytes, from, to))",
    replace: "if (false)",
  },
  {
    name: "what Connection names is passed on",
    file: `${HTTP1}/fields.js`,
    find: "this.nominates = true;",
    replace: ";",
  },
  {
    name: "a chunk size may have a sign",
    file: `${HTTP1}/body.js`,
    find: "return digit >= 0 &&",
    replace: "if (digit < 0) this.#remaining = 0;\n        return",
  },
  {
    name: "a chunk may end without CR",
    file: `${HTTP1}/body.js`,
    find: "this.#state = dataLf;\n                return byte === CR;",
    replace: "this.#state = dataLf;\n                return true;",
  },
  {
    name: "a chunk extension may hold LF",
    file: `${HTTP1}/body.js`,
    find: "return FIELD_VALUE[byte] === 1 &&",
    replace: "return",
  },
  {
    name: "a trailer passes for a chunk",
    file: `${HTTP1}/body.js`,
    find: "this.#state = this.#remaining === 0 ? trailerFirst : data;",
    replace: "this.#state = this.#remaining === 0 ? (this.done = true, data) : data;",
  },
  {
    name: "Connection may name Content-Length",
    file: `${HTTP1}/forward-request.js`,
    find: "return kind === fieldKind.other && head.fields.isNominated(bytes, field);",
    replace: "return head.fields.isNominated(bytes, field);",
  },
  {
    name: "a length is dropped on the way to the client",
    file: `${HTTP1}/forward-response.js`,
    find: "return isBodiless;",
    replace: "return true;",
  },
  {
    name: "an answer that broke off looks complete",
    file: `${HTTP1}/body.js`,
    find: "return this.#framing === framing.untilClose;",
    replace: "return true;",
  },
  {
    name: "a HEAD request's answer is read with a body",
    file: `${HTTP1}/response-head.js`,
    find: "if (toHead || this.status < 200",
    replace: "if (this.status < 200",
  },
];

async function find(fault: PlantedFault, tell: (line: string) => void): Promise<void> {
  type Module = { createEngine: typeof createEngine };
  await importPlanted<Module>("src/gateway/engine/engine.js", fault, async (module) => {
    const limits = { messages: PLANTED_MESSAGES, durationMs: Infinity };
    const result: FuzzResult = await fuzz({ create: module.createEngine, seed, ...limits });
    tell(`after ${result.messages} messages: ${result.finding?.split("\n")[0]}`);
    assert.ok(result.finding !== undefined, "the planted fault went unnoticed");
  });
}

const KIB = 1024;
const endlessRequests: readonly (readonly [string, string, string])[] = [
  ["method", "", "M"],
  ["target", "GET /", "a"],
  ["field name", "GET / HTTP/1.1\r\n", "N"],
  ["field value", "GET / HTTP/1.1\r\nA: ", "v"],
  ["list of fields", "GET / HTTP/1.1\r\n", "A: b\r\n"],
  ["chunk size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "0"],
  ["chunk extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", "e"],
  ["trailer", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "T: u\r\n"],
];

async function refuseRequest(start: string, piece: string): Promise<void> {
  const lane = await Lane.open(createEngine);
  try {
    const taken = await lane.flood(start, piece.repeat(KIB / piece.length), 1024 * KIB);
    assert.ok(taken <= 64 * KIB, `took ${taken} bytes`);
  } finally {
    await lane.close();
  }
}

const isRefusal = (received: string): boolean => received.includes("\nreason: ");
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const endlessAnswers: readonly (readonly [string, string, string])[] = [
  ["reason", "HTTP/1.1 200 ", "r"],
  ["field value", "HTTP/1.1 200 OK\r\nA: ", "v"],
  ["list of fields", "HTTP/1.1 200 OK\r\n", "A: b\r\n"],
  ["row of interim answers", "", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  ["chunk size", CHUNKED, "0"],
  ["chunk extension", `${CHUNKED}1;`, "e"],
  ["trailer", `${CHUNKED}0\r\n`, "T: u\r\n"],
];

async function cutAnswerOff(start: string, piece: string): Promise<void> {
  const lane = await Lane.open(createEngine);
  try {
    const pieces = [start + piece, ...Array<string>(64).fill(piece.repeat(KIB / piece.length))];
    const request = "POST /a HTTP/1.1\r\nHost: shop.test\r\n\r\n";
    const { received } = await lane.run([request], isRefusal, { pieces, close: false });
    assert.ok(received.length < 4 * KIB, `the client got ${received.length} bytes`);
  } finally {
    await lane.close();
  }
}

await testUntracked({
  "nothing is framed differently from what is forwarded": findNothing,
  ...Object.fromEntries(
    planted.map((fault) => [
      `the fuzz finds it when ${fault.name}`,
      (tell: (line: string) => void) => find(fault, tell),
    ]),
  ),
  ...Object.fromEntries(
    endlessRequests.map(([what, start, piece]) => [
      `an endless ${what} is refused within 64 KiB`,
      () => refuseRequest(start, piece),
    ]),
  ),
  ...Object.fromEntries(
    endlessAnswers.map(([what, start, piece]) => [
      `an instance's endless ${what} is cut off`,
      () => cutAnswerOff(start, piece),
    ]),
  ),
});
