// Why a request did not simply get an instance's answer: one catalogue of every refusal, every
// other early end, every retry and every ejection. A stable code, what the client is answered, and
// one sentence for the person who reads it. The codes stand in `X-Nines-Reason`, in the access log
// and in the metrics; the docs tables are generated from here. A retired code is never used again.
//
// `state` is HAProxy's termination state in two letters, so that who knows its logs can read ours.
// Who ended it: C the client, c its time ran out, S the instance, s its time ran out, P a rule of
// the gateway, R something here was full, K control or an operator. How far it had come: R the
// request's head, Q the queue, C connecting, H the answer's head was awaited, D a body. `--` is
// none.

export interface Reason {
  /** Of the answer that the client gets; 0: none of the gateway's own. */
  readonly status: number;
  /** What happened, one sentence. Never holds anything that the client or the instance sent. */
  readonly sentence: string;
  readonly state: State;
  /** Whether the same request may succeed later without a change. */
  readonly retriable: boolean;
}

export type State =
  | `${"C" | "c" | "S" | "s" | "P" | "R" | "K"}${"R" | "Q" | "C" | "H" | "D"}`
  | "--";

function reason(status: number, state: State, sentence: string, retriable = false): Reason {
  return { status, sentence, state, retriable };
}

/** Answers that the gateway gives by itself. */
export const reasons = {
  // The request line.
  BAD_METHOD: reason(400, "PR", "The method is not a token of at most 32 characters."),
  BAD_TARGET: reason(
    400,
    "PR",
    "The request target is empty, or holds a character that it may not.",
  ),
  BAD_VERSION: reason(
    400,
    "PR",
    "The request line does not end in HTTP/1.1 or HTTP/1.0 and CR LF.",
  ),
  TARGET_TOO_LONG: reason(414, "PR", "The request target is longer than this gateway allows."),
  UNSUPPORTED_VERSION: reason(505, "PR", "Only HTTP/1.0 and HTTP/1.1 are spoken here."),
  CONNECT_REFUSED: reason(501, "PR", "CONNECT asks for a forward proxy; this is a gateway."),
  // Header fields.
  BAD_FIELD: reason(400, "PR", "A header field has a bad name, value or line ending."),
  FOLDED_FIELD: reason(400, "PR", "A header field is folded over two lines, which is obsolete."),
  HEAD_TOO_LARGE: reason(431, "PR", "The request's head is larger than this gateway allows."),
  TOO_MANY_FIELDS: reason(
    431,
    "PR",
    "The request has more header fields than this gateway allows.",
  ),
  HOST_MISSING: reason(400, "PR", "An HTTP/1.1 request needs a Host field."),
  HOST_REPEATED: reason(400, "PR", "The request has more than one Host field."),
  BAD_HOST: reason(400, "PR", "The Host field is not a host with an optional port."),
  HOST_DIFFERS: reason(400, "PR", "The host in the request target differs from the Host field."),
  BAD_EXPECT: reason(417, "PR", "Only the expectation 100-continue can be met."),
  // Framing.
  BAD_LENGTH: reason(400, "PR", "Content-Length is not a plain decimal number."),
  LENGTH_REPEATED: reason(400, "PR", "Content-Length is given more than once."),
  LENGTH_AND_CODING: reason(400, "PR", "Content-Length and Transfer-Encoding exclude each other."),
  CODING_REPEATED: reason(400, "PR", "Transfer-Encoding is given more than once."),
  CODING_UNKNOWN: reason(501, "PR", "The only transfer coding spoken here is chunked."),
  CODING_IN_HTTP10: reason(400, "PR", "HTTP/1.0 has no Transfer-Encoding."),
  BAD_CHUNK: reason(400, "PD", "A chunk of the request body is malformed."),
  BAD_TRAILER: reason(
    400,
    "PD",
    "The trailer section of the request body is malformed or too large.",
  ),
  HEAD_TIMEOUT: reason(408, "cR", "The request's head did not arrive in time.", true),
  BODY_TIMEOUT: reason(408, "cH", "The request's body stopped arriving.", true),
  BODY_TOO_SLOW: reason(
    408,
    "cH",
    "The request's body comes more slowly than this gateway waits.",
    true,
  ),
  // Routing and instances.
  NO_ROUTE: reason(404, "PR", "No route matches this request."),
  RATE_LIMITED: reason(429, "PR", "More requests came than the route's rate limit lets in.", true),
  OVERLOADED: reason(
    503,
    "PR",
    "The service has as much to do as it can, and this can wait.",
    true,
  ),
  NO_INSTANCE: reason(503, "SC", "No instance of the service can take the request.", true),
  QUEUE_FULL: reason(503, "RQ", "Every instance is busy and the queue is full.", true),
  QUEUE_TIMEOUT: reason(503, "sQ", "No instance became free in time.", true),
  CONNECT_FAILED: reason(502, "SC", "The instance could not be connected to.", true),
  CONNECT_TIMEOUT: reason(504, "sC", "The instance did not accept the connection in time.", true),
  ANSWER_LOST: reason(502, "SH", "The instance closed the connection before it answered.", true),
  BAD_ANSWER: reason(502, "PH", "The instance's answer is not valid HTTP/1.1."),
  ANSWER_TIMEOUT: reason(504, "sH", "The instance did not answer in time.", true),
} as const satisfies Record<string, Reason>;

