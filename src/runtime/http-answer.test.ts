// A check that asks for something in the body: however it is framed, and however it comes in
// pieces.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bodyBytesMax, judgeAnswer } from "./http-answer.ts";

const expected = { expectStatus: [[200, 299]], expectBody: '"ready":true' } as const;
const body = '{"name":"web","ready":true,"load":0.3}';
const unready = body.replace("true", "false");

function sized(text: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
}

/** The body in chunks that end at these places. */
function chunked(text: string, cuts: readonly number[]): string {
  const places = [0, ...[...cuts].sort((a, b) => a - b), text.length];
  const chunks = places.slice(1).map((to, index) => text.slice(places[index], to));
  const frames = chunks.filter((chunk) => chunk !== "");
  const lines = frames.map((chunk) => `${chunk.length.toString(16)};x=y\r\n${chunk}\r\n`);
  return `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${lines.join("")}0\r\n\r\n`;
}

test("it passes with the text in the body, and fails without it, and says both", () => {
  assert.deepEqual(judgeAnswer(sized(body), expected), {
    passed: true,
    detail: String.raw`answered 200 with "\"ready\":true"`,
  });
  assert.deepEqual(judgeAnswer(sized(unready), expected), {
    passed: false,
    detail: String.raw`answered 200, but without "\"ready\":true"`,
  });
  assert.equal(judgeAnswer(sized(body).replace("200", "503"), expected)?.passed, false);
});

test("what is in the head is not in the body", () => {
  const head = `HTTP/1.1 200 OK\r\nX-Note: ${expected.expectBody}\r\nContent-Length: 2\r\n\r\nno`;
  assert.equal(judgeAnswer(head, expected)?.passed, false);
});

test("chunks and pieces change nothing: early is undecided or the verdict of the whole", () => {
  const cuts = fc.array(fc.nat(body.length), { maxLength: 6 });
  fc.assert(
    fc.property(cuts, fc.boolean(), (places, ready) => {
      const answer = chunked(ready ? body : unready, places);
      assert.equal(judgeAnswer(answer, expected)?.passed, ready, answer);
      for (let piece = 0; piece < answer.length; piece++) {
        const early = judgeAnswer(answer.slice(0, piece), expected);
        assert.ok(early === undefined || early.passed === ready, answer.slice(0, piece));
      }
    }),
  );
});

test("without a length the end of the connection is the end of the body", () => {
  const answer = `HTTP/1.0 200 OK\r\n\r\n${unready}`;
  assert.equal(judgeAnswer(answer, expected), undefined);
  assert.equal(judgeAnswer(answer, expected, true)?.passed, false);
  assert.equal(judgeAnswer(`HTTP/1.0 200 OK\r\n\r\n${body}`, expected)?.passed, true);
});

test("text in UTF-8 is found, and only the first 64 KiB are looked at", () => {
  const umlaut = { ...expected, expectBody: "größer" };
  const bytes = Buffer.from("ist größer als").toString("latin1");
  assert.equal(judgeAnswer(sized(bytes), umlaut)?.passed, true);
  const far = " ".repeat(bodyBytesMax) + body;
  assert.equal(judgeAnswer(sized(far), expected)?.passed, false);
  const endless = `HTTP/1.0 200 OK\r\n\r\n${far}`;
  assert.equal(judgeAnswer(endless, expected)?.passed, false, "and no more is waited for");
});

test("frames that are none end the body", () => {
  for (const frame of ["zz\r\nabc", "-5\r\nabc", "fffffffff\r\nabc"]) {
    const answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${frame}`;
    assert.equal(judgeAnswer(answer, expected)?.passed, false, frame);
  }
});
