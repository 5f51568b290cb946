// Snapshots and compaction: what makes the log short, without ever being the only copy of anything.
//
// A snapshot may hold effects of records that are not yet durable (it is fuzzy, or the state was
// ahead of the disk). Were it to survive a crash that these records do not, their sequences would
// be given out again and the state would lie. So before a snapshot gets its name, all that was
// taken until then is made durable: the rule of write-ahead logs, once more.
//
// Nothing is removed on the strength of a file that was not read back, and nothing before the
// newest two are whole: then the older snapshots, and the segments that lie wholly below the older
// of the two. Segments go oldest first, each removal made durable before the next, so that a crash
// leaves a log without a hole; only then may the file become a new segment (segment-supply.ts).

import { assert } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { type DiskFile, type DiskFolder, diskErrorKind, sectorBytes } from "../../ports/disk.ts";
import type { Damage } from "./examine.ts";
import { flushNames, messageOf, orRefused, refused, rotten } from "./failures.ts";
import { snapshotFileName } from "./format.ts";
import type { Health } from "./health.ts";
import type { CompactionReport, Snapshot, SnapshotInfo, SnapshotRequest } from "./journal.ts";
import type { LiveSegment, Log } from "./log.ts";
import type { SegmentSupply } from "./segment-supply.ts";
import {
  checkSnapshot,
  readSnapshot,
  type SnapshotCheck,
  SnapshotWriter,
} from "./snapshot-file.ts";

export class Snapshots {
  readonly #folder: DiskFolder;
  readonly #clock: Clock;
  readonly #health: Health;
  readonly #log: Log;
  readonly #supply: SegmentSupply;
  /** What the snapshots on the disk reach to, ascending. */
  #known: number[];
  /** Those that this process has read back. */
  readonly #whole = new Set<number>();
  /** What is under way; at most one at a time. */
  #work: Promise<unknown> | undefined;
  /** Ends a wait for content that may never come. */
  #stop: () => void = () => {};

  constructor(
    folder: DiskFolder,
    clock: Clock,
    health: Health,
    log: Log,
    supply: SegmentSupply,
    known: readonly number[],
  ) {
    this.#folder = folder;
    this.#clock = clock;
    this.#health = health;
    this.#log = log;
    this.#supply = supply;
    this.#known = [...known];
  }

  get firstSequence(): number {
    return this.#log.segments[0]?.firstSequence ?? 1;
  }

  write(request: SnapshotRequest): Promise<SnapshotInfo> {
    return this.#alone(() => this.#write(request));
  }

  compact(): Promise<CompactionReport> {
    const what = `needless files stay in ${this.#folder.path}`;
    return this.#alone(() => orRefused(what, this.#compact()));
  }

  async latest(through: number): Promise<Snapshot | undefined> {
    this.#health.check();
    const passedOver: Damage[] = [];
    for (const candidate of this.#known.toReversed()) {
      if (candidate > through || candidate + 1 < this.firstSequence) continue;
      const found = await this.#check(candidate);
      if ("what" in found) {
        passedOver.push(found);
        continue;
      }
      const read = (): AsyncIterable<Uint8Array> => readSnapshot(this.#folder, candidate);
      return { ...found, passedOver, read };
    }
    if (this.firstSequence === 1) return undefined;
    const [damage] = passedOver;
    if (damage !== undefined) throw rotten(damage);
    const what = `the log begins with record ${this.firstSequence}, and no snapshot is older`;
    throw new NinesError("NINES_JOURNAL_COMPACTED", what);
  }

  /** Resolves when nothing is under way any more; a snapshot that is being written is given up. */
  async close(): Promise<void> {
    this.#stop();
    await this.#work?.catch(() => undefined);
  }

  /** One at a time: two would wait for the same disk, and remove under each other. */
  async #alone<T>(begin: () => Promise<T>): Promise<T> {
    this.#health.check();
    if (this.#work !== undefined) {
      const what = `a snapshot or a compaction is under way in ${this.#folder.path}`;
      throw new NinesError("NINES_JOURNAL_BUSY", what);
    }
    const work = begin();
    this.#work = work;
    try {
      return await work;
    } finally {
      this.#work = undefined;
    }
  }