/** Ends of a request whose answer was not the gateway's own, or had begun already. */
export const endings = {
  CLIENT_LEFT: reason(0, "CH", "The client went away before its answer began."),
  CLIENT_LEFT_AMID: reason(0, "CD", "The client went away before its answer was complete."),
  CLIENT_STALLED: reason(0, "cD", "The client did not take its answer, or took it too slowly."),
  ANSWER_BROKE_OFF: reason(0, "SD", "The instance broke off an answer that had begun.", true),
  ANSWER_STALLED: reason(0, "sD", "An answer that had begun did not go on in time.", true),
  ANSWER_GARBLED: reason(0, "PD", "The body of the instance's answer is not valid."),
  TUNNEL_SILENT: reason(0, "sD", "A tunnel was silent for longer than it may be.", true),
  CUT: reason(0, "KD", "It was cut off: the drain time was over, or another instance is primary."),
} as const satisfies Record<string, Reason>;

/** Further reasons to try a request again; those above are some as well. */
export const retryReasons = {
  STALE_CONNECTION: reason(0, "SH", "The instance had just closed the connection it was sent on."),
  DOUBTED_ERROR: reason(0, "SH", "An instance that is in doubt answered with an error."),
  ASKED_STATUS: reason(0, "SH", "The route asks for another try after an answer of that status."),
  FENCED: reason(0, "KH", "Control named another primary while the request was under way."),
} as const satisfies Record<string, Reason>;

/** Why a worker keeps an instance from traffic for a while. */
export const ejectionReasons = {
  INSTANCE_REFUSED: reason(0, "--", "It refused a connection, or could not be reached."),
  INSTANCE_BROKE_OFF: reason(0, "--", "It broke a connection before the answer's end."),
  INSTANCE_UNANSWERED: reason(0, "--", "Requests in a row timed out on it."),
  INSTANCE_ERRORS: reason(0, "--", "It answers errors while its peers do not."),
  INSTANCE_SILENT: reason(0, "--", "It is silent while its peers answer."),
  INSTANCE_DOWN: reason(0, "--", "Control said that it is down, and is gone itself."),
  INSTANCE_FLAPPING: reason(0, "--", "It is well, and has come and gone too often."),
} as const satisfies Record<string, Reason>;

export const allReasons = { ...reasons, ...endings, ...retryReasons, ...ejectionReasons };

/** Of an answer of the gateway's own. */
export type ReasonCode = keyof typeof reasons;
/** Of a request's end. */
export type EndingCode = ReasonCode | keyof typeof endings;
/** Of a further try. */
export type RetryCode = ReasonCode | keyof typeof retryReasons;
export type EjectionCode = keyof typeof ejectionReasons;
