// The answers that the gateway gives by itself: short, plain, with the reason's code in a field.

import { type ReasonCode, reasons } from "../../core/base/reasons.ts";

const statusTexts: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  408: "Request Timeout",
  414: "URI Too Long",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** The whole message. An answer to HEAD has the head of the others and no body. */
export function ownAnswer(
  code: ReasonCode,
  options: {
    readonly toHead: boolean;
    readonly close: boolean;
    readonly keepAlive: boolean;
    /** When the client may come again; 0: not said. */
    readonly retryAfterMs?: number;
  },
): Buffer {
  const { status, sentence } = reasons[code];
  const { retryAfterMs = 0 } = options;
  const body = `${status} ${statusTexts[status]}\n${sentence}\nreason: ${code}\n`;
  const connection = options.close ? "close" : options.keepAlive ? "keep-alive" : "";
  const head = [
    `HTTP/1.1 ${status} ${statusTexts[status]}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Cache-Control: no-store",
    `X-Nines-Reason: ${code}`,
    ...(retryAfterMs > 0 ? [`Retry-After: ${Math.ceil(retryAfterMs / 1000)}`] : []),
    ...(connection === "" ? [] : [`Connection: ${connection}`]),
  ].join("\r\n");
  return Buffer.from(`${head}\r\n\r\n${options.toHead ? "" : body}`);
}
