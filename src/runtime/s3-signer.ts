// AWS Signature Version 4, as far as a store needs it: who asks, and that nobody on the way has
// changed what is asked.
//
// The request is written down in one canonical way, and a key made of the secret, the day, the
// region and the service signs its hash. The server does the same and compares; the secret itself
// never travels. Source: "Signature Calculations for the Authorization Header", Amazon S3 API
// reference; its examples and those of AWS's test suite are s3-signer.test.ts. The path is signed
// as it is sent: S3, unlike other services, neither encodes it twice nor normalizes it.

import { createHash, createHmac } from "node:crypto";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of credentials that somebody has lent for a while. */
  readonly sessionToken?: string;
}

export interface SigningScope {
  readonly region: string;
  /** "s3". */
  readonly service: string;
}

export interface UnsignedRequest {
  readonly method: string;
  readonly url: URL;
  /** Names in lower case; all of them are signed, and so are the host and the date. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body, in hexadecimal. */
  readonly bodyHash: string;
}

const algorithm = "AWS4-HMAC-SHA256";

/** The headers to send: those given, the date, and the signature over all of them. */
export function sign(
  { method, url, headers, bodyHash }: UnsignedRequest,
  { accessKeyId, secretAccessKey, sessionToken }: S3Credentials,
  { region, service }: SigningScope,
  wallMs: number,
): Readonly<Record<string, string>> {
  const moment = new Date(wallMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const day = moment.slice(0, 8);
  const sent: Record<string, string> = { ...headers, "x-amz-date": moment };
  if (sessionToken !== undefined) sent["x-amz-security-token"] = sessionToken;
  const signed = Object.entries({ ...sent, host: url.host }).sort(byFirst);
  const names = signed.map(([name]) => name).join(";");
  const canonical = [
    method,
    url.pathname,
    canonicalQuery(url),
    ...signed.map(([name, value]) => `${name}:${value.trim().replaceAll(/\s+/g, " ")}`),
    "",
    names,
    bodyHash,
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = [algorithm, moment, scope, sha256Hex(canonical)].join("\n");
  let key: Uint8Array = Buffer.from(`AWS4${secretAccessKey}`);
  for (const part of scope.split("/")) key = hmac(key, part);
  const signature = Buffer.from(hmac(key, toSign)).toString("hex");
  const credential = `Credential=${accessKeyId}/${scope}`;
  const authorization = `${algorithm} ${credential}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...sent, authorization };
}

/** A query as it must be sent for the signature to fit: S3 takes no `+` for a space. */
export function queryOf(parts: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(parts).map(([name, value]) => `${encode(name)}=${encode(value)}`);
  return pairs.sort().join("&");
}

export function sha256Hex(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function canonicalQuery(url: URL): string {
  const pairs = [...url.searchParams].map(
    ([name, value]) => [encode(name), encode(value)] as const,
  );
  return pairs
    .sort(byFirst)
    .map((pair) => pair.join("="))
    .join("&");
}

/** By name, then by value, in the order of bytes. */
function byFirst(a: readonly [string, string], b: readonly [string, string]): number {
  const [left, right] = a[0] === b[0] ? [a[1], b[1]] : [a[0], b[0]];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Everything but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  const escape = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, escape);
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac("sha256", key).update(text).digest();
}