  async #write({ through, chunks }: SnapshotRequest): Promise<SnapshotInfo> {
    assert(through >= 0 && through <= this.#log.lastSequence, "a snapshot is of what was appended");
    assert(through >= (this.#known.at(-1) ?? 0), "snapshots do not go back");
    const fileName = snapshotFileName(through);
    const temporary = `${fileName}.tmp`;
    const wallMs = Math.max(0, Math.floor(this.#clock.wallMs()));
    try {
      const file = await this.#folder.create(temporary);
      await this.#fill(file, { through, wallMs }, chunks);
      const found = await checkSnapshot(this.#folder, through, temporary);
      if ("what" in found) throw rotten(found);
      if (this.#log.lastSequence > 0) await this.#log.whenDurable(this.#log.lastSequence);
      this.#health.check();
      await this.#orFail(`naming ${fileName}`, async () => {
        await this.#folder.rename(temporary, fileName);
        await flushNames(this.#folder);
      });
      if (this.#known.at(-1) !== through) this.#known.push(through);
      this.#whole.add(through);
      return { ...found, fileName };
    } catch (error) {
      // Left behind, it is removed by the next start.
      await this.#folder.remove(temporary).catch(() => undefined);
      throw this.#health.refusal() ?? notWritten(this.#folder.path, error);
    }
  }

  async #fill(
    file: DiskFile,
    header: { readonly through: number; readonly wallMs: number },
    chunks: SnapshotRequest["chunks"],
  ): Promise<void> {
    const writer = new SnapshotWriter(file);
    try {
      await this.#orFail("writing a snapshot", () => writer.begin(header));
      for await (const chunk of this.#untilStopped(chunks)) {
        await this.#orFail("writing a snapshot", () => writer.add(chunk));
      }
      this.#health.check();
      await this.#orFail("writing a snapshot", () => writer.end());
    } finally {
      await file.close();
    }
  }

  /** The content; it ends as well when the journal is closed or has failed. */
  async *#untilStopped(chunks: SnapshotRequest["chunks"]): AsyncGenerator<Uint8Array, void, void> {
    const stopped = new Promise<undefined>((resolve) => {
      this.#stop = () => resolve(undefined);
    });
    const isAsync = Symbol.asyncIterator in chunks;
    const content = isAsync ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
    let isEnded = false;
    try {
      while (this.#health.refusal() === undefined) {
        const next = await Promise.race([content.next(), stopped]);
        isEnded = next?.done ?? false;
        if (next === undefined || next.done) return;
        yield next.value;
      }
    } finally {
      // Not waited for: it may hang in the very call that was given up.
      if (!isEnded) void Promise.resolve(content.return?.()).catch(() => undefined);
    }
  }

  async #compact(): Promise<CompactionReport> {
    const kept = await this.#newestTwoWhole();
    const older = kept[1];
    let removedSegments = 0;
    let removedSnapshots = 0;
    if (older !== undefined) {
      removedSegments = await this.#removeSegments(older);
      removedSnapshots = await this.#removeSnapshots(older);
    }
    return { removedSegments, removedSnapshots, firstSequence: this.firstSequence };
  }

  async #newestTwoWhole(): Promise<readonly number[]> {
    const kept: number[] = [];
    for (const through of this.#known.toReversed()) {
      if (!this.#whole.has(through) && "what" in (await this.#check(through))) continue;
      kept.push(through);
      if (kept.length === 2) break;
    }
    return kept;
  }

  async #removeSegments(through: number): Promise<number> {
    const { segments } = this.#log;
    // The last segment stays: it holds the sequence and the chain.
    const needless = segments.filter((_, at) => {
      const next = segments[at + 1];
      return next !== undefined && next.firstSequence <= through + 1;
    });
    if (needless.length === 0) return 0;
    const kept = segments.length - needless.length;
    // A newer snapshot holds that record, and was not named before it was durable.
    assert(hasGroup(segments[needless.length]), "what is left of the log has a group");
    for (const oldest of needless) {
      this.#health.check();
      await this.#orFail(`removing ${oldest.fileName}`, () => this.#takeOut(oldest, kept));
    }
    return needless.length;
  }

  async #takeOut(oldest: LiveSegment, kept: number): Promise<void> {
    const { segments } = this.#log;
    const spare = `${oldest.fileName}.tmp`;
    const isSpare = this.#supply.wants(oldest.sizeBytes, kept);
    assert(segments.shift() === oldest, "segments go oldest first");
    try {
      if (isSpare) await this.#folder.rename(oldest.fileName, spare);
      else await this.#folder.remove(oldest.fileName);
    } catch (error) {
      // It stays the oldest: to remove the next one would leave a hole.
      segments.unshift(oldest);
      throw error;
    }
    await flushNames(this.#folder);
    if (isSpare) this.#supply.addSpare(spare);
  }

  async #removeSnapshots(through: number): Promise<number> {
    const needless = this.#known.filter((candidate) => candidate < through);
    if (needless.length === 0) return 0;
    this.#health.check();
    this.#known = this.#known.filter((candidate) => candidate >= through);
    await this.#orFail("removing old snapshots", async () => {
      for (const candidate of needless) await this.#folder.remove(snapshotFileName(candidate));
      await flushNames(this.#folder);
    });
    return needless.length;
  }

  async #check(through: number): Promise<SnapshotCheck | Damage> {
    try {
      const found = await checkSnapshot(this.#folder, through);
      if (!("what" in found)) this.#whole.add(through);
      return found;
    } catch (error) {
      if (diskErrorKind(error) === "not-found") {
        const what = "the snapshot is missing";
        return { fileName: snapshotFileName(through), offset: 0, sequence: 0, what };
      }
      throw refused(error, `reading ${snapshotFileName(through)}`);
    }
  }

  /** No room is no failure of the journal, for nothing counts yet; any other refusal is. */
  async #orFail<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const kind = diskErrorKind(error);
      if (kind !== undefined && kind !== "full") throw this.#health.fail(what, error);
      throw error;
    }
  }
}

function hasGroup(segment: LiveSegment | undefined): boolean {
  return segment !== undefined && segment.usedBytes > sectorBytes;
}

function notWritten(folder: string, error: unknown): NinesError {
  const what = `no snapshot was written in ${folder}: ${messageOf(error)}`;
  return new NinesError("NINES_JOURNAL_SNAPSHOT", what, { cause: error });
}
