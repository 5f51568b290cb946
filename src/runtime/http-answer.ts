// Whether the bytes of an HTTP/1 answer, as far as they came, pass a check. Pure and strict.
//
// Bytes are kept as latin1 text, one character a byte. The body is looked at only when a check asks
// for something in it: then its first 64 KiB, with the frames of chunked bodies taken off.

const headBytesMax = 16 * 1024;
export const bodyBytesMax = 64 * 1024;

export interface AnswerExpectation {
  readonly expectStatus: readonly (readonly [number, number])[];
  readonly expectBody?: string;
}

export interface AnswerVerdict {
  readonly passed: boolean;
  readonly detail: string;
}

/** Undefined while more bytes are needed; with `ended` there are no more. */
export function judgeAnswer(
  bytes: string,
  expected: AnswerExpectation,
  ended = false,
): AnswerVerdict | undefined {
  let head = bytes;
  for (;;) {
    const wrong = { passed: false, detail: "answered something that is not HTTP" };
    // Told by its first bytes already: whatever speaks another protocol may never end a line.
    if (!"HTTP/1.".startsWith(head.slice(0, 7))) return wrong;
    const end = head.indexOf("\r\n\r\n");
    if (end < 0 && head.length > headBytesMax) {
      return { passed: false, detail: `answered with a head of over ${headBytesMax} bytes` };
    }
    if (end < 0) return undefined;
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n/.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(status) || status === 101) return wrong;
    const rest = head.slice(end + 4);
    if (status >= 200) return judgeFinal(status, head.slice(0, end), rest, expected, ended);
    // An interim answer: the real one follows.
    head = rest;
  }
}

function judgeFinal(
  status: number,
  head: string,
  body: string,
  { expectStatus, expectBody }: AnswerExpectation,
  ended: boolean,
): AnswerVerdict | undefined {
  const detail = `answered ${status}`;
  if (!expectStatus.some(([low, high]) => status >= low && status <= high)) {
    const wish = expectStatus.map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`));
    return { passed: false, detail: `${detail}, and not ${wish.join(" or ")}` };
  }
  if (expectBody === undefined) return { passed: true, detail };
  const { text, whole } = readBody(head, body);
  const quoted = JSON.stringify(
    expectBody.length > 40 ? `${expectBody.slice(0, 39)}…` : expectBody,
  );
  if (text.slice(0, bodyBytesMax).includes(Buffer.from(expectBody).toString("latin1"))) {
    return { passed: true, detail: `${detail} with ${quoted}` };
  }
  if (!whole && !ended && text.length < bodyBytesMax) return undefined;
  return { passed: false, detail: `${detail}, but without ${quoted}` };
}

/** What has come of the body, and whether that is all of it. */
function readBody(head: string, bytes: string): { readonly text: string; readonly whole: boolean } {
  if (/^transfer-encoding:.*\bchunked\s*$/im.test(head)) return readChunks(bytes);
  const length = /^content-length:\s*(\d+)\s*$/im.exec(head)?.[1];
  if (length === undefined) return { text: bytes, whole: false };
  return { text: bytes.slice(0, Number(length)), whole: bytes.length >= Number(length) };
}

function readChunks(bytes: string): { readonly text: string; readonly whole: boolean } {
  let text = "";
  let at = 0;
  while (text.length < bodyBytesMax) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = /^[0-9a-f]{1,8}(?=;|$)/i.exec(bytes.slice(at, Math.max(at, lineEnd)))?.[0];
    // A frame that is none ends what can be read of the body.
    if (lineEnd < 0) return { text, whole: false };
    if (size === undefined || Number.parseInt(size, 16) === 0) return { text, whole: true };
    const from = lineEnd + 2;
    const to = from + Number.parseInt(size, 16);
    text += bytes.slice(from, to);
    if (bytes.length < to + 2) return { text, whole: false };
    at = to + 2;
  }
  return { text, whole: true };
}
