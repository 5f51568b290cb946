// A bucket of an S3-compatible store as a target.
//
// A PUT shows an object whole or not at all, and such stores are consistent since 2020: what was
// acknowledged is listed. So an object is one key, `PREFIX/kind/leaf`, put in one request; nothing
// half written is ever left, and there is nothing to clean. Parts (multipart uploads) are for
// objects larger than any shard.
//
// A store may answer with fewer names than asked for, and a hostile one with endless pages that
// lead nowhere: a page is asked for until it is full or the store says that it has no more, each
// answer must lead on, and none is asked for once the time of the call is over.

import { assert } from "../core/base/assert.ts";
import type { Clock } from "../ports/clock.ts";
import { listPageMax, type Target, TargetError } from "../ports/target.ts";
import {
  type S3Answer,
  S3Client,
  type S3ClientOptions,
  type S3Request,
  tagOf,
  unescapeXml,
} from "./s3-client.ts";

export interface S3TargetOptions extends S3ClientOptions {
  readonly name: string;
  readonly domain: string;
  /** What all keys begin with, without a slash at its end; "" for none. */
  readonly prefix: string;
}

const namePattern = /^[a-z]{1,32}\/[0-9a-f][0-9A-Za-z.-]{0,199}$/;
/** A thousand keys of a kilobyte, with what stands around them. */
const listBytesMax = 4_194_304;

export function createS3Target(options: S3TargetOptions): Target {
  return new S3Target(options);
}

class S3Target implements Target {
  readonly name: string;
  readonly domain: string;
  readonly isAppendOnly = false;
  readonly #client: S3Client;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(options: S3TargetOptions) {
    this.name = options.name;
    this.domain = options.domain;
    this.#client = new S3Client(options);
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#prefix = options.prefix === "" ? "" : `${options.prefix}/`;
  }

  async put(name: string, pieces: readonly Uint8Array[]): Promise<void> {
    // One piece of memory: `fetch` would send a stream without its length, which S3 refuses.
    const body = Buffer.concat(pieces);
    await this.#send({ method: "PUT", key: this.#key(name), body, bytesMax: 0 }, `put ${name}`);
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    assert(length > 0, "some bytes are asked for");
    const headers = { range: `bytes=${offset}-${offset + length - 1}` };
    // A store that knows no ranges sends the object from its beginning.
    const bytesMax = offset + length;
    const request = { method: "GET", key: this.#key(name), headers, bytesMax } as const;
    const { status, bytes } = await this.#send({ ...request, accepts: 416 }, `read ${name}`);
    // The object ends before the offset.
    if (status === 416) return new Uint8Array(0);
    return status === 206 ? bytes.subarray(0, length) : bytes.subarray(offset, offset + length);
  }

  async list(kind: string, after: string): Promise<readonly string[]> {
    const names: string[] = [];
    const untilMs = this.#clock.monotonicMs() + this.#timeoutMs;
    let start = `${this.#prefix}${after}`;
    for (;;) {
      const query: Record<string, string> = {
        "list-type": "2",
        "max-keys": String(listPageMax),
        prefix: `${this.#prefix}${kind}/`,
      };
      if (after !== "" || names.length > 0) query["start-after"] = start;
      const request = { method: "GET", key: "", query, bytesMax: listBytesMax } as const;
      const { bytes } = await this.#send(request, `list ${kind}`);
      const xml = Buffer.from(bytes).toString("utf8");
      // Else the page of a proxy would say that there is nothing.
      if (!xml.trimEnd().endsWith("</ListBucketResult>")) throw this.#noList(kind, "is none");
      const keys = keysOf(xml);
      for (const key of keys) {
        const name = key.slice(this.#prefix.length);
        // What others have put here is none of ours.
        if (key.startsWith(this.#prefix) && namePattern.test(name)) names.push(name);
        if (names.length === listPageMax) return names;
      }
      if (tagOf(xml, "IsTruncated") !== "true") return names;
      const last = keys.at(-1) ?? "";
      if (last <= start) throw this.#noList(kind, "leads nowhere");
      if (this.#clock.monotonicMs() >= untilMs) {
        const within = `within ${this.#timeoutMs / 1000} s`;
        throw new TargetError("timeout", `Target ${this.name} could not list ${kind} ${within}`);
      }
      start = last;
    }
  }

  async remove(name: string): Promise<void> {
    const request = { method: "DELETE", key: this.#key(name), bytesMax: 0 } as const;
    // A 404 alone may be that of a bucket that is gone, or of a proxy.
    await this.#send({ ...request, accepts: "NoSuchKey" }, `remove ${name}`);
  }

  /** A put that was cut off has left nothing. */
  async clean(): Promise<void> {}

  async freeBytes(): Promise<number | undefined> {
    return undefined;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  #noList(kind: string, why: string): TargetError {
    const what = `Target ${this.name} could not list ${kind}: the store's list ${why}`;
    return new TargetError("io", what);
  }

  #key(name: string): string {
    if (!namePattern.test(name)) throw new TargetError("io", `"${name}" is no object's name`);
    return `${this.#prefix}${name}`;
  }

  async #send(request: Omit<S3Request, "what">, doing: string): Promise<S3Answer> {
    const what = `Target ${this.name} could not ${doing}`;
    const sending = this.#client.send({ ...request, what });
    this.#underWay.add(sending);
    try {
      return await sending;
    } finally {
      this.#underWay.delete(sending);
    }
  }
}

function keysOf(xml: string): readonly string[] {
  return [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => unescapeXml(key ?? ""));
}
