// One line of the access log for one request, as JSON or in Apache's "combined" form. Pure.
//
// What may be written is listed here, field by field, and nothing else is ever taken from a
// request: no Authorization, no cookie, no body. A query stays out unless it is asked for, also
// that of a Referer, since tokens travel in queries. Texts of clients are escaped, so that no
// request can write a line of its own, and cut at TEXT_LENGTH_MAX.

import { allReasons, type EndingCode } from "../../core/base/reasons.ts";
import type { AccessLogPolicy } from "../../core/route/table.ts";

/** Of a text that a client sent. */
const TEXT_LENGTH_MAX = 2_048;

/** What is taken of a request's head. */
export interface LoggedHead {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly host: string;
  readonly minorVersion: number;
  readonly referer: string;
  readonly userAgent: string;
}

export interface AccessEntry {
  /** Undefined for a tcp connection, and for a head that was refused. */
  readonly head: LoggedHead | undefined;
  /** Its address. */
  readonly client: string;
  readonly protocol: "http" | "tcp";
  /** When it ended. */
  readonly wallMs: number;
  readonly durationMs: number;
  /** Until the last try began: in the queue, and with earlier tries. */
  readonly waitedMs: number;
  /** 0: the client was sent none. */
  readonly status: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly route: string;
  readonly service: string;
  readonly instance: string;
  readonly tries: number;
  readonly why: EndingCode | undefined;
}

type FieldName =
  | "at"
  | "client"
  | "protocol"
  | "method"
  | "host"
  | "path"
  | "status"
  | "durationMs"
  | "waitedMs"
  | "receivedBytes"
  | "sentBytes"
  | "route"
  | "service"
  | "instance"
  | "tries"
  | "reason"
  | "state"
  | "referer"
  | "userAgent";

/** The fields of a JSON line in their order; null where there is nothing to say. */
export const accessFields: Readonly<Record<FieldName, string>> = {
  at: "When the request ended, in UTC.",
  client: "The address of whoever connected.",
  protocol: "`HTTP/1.1`, `HTTP/1.0`, or `tcp` for a connection of a tcp listener.",
  method: "Null for a head that was refused, as are the next two.",
  host: "What the request asks for as its host, as sent.",
  path: "As sent; with its query only where the file says `query: true`.",
  status: "Of the answer, also when it broke off later; null when none was begun.",
  durationMs: "Whole request head to the end.",
  waitedMs: "Of this, until the last try began: in the queue, and with earlier tries.",
  receivedBytes: "From the client, heads included.",
  sentBytes: "To the client, heads included; 0 for an answer of the gateway's own.",
  route: "As in the metrics; null when none was known, as are the next two.",
  service: "The route's service.",
  instance: "Which one was tried last.",
  tries: "How many were begun, hedges not counted.",
  reason: "Why it did not end with an instance's whole answer; null when it did.",
  state: "The same as HAProxy's termination state; `--` when nothing was wrong.",
  referer: "Without its query, as the path.",
  userAgent: "As sent.",
};

export function accessLine(
  entry: AccessEntry,
  { format, query }: Pick<AccessLogPolicy, "format" | "query">,
): string {
  return format === "json" ? jsonLine(entry, query) : combinedLine(entry, query);
}

function jsonLine(entry: AccessEntry, query: boolean): string {
  const { head, why, status } = entry;
  const protocol = entry.protocol === "tcp" ? "tcp" : `HTTP/1.${head?.minorVersion ?? 1}`;
  const path = head === undefined ? "null" : text(queryless(head.target, query));
  return (
    `{"at":"${iso(entry.wallMs)}","client":${text(entry.client)},"protocol":"${protocol}",` +
    `"method":${text(head?.method)},"host":${text(head?.host)},"path":${path},` +
    `"status":${status === 0 ? "null" : status},` +
    `"durationMs":${round(entry.durationMs)},"waitedMs":${round(entry.waitedMs)},` +
    `"receivedBytes":${entry.receivedBytes},"sentBytes":${entry.sentBytes},` +
    `"route":${text(entry.route)},"service":${text(entry.service)},` +
    `"instance":${text(entry.instance)},"tries":${entry.tries},` +
    `"reason":${why === undefined ? "null" : `"${why}"`},` +
    `"state":"${why === undefined ? "--" : allReasons[why].state}",` +
    `"referer":${text(head && queryless(head.referer, query))},"userAgent":${text(head?.userAgent)}}\n`
  );
}

/** nginx' status for a client that has gone. */
const CLIENT_GONE = 499;

function combinedLine(entry: AccessEntry, query: boolean): string {
  const { head, client, sentBytes, why } = entry;
  const isClients = why !== undefined && allReasons[why].state.startsWith("C");
  const status = entry.status === 0 && isClients ? CLIENT_GONE : entry.status;
  const target = head === undefined ? "-" : queryless(head.target, query);
  const line =
    head === undefined ? "-" : `${head.method} ${quoted(target)} HTTP/1.${head.minorVersion}`;
  const referer = head === undefined ? "" : queryless(head.referer, query);
  return (
    `${client === "" ? "-" : client} - - [${clf(entry.wallMs)}] "${line}" ` +
    `${String(status).padStart(3, "0")} ${sentBytes} ` +
    `"${quoted(referer) || "-"}" "${quoted(head?.userAgent ?? "") || "-"}"\n`
  );
}

function queryless(target: string, query: boolean): string {
  const at = query ? -1 : target.indexOf("?");
  return at < 0 ? target : target.slice(0, at);
}

function text(value: string | undefined): string {
  return value === undefined || value === "" ? "null" : plain(JSON.stringify(cut(value)));
}

/** JSON leaves C1's control characters as they are: a new line to some, an order to a terminal. */
function plain(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

function cut(value: string): string {
  return value.length > TEXT_LENGTH_MAX ? value.slice(0, TEXT_LENGTH_MAX) : value;
}

/** As Apache does: what could end the quotes or the line is written as \xHH. */
function quoted(value: string): string {
  return cut(value).replace(/[^\x20-\x7e]|["\\]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

// Most lines are of the same second as the one before.
let secondMs = -1;
let secondIso = "";
let secondClf = "";

function tellSecond(wallMs: number): void {
  const startMs = Math.floor(wallMs / 1000) * 1000;
  if (startMs === secondMs) return;
  secondMs = startMs;
  const date = new Date(startMs);
  secondIso = date.toISOString().slice(0, -4);
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) (\S+)/.exec(date.toUTCString()) ?? [];
  secondClf = `${day}/${month}/${year}:${time} +0000`;
}

function iso(wallMs: number): string {
  tellSecond(wallMs);
  return `${secondIso}${String(Math.floor(wallMs - secondMs)).padStart(3, "0")}Z`;
}

function clf(wallMs: number): string {
  tellSecond(wallMs);
  return secondClf;
}
