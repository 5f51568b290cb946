// A store that speaks S3 and is as strict as the real ones: it works the signature out for itself
// from the bytes that came, holds bodies against both of their hashes, knows what each credential
// may do, and gives short pages. It can be told to misbehave.
//
// Written from the S3 API reference, not from the client: what both have wrong in the same way is
// found by AWS's own vectors (s3-signer.test.ts) and by a server from npm (s3.process.test.ts).

import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Action = "put" | "get" | "list" | "delete";

export interface StoreUser {
  readonly secretAccessKey: string;
  readonly may: readonly Action[];
}

/** What to do with one request instead of answering it; undefined: answer it. */
export type Trouble = (request: {
  readonly method: string;
  readonly path: string;
  readonly number: number;
}) => TroubleAnswer | "hang" | "cut" | undefined;

export interface TroubleAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface S3Store extends AsyncDisposable {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly objects: Map<string, Uint8Array>;
  readonly users: Map<string, StoreUser>;
  /** Requests so far: "PUT pack/0f". */
  readonly requests: string[];
  trouble: Trouble | undefined;
  /** How far its clock is ahead of this machine's. */
  aheadMs: number;
  pageMax: number;
}

export const owner = { accessKeyId: "owner", secretAccessKey: "secret-of-the-owner" };
export const writer = { accessKeyId: "writer", secretAccessKey: "secret-of-the-writer" };

interface Asked {
  readonly request: IncomingMessage;
  readonly body: Buffer;
  readonly url: URL;
}

class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

const skewMsMax = 900_000;

