// What is worth another try, as a route says it: in Envoy's words where it has one, in HAProxy's
// where only it does, and statuses as numbers.
//
// The condition is one of four that all must hold: the route asks for it (here), the request may be
// sent again (gateway/engine/exchange.ts), tries are left, and the budget pays (retry-budget.ts).
// They are asked in one place for every try. Rejected: a wrapper around each attempt (tower's
// layers), which would make objects for each request so that a few of them may be tried again.

export const retryWords = [
  /** Refused, unreachable or not accepted in time; nothing was sent. */
  "connect-failure",
  /** The connection broke before the answer began (HAProxy: empty-response). */
  "reset",
  /** No answer in time, or within `perTry` (HAProxy). */
  "response-timeout",
  /** The answer is not valid HTTP (HAProxy). */
  "junk-response",
  /** 502, 503 or 504. */
  "gateway-error",
  "5xx",
  /** 409. */
  "retriable-4xx",
] as const;
export type RetryWord = (typeof retryWords)[number];
export type RetryCondition = RetryWord | number;

/** How an attempt can end without an answer to judge. */
export type RetryCause = Extract<
  RetryWord,
  "connect-failure" | "reset" | "response-timeout" | "junk-response"
>;

/** What is tried again where nothing is said: what has certainly not been answered. */
export const defaultRetryOn: readonly RetryCondition[] = [
  "connect-failure",
  "reset",
  "response-timeout",
];

export function isRetriedCause(
  cause: RetryCause,
  on: readonly RetryCondition[] = defaultRetryOn,
): boolean {
  return on.includes(cause);
}

export function isRetriedStatus(
  status: number,
  on: readonly RetryCondition[] = defaultRetryOn,
): boolean {
  if (status < 400) return false;
  return on.some((condition) => {
    if (condition === "5xx") return status >= 500;
    if (condition === "gateway-error") return status >= 502 && status <= 504;
    if (condition === "retriable-4xx") return status === 409;
    return condition === status;
  });
}
