// One request to an S3-compatible store: signed, bounded in time and in bytes, tried again where
// that can help, and every refusal in words that say what to do.
//
// All of the requests that the vault makes may be made twice, for an object's name stands for its
// bytes. So whatever a busy store or a network can cause is tried again, at growing random
// distances (full jitter, Brooker, "Exponential Backoff And Jitter", 2015), until the attempts or
// the time of the call are used up. A refusal is an answer, and is not asked for again.
//
// The body's SHA-256 is part of what is signed, and its MD5 goes along: the store refuses what was
// changed on the way, and buckets with object lock demand the latter. The newer checksum headers
// are left out, since several stores refuse those that they do not know.
//
// A wrong clock is named and not corrected: leases and the grace of a prune need a right one.

import { createHash } from "node:crypto";
import type { Random } from "../core/base/prng.ts";
import type { Clock } from "../ports/clock.ts";
import { TargetError, type TargetErrorKind } from "../ports/target.ts";
import { queryOf, type S3Credentials, sha256Hex, sign } from "./s3-signer.ts";

export interface S3Place {
  /** Without a path: the scheme, the host, perhaps a port. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Whether the bucket's name stands before the host's; otherwise it begins the path. */
  readonly virtualHost: boolean;
}

export interface S3ClientOptions {
  readonly place: S3Place;
  readonly credentials: S3Credentials;
  readonly clock: Clock;
  readonly random: Random;
  /** For each call, with all its attempts. */
  readonly timeoutMs: number;
  /** Default: Node's own. */
  readonly fetch?: typeof fetch;
}

export interface S3Request {
  readonly method: "GET" | "PUT" | "DELETE";
  /** Of letters that a URL leaves as they are; "" for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** A status, or a code of an error, that is an answer as well, beside statuses of 200 to 299. */
  readonly accepts?: number | string;
  /** Of the answer; what comes after is not read. */
  readonly bytesMax: number;
  /** "Target cloud could not put pack/0f", for messages. */
  readonly what: string;
}

export interface S3Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

const attemptsMax = 5;
const backoffMs = 200;
const pauseMsMax = 10_000;
const errorBytesMax = 16_384;
const messageCharactersMax = 200;

/** What the stores call it, and what that is for the vault. */
const kindsOfCodes: Readonly<Record<string, TargetErrorKind>> = {
  NoSuchKey: "not-found",
  NoSuchBucket: "unreachable",
  QuotaExceeded: "full",
  BucketQuotaExceeded: "full",
  StorageQuotaExceeded: "full",
  XMinioStorageFull: "full",
  InsufficientStorage: "full",
  EntityTooLarge: "full",
  MethodNotAllowed: "not-allowed",
  ReadOnly: "read-only",
  XMinioServerReadOnly: "read-only",
};

interface Failure {
  readonly error: TargetError;
  /** Absent: the same again would end the same. 0: whenever one likes. */
  readonly againAfterMs?: number;
}

export class S3Client {
  readonly #options: S3ClientOptions;
  readonly #base: string;

  constructor(options: S3ClientOptions) {
    const { endpoint, bucket, virtualHost } = options.place;
    const { protocol, host } = new URL(endpoint);
    this.#options = options;
    this.#base = virtualHost ? `${protocol}//${bucket}.${host}` : `${protocol}//${host}/${bucket}`;
  }

  /** Rejects with a TargetError, "timeout" included. */
  async send(request: S3Request): Promise<S3Answer> {
    const { clock, random, timeoutMs } = this.#options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    const ending = new AbortController();
    const timer = clock.after(timeoutMs, () => ending.abort());
    try {
      for (let attempt = 1; ; attempt++) {
        const outcome = await this.#attempt(request, ending.signal);
        if (!("error" in outcome)) return outcome;
        const { error, againAfterMs } = outcome;
        if (againAfterMs === undefined || attempt === attemptsMax) throw error;
        const pauseMs = Math.max(againAfterMs, random.below(backoffMs * 2 ** attempt));
        if (clock.monotonicMs() + pauseMs >= untilMs) throw error;
        await pause(clock, pauseMs);
      }
    } finally {
      timer[Symbol.dispose]();
    }
  }

