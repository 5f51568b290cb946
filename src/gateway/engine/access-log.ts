// The access log of one worker: who is logged, and what of it is remembered until it ends.
//
// Off, it costs a request some comparisons. On, a request's method, target and four fields become
// strings when its head has been read, since the bytes are gone at its end; the line is made then,
// and written later (line-file.ts). What went well is sampled; what did not is always logged, and
// so every head is remembered: whether it will fail is not known when it begins.

import { type ReasonCode, reasons } from "../../core/base/reasons.ts";
import type { AccessLogPolicy } from "../../core/route/table.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { type AccessEntry, accessLine, type LoggedHead } from "./access-line.ts";
import type { LineFile } from "./line-file.ts";

/** A request or connection that may be logged, as far as it has come. */
export class LoggedRequest {
  readonly client: string;
  /** Undefined for a connection of a tcp listener. */
  readonly head: LoggedHead | undefined;
  receivedBytes = 0;
  sentBytes = 0;
  instance = "";
  tries = 0;
  waitedMs = 0;

  constructor(client: string, head?: LoggedHead) {
    this.client = client;
    this.head = head;
  }

  /** `waitedMs` after it began. */
  triedOn(instance: string, waitedMs: number): void {
    this.instance = instance;
    this.tries++;
    this.waitedMs = waitedMs;
  }
}

export type LoggedEnd = Pick<
  AccessEntry,
  "durationMs" | "status" | "route" | "service" | "why" | "protocol"
>;

export class AccessLog {
  readonly policy: AccessLogPolicy;
  readonly file: LineFile;
  readonly #random: () => number;

  /** `random` draws in [0, 1). */
  constructor(policy: AccessLogPolicy, file: LineFile, random: () => number) {
    this.policy = policy;
    this.file = file;
    this.#random = random;
  }

  ended(request: LoggedRequest, end: LoggedEnd): void {
    const { sampleRatio } = this.policy;
    const wentWell = end.why === undefined && end.status < 500;
    if (sampleRatio < 1 && wentWell && this.#random() >= sampleRatio) return;
    // Field by field: spreading objects costs ten times what the line does.
    const entry: AccessEntry = {
      head: request.head,
      client: request.client,
      protocol: end.protocol,
      wallMs: Date.now(),
      durationMs: end.durationMs,
      waitedMs: request.waitedMs,
      status: end.status,
      receivedBytes: request.receivedBytes,
      sentBytes: request.sentBytes,
      route: end.route,
      service: end.service,
      instance: request.instance,
      tries: request.tries,
      why: end.why,
    };
    this.file.append(accessLine(entry, this.policy));
  }

  /** A head that was refused (none is told then), or one that was let in nowhere. */
  refused(client: string, why: ReasonCode, head?: LoggedHead, route = "", service = ""): void {
    const { status } = reasons[why];
    const end = { protocol: "http", durationMs: 0, status, why, route, service } as const;
    this.ended(new LoggedRequest(client, head), end);
  }
}

export function readLoggedHead(bytes: Buffer, head: RequestHead): LoggedHead {
  const { fields } = head;
  const isAbsolute = head.authorityTo > head.authorityFrom;
  const host = fields.host < 0 ? "" : fields.value(bytes, fields.host);
  return {
    method: bytes.toString("latin1", head.methodFrom, head.methodTo),
    target: bytes.toString("latin1", head.pathFrom, head.pathTo) || "/",
    host: isAbsolute ? bytes.toString("latin1", head.authorityFrom, head.authorityTo) : host,
    minorVersion: head.minorVersion,
    referer: fields.find(bytes, "referer") ?? "",
    userAgent: fields.find(bytes, "user-agent") ?? "",
  };
}