export async function startS3Store(): Promise<S3Store> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => answer(store, request, response, Buffer.concat(pieces)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const store: S3Store = {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: "vaults",
    region: "eu-test-1",
    objects: new Map(),
    users: new Map([
      [owner.accessKeyId, { ...owner, may: ["put", "get", "list", "delete"] }],
      [writer.accessKeyId, { ...writer, may: ["put", "get", "list"] }],
    ]),
    requests: [],
    trouble: undefined,
    aheadMs: 0,
    pageMax: 1_000,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return store;
}

function answer(
  store: S3Store,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): void {
  const url = new URL(request.url ?? "/", store.endpoint);
  const { method = "" } = request;
  store.requests.push(`${method} ${url.pathname.replace(`/${store.bucket}/`, "")}`);
  response.setHeader("date", new Date(Date.now() + store.aheadMs).toUTCString());
  const trouble = store.trouble?.({ method, path: url.pathname, number: store.requests.length });
  if (trouble === "hang") return;
  if (trouble === "cut") {
    response.writeHead(200, { "content-length": "1000" });
    response.write("begun");
    setImmediate(() => response.destroy());
    return;
  }
  if (trouble !== undefined) {
    response.writeHead(trouble.status, trouble.headers);
    response.end(trouble.body);
    return;
  }
  try {
    serve(store, { request, body, url }, response);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const text = `<?xml version="1.0"?><Error><Code>${error.code}</Code><Message>No.</Message></Error>`;
    response.writeHead(error.status, { "content-type": "application/xml" });
    response.end(text);
  }
}

function serve(store: S3Store, asked: Asked, response: ServerResponse): void {
  const user = authenticated(store, asked);
  const { request, body, url } = asked;
  const need = (action: Action) => {
    if (!user.may.includes(action)) throw new Refusal(403, "AccessDenied");
  };
  const { bucket, key } = placeOf(store, request, url);
  if (bucket !== store.bucket) throw new Refusal(404, "NoSuchBucket");
  if (request.method === "PUT") {
    need("put");
    // Who may not delete may not replace either.
    if (store.objects.has(key)) need("delete");
    store.objects.set(key, new Uint8Array(body));
    response.writeHead(200).end();
  } else if (request.method === "DELETE") {
    need("delete");
    store.objects.delete(key);
    response.writeHead(204).end();
  } else if (key === "") {
    need("list");
    response.writeHead(200).end(listing(store, url.searchParams));
  } else {
    need("get");
    give(store.objects.get(key), request.headers.range ?? "", response);
  }
}

/** By the host's first label where it is the bucket's name, else by the path's first part. */
function placeOf(
  store: S3Store,
  request: IncomingMessage,
  url: URL,
): { readonly bucket: string; readonly key: string } {
  const path = decodeURIComponent(url.pathname).slice(1);
  if (request.headers.host?.startsWith(`${store.bucket}.`) === true) {
    return { bucket: store.bucket, key: path };
  }
  const [bucket = "", ...rest] = path.split("/");
  return { bucket, key: rest.join("/") };
}

function give(bytes: Uint8Array | undefined, range: string, response: ServerResponse): void {
  if (bytes === undefined) throw new Refusal(404, "NoSuchKey");
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
  if (first === undefined) return void response.writeHead(200).end(bytes);
  if (Number(first) >= bytes.length) throw new Refusal(416, "InvalidRange");
  response.writeHead(206).end(bytes.subarray(Number(first), Number(last) + 1));
}

function listing({ objects, pageMax }: S3Store, query: URLSearchParams): string {
  if (query.get("list-type") !== "2") throw new Refusal(400, "InvalidArgument");
  const prefix = query.get("prefix") ?? "";
  const after = query.get("start-after") ?? "";
  const all = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const keys = all.slice(0, Math.min(pageMax, Number(query.get("max-keys"))));
  const entries = keys.map((key) => `<Contents><Key>${escaped(key)}</Key></Contents>`).join("");
  const isTruncated = `<IsTruncated>${keys.length < all.length}</IsTruncated>`;
  return `<?xml version="1.0"?><ListBucketResult>${isTruncated}${entries}</ListBucketResult>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** Throws unless the request was signed by a user, now, and with this body. */
function authenticated(store: S3Store, { request, body }: Omit<Asked, "url">): StoreUser {
  const { headers } = request;
  const scoped = "Credential=([^/]+)/(\\d{8})/([^/]+)/s3/aws4_request";
  const signedAs = "SignedHeaders=([^,]+), Signature=([0-9a-f]{64})";
  const pattern = new RegExp(`^AWS4-HMAC-SHA256 ${scoped}, ${signedAs}$`);
  const [, id = "", day = "", region = "", names = "", signature = ""] =
    pattern.exec(headers.authorization ?? "") ?? [];
  const user = store.users.get(id);
  if (user === undefined) throw new Refusal(403, "InvalidAccessKeyId");
  if (region !== store.region) throw new Refusal(400, "AuthorizationHeaderMalformed");
  const moment = String(headers["x-amz-date"]);
  const [, year, month, date, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(moment) ?? [];
  const atMs = Date.parse(`${year}-${month}-${date}T${hour}:${minute}:${second}Z`);
  const skewMs = Math.abs(atMs - (Date.now() + store.aheadMs));
  if (!(skewMs <= skewMsMax)) throw new Refusal(403, "RequestTimeTooSkewed");
  for (const needed of ["host", "x-amz-date", "x-amz-content-sha256"]) {
    if (!names.split(";").includes(needed)) throw new Refusal(403, "SignatureDoesNotMatch");
  }
  const hash = createHash("sha256").update(body).digest("hex");
  if (headers["x-amz-content-sha256"] !== hash) throw new Refusal(400, "XAmzContentSHA256Mismatch");
  const md5 = createHash("md5").update(body).digest("base64");
  if (request.method === "PUT" && headers["content-md5"] !== md5)
    throw new Refusal(400, "BadDigest");
  const [path = "", query = ""] = (request.url ?? "").split("?");
  const sent = names.split(";").map((name) => `${name}:${String(headers[name])}\n`);
  const ordered = query.split("&").sort().join("&");
  const canonical = [request.method, path, ordered, sent.join(""), names, hash].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  const hmac = (key: string | Buffer, text: string) =>
    createHmac("sha256", key).update(text).digest();
  const key = hmac(
    hmac(hmac(hmac(`AWS4${user.secretAccessKey}`, day), region), "s3"),
    "aws4_request",
  );
  const expected = hmac(key, `AWS4-HMAC-SHA256\n${moment}\n${scope}\n${digest}`).toString("hex");
  if (signature !== expected) throw new Refusal(403, "SignatureDoesNotMatch");
  return user;
}
