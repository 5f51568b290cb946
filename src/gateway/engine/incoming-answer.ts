// An answer on its way to the client: how its body comes, how it leaves, and what each of the two
// connections is good for after it.

import { assert } from "../../core/base/assert.ts";
import { BODY_FAULT, BodyReader } from "../http1/body.ts";
import { writeLastChunk, writeRun } from "../http1/body-out.ts";
import {
  connectionWord,
  type ConnectionWord,
  writeResponseHead,
} from "../http1/forward-response.ts";
import { type Framing, framing } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { Writer } from "../http1/writer.ts";
import { PASSED_BYTES_MIN } from "../transport/wire.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";

export class IncomingAnswer {
  readonly #body = new BodyReader();
  #framing: Framing = framing.none;
  /** Its bytes leave as they come: neither side has them in chunks. */
  #isPlain = false;
  /** 0 before the final head has come. */
  status = 0;
  /** Heads with 1xx that came before it. */
  interims = 0;
  keepsInstanceConnection = false;
  keepsClient = false;

  start(): void {
    this.status = 0;
    this.interims = 0;
  }

  get complete(): boolean {
    return this.#body.done;
  }

  /** The instance's close is its end. */
  get endsByClose(): boolean {
    return this.#body.untilClose;
  }

  /** Our close is its end: a client would take any close for it. */
  get leavesUntilClose(): boolean {
    return this.#framing === framing.untilClose;
  }

  /**
   * Appends the final head. `mayKeep`: nothing but the messages decides about the client's
   * connection. `added`: a line of our own.
   */
  writeHead(
    out: Writer,
    bytes: Buffer,
    start: number,
    head: ResponseHead,
    request: OutgoingRequest,
    mayKeep: boolean,
    added?: Buffer,
  ): void {
    const body = head.framing(request.isHead);
    this.status = head.status;
    this.#body.start(body, head.fields.contentLength);
    this.#framing = framingTo(request.minorVersion, body);
    this.#isPlain = body !== framing.chunked && this.#framing !== framing.chunked;
    // With a request that is not over, neither side knows where the next one would begin.
    const settled = request.complete && body !== framing.untilClose;
    this.keepsInstanceConnection = head.keepsAlive && settled;
    this.keepsClient =
      mayKeep && request.keepsAlive && request.complete && this.#framing !== framing.untilClose;
    writeResponseHead(out, bytes, start, head, {
      body: this.#framing,
      toHead: request.isHead,
      clientMinorVersion: request.minorVersion,
      connection: this.#connectionWord(request.minorVersion),
      added,
    });
  }

  /** So many bytes of it leave as they came, and are enough to be sent from where they lie. */
  passes(byteCount: number): boolean {
    return byteCount >= PASSED_BYTES_MIN && this.#isPlain && !this.complete;
  }

  /** The end of what of [from, to), which passes, belongs to it. */
  pass(bytes: Buffer, from: number, to: number): number {
    const end = this.#body.step(bytes, from, to);
    assert(end > from, "a body without chunks has no faults");
    if (end < to) this.keepsInstanceConnection = false;
    return end;
  }

  /** Appends the body's runs in [from, to), and its end. False for a fault. */
  writeBody(out: Writer, bytes: Buffer, from: number, to: number): boolean {
    const body = this.#body;
    const chunked = this.#framing === framing.chunked;
    let next = from;
    while (next < to && !body.done) {
      next = body.step(bytes, next, to);
      if (next === BODY_FAULT) return false;
      if (body.dataTo > body.dataFrom) writeRun(out, chunked, bytes, body.dataFrom, body.dataTo);
    }
    // More than the answer: the connection is out of step.
    if (next < to) this.keepsInstanceConnection = false;
    if (body.done) this.writeEnd(out);
    return true;
  }

  writeEnd(out: Writer): void {
    if (this.#framing === framing.chunked) writeLastChunk(out);
  }

  #connectionWord(minorVersion: number): ConnectionWord {
    if (!this.keepsClient) return connectionWord.close;
    return minorVersion === 0 ? connectionWord.keepAlive : connectionWord.none;
  }
}

/**
 * A body until close is sent in chunks to those who know them: its end is then told from a loss.
 */
function framingTo(minorVersion: number, body: Framing): Framing {
  if (body !== framing.untilClose && body !== framing.chunked) return body;
  return minorVersion === 1 ? framing.chunked : framing.untilClose;
}
