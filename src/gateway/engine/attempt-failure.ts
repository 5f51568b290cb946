// How an attempt can fail before its answer has begun: what the dispatcher counts it as, what the
// client hears when it was the last, and what control is told of the instance.

import type { EndingCode, ReasonCode, RetryCode } from "../../core/base/reasons.ts";
import { type Outcome, outcome } from "../../core/dispatch/dispatcher.ts";
import type { RetryCause } from "../../core/guard/retry-conditions.ts";
import type { InstanceNotice } from "../contract.ts";

export interface AttemptFailure {
  readonly result: Outcome;
  readonly code: ReasonCode;
  /** Why it is tried again; mostly the same. */
  readonly why: RetryCode;
  readonly wasSent: boolean;
  /** Of the connection, not of the instance, which may be next: on a new one. */
  readonly stale: boolean;
  /** Nobody's failure, or paid for already: another try costs no budget. */
  readonly free: boolean;
  /** What the route must ask for; absent: another try is not its choice. */
  readonly cause?: RetryCause;
}

function failure(
  result: Outcome,
  code: ReasonCode,
  wasSent: boolean,
  why: RetryCode = code,
): AttemptFailure {
  return { result, code, why, wasSent, stale: false, free: false };
}

function caused(cause: RetryCause, result: Outcome, code: ReasonCode): AttemptFailure {
  return { ...failure(result, code, cause !== "connect-failure"), cause };
}

/**
 * No client has asked to be a probe: what a doubted instance answers with an error, another tries.
 */
const doubtedError = failure(outcome.serverError, "ANSWER_LOST", true, "DOUBTED_ERROR");
const answerTimedOut = caused("response-timeout", outcome.timedOut, "ANSWER_TIMEOUT");
const askedError = failure(outcome.serverError, "ANSWER_LOST", true, "ASKED_STATUS");
const fencedSent = failure(outcome.abandoned, "ANSWER_LOST", true, "FENCED");

export const failures = {
  connectFailed: caused("connect-failure", outcome.connectFailed, "CONNECT_FAILED"),
  connectTimedOut: caused("connect-failure", outcome.connectFailed, "CONNECT_TIMEOUT"),
  /** This machine's fault, which must not eject an instance. */
  connectGivenUp: caused("connect-failure", outcome.abandoned, "CONNECT_FAILED"),
  answerLost: caused("reset", outcome.reset, "ANSWER_LOST"),
  answerTimedOut,
  /** No answer within the time of one try, and the retry budget has paid for the next. */
  tryTimedOut: { ...answerTimedOut, free: true },
  badAnswer: caused("junk-response", outcome.serverError, "BAD_ANSWER"),
  /** The instance closed, in order, a connection that had served before. */
  staleConnection: { ...fencedSent, why: "STALE_CONNECTION", stale: true, free: true },
  /** Control has named another primary. */
  fencedUnsent: { ...failure(outcome.abandoned, "NO_INSTANCE", false, "FENCED"), free: true },
  fencedSent: { ...fencedSent, free: true },
  doubtedError,
  /** The same once the retry budget has paid for it. */
  paidError: { ...doubtedError, free: true },
  /** An answer that the route wants tried again, paid for; below 500 it is nobody's fault. */
  askedError: { ...askedError, free: true },
  askedStatus: { ...askedError, result: outcome.abandoned, free: true },
} as const;

/** Why a request ended whose answer broke off. */
export const breakOffs: Partial<Record<Outcome, EndingCode>> = {
  [outcome.reset]: "ANSWER_BROKE_OFF",
  [outcome.timedOut]: "ANSWER_STALLED",
  [outcome.serverError]: "ANSWER_GARBLED",
  [outcome.abandoned]: "CUT",
};

/** Out of descriptors, ports or memory, here. */
export const ownFaults: ReadonlySet<string> = new Set([
  "EMFILE",
  "ENFILE",
  "EADDRNOTAVAIL",
  "ENOBUFS",
  "ENOMEM",
]);

/** Whether a failure is the instance's, and worth a word to control. */
export function isInstances(result: Outcome): boolean {
  return result !== outcome.abandoned && result !== outcome.serverError;
}

/** `instance` by its id. */
export function noticeOf(instance: string, result: Outcome, code: ReasonCode): InstanceNotice {
  const sentence = `${instance} ${noticeWords[code] ?? "failed"}`;
  return { kind: kindOf(result), instance, sentence };
}

function kindOf(result: Outcome): InstanceNotice["kind"] {
  if (result === outcome.connectFailed) return "connect-failed";
  return result === outcome.timedOut ? "timed-out" : "reset";
}

const noticeWords: Partial<Record<ReasonCode, string>> = {
  CONNECT_FAILED: "could not be connected to",
  CONNECT_TIMEOUT: "did not accept a connection in time",
  ANSWER_LOST: "closed a connection before its answer was complete",
  BAD_ANSWER: "gave an answer that is not valid HTTP/1.1",
  ANSWER_TIMEOUT: "did not answer in time",
};
