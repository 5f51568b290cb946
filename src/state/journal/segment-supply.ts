// The next segment, made before it is needed, so that an append never waits for one to be allotted
// unless the log fills faster than the disk can write zeros.
//
// Here alone "no room" is no failure: nothing was written that counts. It is remembered, appends
// that need the segment are refused, and the next one after a while tries again.

import { NinesError } from "../../core/base/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { DiskFile, DiskFolder } from "../../ports/disk.ts";
import { isFull, messageOf } from "./failures.ts";
import { segmentFileName } from "./format.ts";
import type { Health } from "./health.ts";
import { prepareSegment } from "./segments.ts";

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
  }

  async #make(): Promise<void> {
    const index = this.#nextIndex;
    const fileName = segmentFileName(index);
    try {
      const wallMs = Math.floor(this.#clock.wallMs());
      await prepareSegment(this.#folder, this.#clock, {
        index,
        sizeBytes: this.#sizeBytes,
        wallMs,
      });
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
}
