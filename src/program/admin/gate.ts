// Who may ask over TCP: whoever has the token, of a program rather than of somebody's browser.
//
// A unix socket is guarded by its mode; a TCP port of this machine is open to every user and every
// web page that runs on it. So each request needs a bearer token (one that may do all, one that may
// only look, for Prometheus). Digests are compared, in constant time. A wrong token is answered
// after a second, and few such answers wait at once: guessing is bounded, and what keeps it
// hopeless is the token's length (tokens.ts). The right token is never made to wait, or guessing
// would be a way to lock the operator out. What lasts (a stream) ends with its token.
//
// A person at a browser gives the token as the password of HTTP's Basic, and may look: a browser
// sends that by itself from then on, so it is never taken for an order.
//
// A page of somebody else's is kept out twice over: Host must be an address, localhost or a name
// from the file (DNS rebinding brings the attacker's name), a foreign Origin is refused, and an
// order must be JSON, which a form cannot send (CSRF).

import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { Refusal, refusal } from "./refusal.ts";
import { digestOf, type Tokens } from "./tokens.ts";

/** Throws a Refusal unless the request may be answered. */
export type Gate = (request: IncomingMessage) => Promise<Grant>;

/** Whether what let the request in still does: an answer may last longer than a token. */
export type Grant = () => boolean;

export interface GateOptions {
  /** Those in force now; undefined lets nobody pass. */
  readonly tokens: () => Tokens | undefined;
  /** Names that the machine is asked by, beside addresses and localhost. */
  readonly hosts: () => readonly string[];
  /** Takes WRONG_TOKEN_DELAY_MS. */
  readonly delay: () => Promise<void>;
  /** Somebody had no right token. */
  readonly turnedAway: (address: string) => void;
}

export const WRONG_TOKEN_DELAY_MS = 1000;
export const WRONG_TOKENS_WAITING_MAX = 8;

export function createGate(options: GateOptions): Gate {
  let waiting = 0;

  async function turnAway(request: IncomingMessage): Promise<never> {
    options.turnedAway(request.socket.remoteAddress ?? "an unknown address");
    if (waiting >= WRONG_TOKENS_WAITING_MAX) {
      const what = "Too many requests without the right token.";
      throw new Refusal(429, what, "NINES_ADMIN_TOKEN");
    }
    waiting++;
    await options.delay().finally(() => waiting--);
    const what = "The request has no token that this Nines knows.";
    throw new Refusal(401, what, "NINES_ADMIN_TOKEN");
  }

  return async (request) => {
    checkHost(request.headers.host ?? "", options.hosts());
    checkOrigin(request);
    const right = rightOf(request.headers.authorization, options.tokens());
    if (right === "none") return turnAway(request);
    const { authorization } = request.headers;
    const grant: Grant = () => rightOf(authorization, options.tokens()) !== "none";
    if (request.method === "GET") return grant;
    if (right === "look") {
      const what = `This token may look, and not ask for ${request.method} ${request.url}.`;
      throw new Refusal(403, what, "NINES_ADMIN_READ_ONLY");
    }
    checkContentType(request.headers["content-type"] ?? "");
    return grant;
  };
}

function rightOf(
  authorization: string | undefined,
  tokens: Tokens | undefined,
): "all" | "look" | "none" {
  const [, scheme = "", given = ""] =
    /^(Bearer|Basic) +([^ ]+) *$/i.exec(authorization ?? "") ?? [];
  if (given === "" || tokens === undefined) return "none";
  const isPerson = scheme.toLowerCase() === "basic";
  const token = isPerson ? passwordOf(given) : given;
  const digest = digestOf(token);
  // Both are compared, whatever the first says.
  const all = timingSafeEqual(digest, tokens.all);
  const look = tokens.look !== undefined && timingSafeEqual(digest, tokens.look);
  if (all) return isPerson ? "look" : "all";
  return look ? "look" : "none";
}

/** Of "user:password" in base64, whoever the user is. */
function passwordOf(given: string): string {
  const words = Buffer.from(given, "base64").toString("latin1");
  return words.slice(words.indexOf(":") + 1);
}

/** The host of "host:port", "[::1]:port" or either without its port, in lower case. */
function hostOf(authority: string): string {
  const [, bracketed, name] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(authority) ?? [];
  return (bracketed ?? name ?? "").toLowerCase();
}

function checkHost(authority: string, hosts: readonly string[]): void {
  const host = hostOf(authority);
  if (isIP(host) !== 0 || host === "localhost" || hosts.includes(host)) return;
  const remedy = "Ask by an address, or add the name to `admin.hosts`.";
  throw refusal(403, `This Nines is not asked as ${JSON.stringify(authority)}. ${remedy}`);
}

function checkOrigin({ headers }: IncomingMessage): void {
  const { origin, host } = headers;
  if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) return;
  throw refusal(403, `A page of ${JSON.stringify(origin)} asks; this API is not for other pages.`);
}

function checkContentType(type: string): void {
  if (/^application\/json\s*(;|$)/i.test(type)) return;
  throw refusal(415, `The content type is "${type}"; orders are sent as application/json.`);
}