  async #attempt(request: S3Request, signal: AbortSignal): Promise<S3Answer | Failure> {
    const { method, key, query, body, bytesMax, what } = request;
    const path = key === "" ? "/" : `/${key}`;
    const url = new URL(`${this.#base}${path}${query === undefined ? "" : `?${queryOf(query)}`}`);
    const bodyHash = sha256Hex(body ?? "");
    const headers: Record<string, string> = {
      ...request.headers,
      "x-amz-content-sha256": bodyHash,
    };
    if (body !== undefined) {
      headers["content-md5"] = createHash("md5").update(body).digest("base64");
    }
    const { place, credentials, clock } = this.#options;
    const scope = { region: place.region, service: "s3" };
    const unsigned = { method, url, headers, bodyHash };
    const signed = sign(unsigned, credentials, scope, clock.wallMs());
    try {
      const answer = await (this.#options.fetch ?? fetch)(url, {
        method,
        // What is compressed on the way would be of another length than asked for.
        headers: { ...signed, "accept-encoding": "identity" },
        redirect: "manual",
        signal,
        ...(body === undefined ? {} : { body }),
      });
      const { ok, status, headers } = answer;
      const isGood = ok || status === request.accepts;
      const bytes = await readUpTo(answer, isGood ? bytesMax : errorBytesMax);
      if (isGood) return { status, headers, bytes };
      const xml = Buffer.from(bytes).toString("utf8");
      if (tagOf(xml, "Code") === request.accepts) return { status, headers, bytes };
      return this.#refusal(what, answer, xml);
    } catch (cause) {
      if (signal.aborted) return { error: this.#late(what, cause) };
      const error = new TargetError("unreachable", `${what}: ${networkWords(cause)}`, { cause });
      return { error, againAfterMs: 0 };
    }
  }

  #late(what: string, cause: unknown): TargetError {
    const seconds = this.#options.timeoutMs / 1000;
    return new TargetError("timeout", `${what} within ${seconds} s`, { cause });
  }

  #refusal(what: string, answer: Response, xml: string): Failure {
    const { status, headers } = answer;
    const code = tagOf(xml, "Code");
    const kind = kindsOfCodes[code] ?? kindOfStatus(status);
    const said = [code, tagOf(xml, "Message").slice(0, messageCharactersMax)].filter(Boolean);
    const hint = this.#hint(code, headers, xml);
    const sentence = `${what}: the store answers ${status} ${said.join(": ")}`.trimEnd();
    const error = new TargetError(kind, `${sentence.replace(/\.$/, "")}${hint}`);
    const mayPass = status >= 500 || status === 429 || status === 408 || code === "RequestTimeout";
    if (!mayPass || kind === "full" || status === 501) return { error };
    const wantedMs = 1_000 * Number(headers.get("retry-after") ?? 0);
    return { error, againAfterMs: Math.min(pauseMsMax, wantedMs > 0 ? wantedMs : 0) };
  }

  /** What the code means here, where the store's own words do not say it. */
  #hint(code: string, headers: Headers, xml: string): string {
    const { place, clock } = this.#options;
    const region = headers.get("x-amz-bucket-region") ?? tagOf(xml, "Region");
    if (code === "RequestTimeTooSkewed") {
      const aheadMs = clock.wallMs() - Date.parse(headers.get("date") ?? "");
      const seconds = Math.round(Math.abs(aheadMs) / 1_000);
      const by = Number.isNaN(aheadMs)
        ? "is"
        : `is ${seconds} s ${aheadMs < 0 ? "behind" : "ahead"}`;
      return ` (this machine's clock ${by} of the store's; set it right)`;
    }
    if (code === "SignatureDoesNotMatch") return " (the secret key is not this access key's)";
    if (/^[\w-]{1,40}$/.test(region) && region !== place.region) {
      return ` (the bucket is in region ${region}, and the file says ${place.region})`;
    }
    return "";
  }
}

function kindOfStatus(status: number): TargetErrorKind {
  if (status === 401 || status === 403) return "not-allowed";
  if (status === 404) return "not-found";
  if (status === 405) return "not-allowed";
  if (status === 507) return "full";
  return status === 503 || status === 429 ? "unreachable" : "io";
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMs, resolve));
}

/** The first so many bytes; of a body that was cut off none, for then it rejects. */
async function readUpTo(answer: Response, bytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  if (answer.body === null) return new Uint8Array(0);
  // Leaving the loop early cancels what is still on its way.
  for await (const piece of answer.body as unknown as AsyncIterable<Uint8Array>) {
    pieces.push(piece.subarray(0, bytesMax - length));
    length += piece.length;
    if (length > bytesMax) break;
  }
  return Buffer.concat(pieces);
}

/** What went wrong below HTTP: `fetch` itself says no more than "fetch failed". */
function networkWords(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  return cause.message === "" ? code || cause.name : cause.message;
}

/** The text of an element of an answer, as one line. Answers are flat where it is asked for. */
export function tagOf(xml: string, name: string): string {
  const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? "";
  return unescapeXml(found)
    .replaceAll(/\p{Cc}+/gu, " ")
    .trim();
}

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

export function unescapeXml(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{2,4}));/g, (all, ...found) => {
    const [decimal, hexadecimal, name] = found as readonly (string | undefined)[];
    if (name !== undefined) return entities[name] ?? all;
    const code = decimal === undefined ? Number.parseInt(hexadecimal ?? "", 16) : Number(decimal);
    return code <= 0x10_ffff ? String.fromCodePoint(code) : all;
  });
}
