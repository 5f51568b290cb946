// A request on its way to an instance: what must be known of it, and what is kept of it.
//
// Kept is all that was or will be sent, head and body, framed as it leaves, so that another attempt
// is the same bytes again. It is kept while the body fits in the route's `replayBytes`, and until
// there is a connection to send it on; a larger body is let go as it is sent, and then nothing is
// repeated.
//
// Most requests are one small head, kept for as long as an instance takes to answer. It is kept in
// the same memory as the one before, unless a write may still hold that.

import { BODY_FAULT, BodyReader } from "../http1/body.ts";
import { writeLastChunk, writeRun } from "../http1/body-out.ts";
import { type RequestEdits, writeRequestHead } from "../http1/forward-request.ts";
import { methodTrait, methodTraitOf } from "../http1/methods.ts";
import type { ReasonCode } from "../../core/base/reasons.ts";
import { framing, type RequestHead } from "../http1/request-head.ts";
import type { Writer } from "../http1/writer.ts";
import { PASSED_BYTES_MIN } from "../transport/wire.ts";

/** What of one read is kept without an allocation. */
const ROOM_BYTES = 4096;
const NOTHING = Buffer.alloc(0);

export class OutgoingRequest {
  readonly #body = new BodyReader();
  #chunked = false;
  #bodyBytes = 0;
  isHead = false;
  minorVersion = 1;
  keepsAlive = false;
  wantsUpgrade = false;
  /** The client may be waiting for 100 Continue before it sends the body. */
  awaitsContinue = false;
  #isIdempotent = false;
  #forgotten = false;
  readonly kept: Buffer[] = [];
  #room: Buffer | undefined = undefined;
  /** Of its beginning: heads tend to be as long as the one before. */
  #view: Buffer = NOTHING;

  /** All of it has come from the client. */
  get complete(): boolean {
    return this.#body.done;
  }

  get fault(): ReasonCode {
    return this.#body.fault;
  }

  /** Sending it twice does what sending it once does, and all that was sent is here. */
  get repeatable(): boolean {
    return this.#isIdempotent && !this.#forgotten && !this.wantsUpgrade;
  }

  start(bytes: Buffer, head: RequestHead): void {
    const trait = methodTraitOf(bytes, head.methodFrom, head.methodTo);
    this.#isIdempotent = trait !== methodTrait.other;
    this.isHead = trait === methodTrait.head;
    this.minorVersion = head.minorVersion;
    this.keepsAlive = head.keepsAlive;
    this.wantsUpgrade = head.fields.upgrade >= 0 && head.wantsUpgrade(bytes);
    this.awaitsContinue = head.fields.expect >= 0 && head.framing !== framing.none;
    this.#chunked = head.framing === framing.chunked;
    this.#body.start(head.framing, head.fields.contentLength);
    this.#forgotten = false;
  }

  /** Keeps the head and what has come of the body. Returns the index after it, or BODY_FAULT. */
  keepHead(out: Writer, bytes: Buffer, head: RequestHead, to: number, edits: RequestEdits): number {
    out.clear();
    writeRequestHead(out, bytes, head, edits);
    const headBytes = out.used;
    const next = head.end === to ? to : this.writeBody(out, bytes, head.end, to);
    if (next === BODY_FAULT) return next;
    this.#bodyBytes = out.used - headBytes;
    this.kept.push(this.#takeFirst(out));
    return next;
  }

  #takeFirst(out: Writer): Buffer {
    if (out.used > ROOM_BYTES) return out.take();
    this.#room ??= Buffer.allocUnsafeSlow(ROOM_BYTES);
    if (this.#view.length !== out.used) this.#view = this.#room.subarray(0, out.used);
    out.takeInto(this.#view);
    return this.#view;
  }

  /** A write has not been taken whole: what it holds is never written to again. */
  leaveToWrite(): void {
    this.#room = undefined;
    this.#view = NOTHING;
  }

  /**
   * Appends the body's runs in [from, to) to the writer. Returns the index after, or BODY_FAULT.
   */
  writeBody(out: Writer, bytes: Buffer, from: number, to: number): number {
    const body = this.#body;
    let next = from;
    while (next < to && !body.done) {
      next = body.step(bytes, next, to);
      if (next === BODY_FAULT) return BODY_FAULT;
      if (body.dataTo > body.dataFrom) {
        writeRun(out, this.#chunked, bytes, body.dataFrom, body.dataTo);
      }
    }
    if (next > from && body.done && this.#chunked) writeLastChunk(out);
    return next;
  }

  /** Of so many bytes more the body's are not kept, leave as they came, and are enough for that. */
  passes(byteCount: number, replayBytes: number): boolean {
    if (byteCount < PASSED_BYTES_MIN || this.#chunked) return false;
    const ownBytes = Math.min(byteCount, this.#body.remainingBytes);
    return ownBytes >= PASSED_BYTES_MIN && !this.fits(ownBytes, replayBytes);
  }

  /** The end of what of [from, to), which passes, belongs to it. */
  pass(bytes: Buffer, from: number, to: number): number {
    return this.#body.step(bytes, from, to);
  }

  /** Whether `byteCount` more of the body would still be kept. */
  fits(byteCount: number, replayBytes: number): boolean {
    return !this.#forgotten && this.#bodyBytes + byteCount <= replayBytes;
  }

  keep(bytes: Buffer): void {
    this.#bodyBytes += bytes.length;
    this.kept.push(bytes);
  }

  forget(): void {
    this.#forgotten = true;
    this.#bodyBytes = 0;
    // An array that is set to no length begins to grow anew.
    while (this.kept.length > 0) this.kept.pop();
  }
}
