// A target that misbehaves in every way that ports/target.ts allows, one at a time.

import { type Target, TargetError } from "../../src/ports/target.ts";

/** What it says itself; a backup beside it knows at once. */
export const saidTroubles = [
  "full",
  "read-only",
  "late", // It has put, and answers after the deadline.
  "hung", // It has not put, and never answers.
] as const;

/** What it does behind a friendly answer; found by who reads. */
export const hiddenTroubles = ["forgets", "cuts short", "changes a bit", "misreads"] as const;

export type Trouble = (typeof saidTroubles)[number] | (typeof hiddenTroubles)[number];

export class TroubledTarget implements Target {
  readonly name: string;
  readonly domain: string;
  readonly isAppendOnly = false;
  trouble: Trouble | undefined;
  readonly #inner: Target;

  constructor(inner: Target) {
    this.name = inner.name;
    this.domain = inner.domain;
    this.#inner = inner;
  }

  async put(name: string, pieces: readonly Uint8Array[]): Promise<void> {
    const what = `put ${name}`;
    switch (this.trouble) {
      case "full":
      case "read-only":
        throw this.#error(this.trouble, what);
      case "hung":
        throw this.#error("timeout", what);
      case "late":
        await this.#inner.put(name, pieces);
        throw this.#error("timeout", what);
      case "forgets":
        return;
      case "cuts short": {
        const bytes = Buffer.concat(pieces);
        return this.#inner.put(name, [bytes.subarray(0, 1 + (bytes.length >> 1))]);
      }
      case "changes a bit":
        return this.#inner.put(name, [withChangedBit(Buffer.concat(pieces))]);
      default:
        return this.#inner.put(name, pieces);
    }
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    if (this.trouble === "hung") throw this.#error("timeout", `read ${name}`);
    const bytes = await this.#inner.read(name, offset, length);
    return this.trouble === "misreads" ? withChangedBit(bytes.slice()) : bytes;
  }

  async list(kind: string, after: string): Promise<readonly string[]> {
    if (this.trouble === "hung") throw this.#error("timeout", `list ${kind}`);
    return this.#inner.list(kind, after);
  }

  async remove(name: string): Promise<void> {
    if (this.trouble === "read-only") throw this.#error("read-only", `remove ${name}`);
    if (this.trouble === "hung") throw this.#error("timeout", `remove ${name}`);
    return this.#inner.remove(name);
  }

  async clean(): Promise<void> {
    if (this.trouble === undefined) await this.#inner.clean();
  }

  freeBytes(): Promise<number | undefined> {
    return this.#inner.freeBytes();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #error(kind: "full" | "read-only" | "timeout", what: string): TargetError {
    return new TargetError(kind, `Target ${this.name} could not ${what}: ${kind}`);
  }
}

/** Of what comes after a shard's header, where there is such. */
function withChangedBit(bytes: Uint8Array): Uint8Array {
  const at = bytes.length > 128 ? 128 + (bytes.length % (bytes.length - 128)) : bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  return bytes;
}
