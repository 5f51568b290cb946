// The access log of one worker: who is logged, and what of it is remembered until it ends.
//
// Off, it costs a request some comparisons. On, a request's method, target and three fields are
// copied when its head has been read, since the bytes are gone at its end; the line is put together
// then (access-line.ts), and written later (line-file.ts). What went well is sampled; what did not
// is always logged, and so every head is remembered: whether it will fail is not known when it
// begins.

import { type ReasonCode, reasons } from "../../core/base/reasons.ts";
import type { AccessLogPolicy } from "../../core/route/table.ts";
import type { Fields } from "../http1/fields.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { Writer } from "../http1/writer.ts";
import { type AccessEntry, LoggedHead, writeAccessLine } from "./access-line.ts";
import type { LineFile } from "./line-file.ts";

const LINE_BYTES = 16_384;

/** A request or connection that may be logged, as far as it has come. Kept for the next one. */
export class LoggedRequest {
  client = "";
  receivedBytes = 0;
  sentBytes = 0;
  instance = "";
  tries = 0;
  waitedMs = 0;
  #hasHead = false;
  /** Made for the first that has one: no connection of a tcp listener has. */
  #head: LoggedHead | undefined = undefined;

  /** Undefined for a connection of a tcp listener, and for a head that was refused. */
  get head(): LoggedHead | undefined {
    return this.#hasHead ? this.#head : undefined;
  }

  /** Forgets the one before. */
  begin(client: string, bytes?: Buffer, head?: RequestHead): this {
    this.client = client;
    this.receivedBytes = 0;
    this.sentBytes = 0;
    this.instance = "";
    this.tries = 0;
    this.waitedMs = 0;
    this.#hasHead = bytes !== undefined && head !== undefined;
    if (bytes !== undefined && head !== undefined) {
      this.#head ??= new LoggedHead();
      readLoggedHead(this.#head, bytes, head);
    }
    return this;
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
  readonly #line = new Writer(LINE_BYTES);
  readonly #refused = new LoggedRequest();

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
    writeAccessLine(this.#line, entry, this.policy);
    this.#line.flush(this.file);
  }

  /** A head that was refused (none is told then), or one that was let in nowhere. */
  refused(client: string, why: ReasonCode, at?: RefusedAt): void {
    const { status } = reasons[why];
    const { bytes, head, route = "", service = "" } = at ?? {};
    const end = { protocol: "http", durationMs: 0, status, why, route, service } as const;
    this.ended(this.#refused.begin(client, bytes, head), end);
  }
}

/** As far as it had come. */
export interface RefusedAt {
  readonly bytes: Buffer;
  readonly head: RequestHead;
  readonly route: string | undefined;
  readonly service: string | undefined;
}

const SLASH = Buffer.from("/");

function readLoggedHead(into: LoggedHead, bytes: Buffer, head: RequestHead): void {
  const { fields } = head;
  into.clear();
  into.minorVersion = head.minorVersion;
  into.add(bytes, head.methodFrom, head.methodTo);
  if (head.pathTo > head.pathFrom) into.add(bytes, head.pathFrom, head.pathTo);
  else into.add(SLASH, 0, 1);
  if (head.authorityTo > head.authorityFrom) into.add(bytes, head.authorityFrom, head.authorityTo);
  else addField(into, bytes, fields, fields.host);
  addField(into, bytes, fields, fields.indexOf(bytes, "referer"));
  addField(into, bytes, fields, fields.indexOf(bytes, "user-agent"));
}

/** `field` of -1: there is none. */
function addField(into: LoggedHead, bytes: Buffer, fields: Fields, field: number): void {
  if (field < 0) into.add(bytes, 0, 0);
  else into.add(bytes, fields.valueFrom(field), fields.valueTo(field));
}
