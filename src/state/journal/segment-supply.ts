// The next segment, made before it is needed, so that an append never waits for one to be allotted
// unless the log fills faster than the disk can write zeros.
//
// What compaction takes out of the log becomes a spare, and the next segments are made of spares: a
// log that is compacted as fast as it grows writes each byte once. A compaction makes no more of
// them than the segments that it keeps, which is what the log grows by until the next one if that
// comes at the same distance; so a log that was long once does not hold its room for ever. A close
// or the next start removes spares, for by their names they are unfinished files.
//
// Here alone "no room" is no failure: nothing was written that counts. It is remembered, appends
// that need the segment are refused, and the next one after a while tries again.

import { NinesError } from "../../core/base/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { DiskFile, DiskFolder } from "../../ports/disk.ts";
import { isFull, messageOf } from "./failures.ts";
import { segmentFileName } from "./format.ts";
import type { Health } from "./health.ts";
import { type NewSegment, prepareSegment, reuseSegment } from "./segments.ts";

/** How long a refusal for want of room stands before the disk is asked again. */
const refusalMs = 100;

export interface PreparedSegment {
  readonly index: number;
  readonly fileName: string;
  readonly sizeBytes: number;
  /** Each write to it is durable. */
  readonly file: DiskFile;
}

export class SegmentSupply {
  readonly #folder: DiskFolder;
  readonly #clock: Clock;
  readonly #health: Health;
  readonly #sizeBytes: number;
  #nextIndex: number;
  #ready: PreparedSegment | undefined;
  #preparing: Promise<void> | undefined;
  #refusal: NinesError | undefined;
  #refusedAtMs = 0;
  /** Names of spares, each of `sizeBytes`; their removal from the log is durable. */
  readonly #spares: string[] = [];
  /** Called when a segment is ready, and when there is no room for one. */
  onChange: () => void = () => {};

  constructor(
    folder: DiskFolder,
    clock: Clock,
    health: Health,
    place: { readonly nextIndex: number; readonly sizeBytes: number },
  ) {
    this.#folder = folder;
    this.#clock = clock;
    this.#health = health;
    this.#nextIndex = place.nextIndex;
    this.#sizeBytes = place.sizeBytes;
  }

  get ready(): PreparedSegment | undefined {
    return this.#ready;
  }

  /** Why there is none and none is being made; undefined: wait for `onChange`, or there is one. */
  get refusal(): NinesError | undefined {
    return this.#preparing === undefined ? this.#refusal : undefined;
  }

  /** A segment that an earlier start has prepared. */
  adopt(segment: PreparedSegment): void {
    this.#ready = segment;
    this.#nextIndex = segment.index + 1;
  }

  /** Whether a segment that leaves a log, of which so many are kept, is to become a spare. */
  wants(sizeBytes: number, kept: number): boolean {
    return sizeBytes === this.#sizeBytes && this.#spares.length < kept;
  }

  addSpare(fileName: string): void {
    this.#spares.push(fileName);
  }

  take(): PreparedSegment | undefined {
    const taken = this.#ready;
    this.#ready = undefined;
    return taken;
  }

  /** Has one made, unless there is one, or it was refused a moment ago. */
  prepare(): void {
    if (this.#ready !== undefined || this.#preparing !== undefined) return;
    if (this.#health.failure !== undefined) return;
    if (this.#refusal !== undefined) {
      if (this.#clock.monotonicMs() < this.#refusedAtMs + refusalMs) return;
    }
    this.#preparing = this.#make().then(() => {
      this.#preparing = undefined;
      this.onChange();
    });
  }

  /** Resolves when nothing is being made any more, and lets go of what was made. */
  async close(): Promise<void> {
    await this.#preparing;
    await this.take()?.file.close();
    for (const spare of this.#spares.splice(0)) {
      if (this.#health.failure !== undefined) return;
      // What stays, the next start removes.
      await this.#folder.remove(spare).catch(() => undefined);
    }
  }

  async #make(): Promise<void> {
    const index = this.#nextIndex;
    const fileName = segmentFileName(index);
    try {
      const wallMs = Math.max(0, Math.floor(this.#clock.wallMs()));
      await this.#allot({ index, sizeBytes: this.#sizeBytes, wallMs });
      const file = await this.#folder.open(fileName, "durable");
      this.#nextIndex = index + 1;
      this.#ready = { index, fileName, sizeBytes: this.#sizeBytes, file };
      this.#refusal = undefined;
    } catch (error) {
      if (!isFull(error)) {
        this.#health.fail(`making ${fileName}`, error);
        return;
      }
      const what = `no room in ${this.#folder.path} for the next segment: ${messageOf(error)}`;
      this.#refusal = new NinesError("NINES_JOURNAL_FULL", what, { cause: error });
      this.#refusedAtMs = this.#clock.monotonicMs();
    }
  }
  async #allot(segment: NewSegment): Promise<void> {
    const spare = this.#spares.shift();
    if (spare === undefined) return prepareSegment(this.#folder, this.#clock, segment);
    try {
      await reuseSegment(this.#folder, spare, segment);
    } catch (error) {
      if (isFull(error)) this.#spares.unshift(spare);
      throw error;
    }
  }
}
