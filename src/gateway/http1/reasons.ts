// Every answer that the gateway gives by itself, in one table: a stable code, the status, and one
// sentence for the person who reads it. The code is sent as `X-Nines-Reason`; the docs table is
// generated from here. A retired code is never used again.

export interface Reason {
  readonly status: number;
  /** What happened, one sentence. Never holds anything that the client or the instance sent. */
  readonly sentence: string;
  /** Whether the same request may succeed later without a change. */
  readonly retriable: boolean;
}

function reason(status: number, sentence: string, retriable = false): Reason {
  return { status, sentence, retriable };
}

export const reasons = {
  // The request line.
  BAD_METHOD: reason(400, "The method is not a token of at most 32 characters."),
  BAD_TARGET: reason(400, "The request target is empty, or holds a character that it may not."),
  BAD_VERSION: reason(400, "The request line does not end in HTTP/1.1 or HTTP/1.0 and CR LF."),
  TARGET_TOO_LONG: reason(414, "The request target is longer than this gateway allows."),
  UNSUPPORTED_VERSION: reason(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here."),
  CONNECT_REFUSED: reason(501, "CONNECT asks for a forward proxy; this is a gateway."),
  // Header fields.
  BAD_FIELD: reason(400, "A header field has a bad name, value or line ending."),
  FOLDED_FIELD: reason(400, "A header field is folded over two lines, which is obsolete."),
  HEAD_TOO_LARGE: reason(431, "The request's head is larger than this gateway allows."),
  TOO_MANY_FIELDS: reason(431, "The request has more header fields than this gateway allows."),
  HOST_MISSING: reason(400, "An HTTP/1.1 request needs a Host field."),
  HOST_REPEATED: reason(400, "The request has more than one Host field."),
  BAD_HOST: reason(400, "The Host field is not a host with an optional port."),
  HOST_DIFFERS: reason(400, "The host in the request target differs from the Host field."),
  BAD_EXPECT: reason(417, "Only the expectation 100-continue can be met."),
  // Framing.
  BAD_LENGTH: reason(400, "Content-Length is not a plain decimal number."),
  LENGTH_REPEATED: reason(400, "Content-Length is given more than once."),
  LENGTH_AND_CODING: reason(400, "Content-Length and Transfer-Encoding exclude each other."),
  CODING_REPEATED: reason(400, "Transfer-Encoding is given more than once."),
  CODING_UNKNOWN: reason(501, "The only transfer coding spoken here is chunked."),
  CODING_IN_HTTP10: reason(400, "HTTP/1.0 has no Transfer-Encoding."),
  BAD_CHUNK: reason(400, "A chunk of the request body is malformed."),
  BAD_TRAILER: reason(400, "The trailer section of the request body is malformed or too large."),
  HEAD_TIMEOUT: reason(408, "The request's head did not arrive in time.", true),
  BODY_TIMEOUT: reason(408, "The request's body stopped arriving.", true),
  BODY_TOO_SLOW: reason(408, "The request's body comes more slowly than this gateway waits.", true),
  // Routing and instances.
  NO_ROUTE: reason(404, "No route matches this request."),
  RATE_LIMITED: reason(429, "More requests came than the route's rate limit lets in.", true),
  NO_INSTANCE: reason(503, "No instance of the service can take the request.", true),
  QUEUE_FULL: reason(503, "Every instance is busy and the queue is full.", true),
  QUEUE_TIMEOUT: reason(503, "No instance became free in time.", true),
  CONNECT_FAILED: reason(502, "The instance could not be connected to.", true),
  CONNECT_TIMEOUT: reason(504, "The instance did not accept the connection in time.", true),
  ANSWER_LOST: reason(502, "The instance closed the connection before it answered.", true),
  BAD_ANSWER: reason(502, "The instance's answer is not valid HTTP/1.1."),
  ANSWER_TIMEOUT: reason(504, "The instance did not answer in time.", true),
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof reasons;
