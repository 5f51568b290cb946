// Opening: find out what is there, refuse what is not sound, settle what the last crash left open,
// and only then take the first append.
//
// In this order: the lock, before anything is changed; the files, refused if one is not ours; the
// whole log, read and checked; what the snapshots say of it. Then the changes, each harmless if a
// crash cuts it short: unfinished files go, the torn tail becomes zeros, the last group is written
// once more, and the folder is flushed, for its names too may be known to the kernel alone.

import { assert } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { type Disk, type DiskFolder, diskErrorKind, sectorBytes } from "../../ports/disk.ts";
import { type Contents, readContents } from "./contents.ts";
import { withDeadlines } from "./deadlines.ts";
import { DurableJournal } from "./durable-journal.ts";
import { misfits, notThere } from "./examine-journal.ts";
import { refused, rotten } from "./failures.ts";
import { segmentBytesMax, segmentBytesMin, segmentFileName } from "./format.ts";
import { Health } from "./health.ts";
import type { Journal, JournalOptions, RecoveryReport } from "./journal.ts";
import { type LiveSegment, Log } from "./log.ts";
import { LogScanner, type LogSegment } from "./scan-log.ts";
import { SegmentSupply } from "./segment-supply.ts";
import { prepareSegment } from "./segments.ts";
import { Snapshots } from "./snapshots.ts";

export const journalDefaults = {
  create: true,
  segmentBytes: 16 * 1_048_576,
  queueBytes: 8 * 1_048_576,
  bufferedMs: 100,
  writeDeadlineMs: 30_000,
} as const satisfies Required<JournalOptions>;

/**
 * The journal in a folder, the only one open on it. Rejects with NINES_JOURNAL_NOT_FOUND, _LOCKED,
 * _FOREIGN, _NEWER, _ROT and _DISK; the folder is then as it was, but for what a crash had left
 * unfinished.
 */
export async function openJournal(
  path: string,
  options: JournalOptions,
  disk: Disk,
  clock: Clock,
): Promise<Journal> {
  const settings = { ...journalDefaults, ...options };
  checkSettings(settings);
  const bounded = withDeadlines(disk, clock, settings.writeDeadlineMs);
  const folder = await openFolder(bounded, path, settings.create);
  const closing: (() => Promise<void>)[] = [() => folder.close()];
  try {
    const lock = await folder.lock();
    if (lock === undefined) {
      throw new NinesError("NINES_JOURNAL_LOCKED", `somebody else writes to ${folder.path}`);
    }
    closing.unshift(() => lock.release());
    return await openLocked(bounded, clock, folder, path, settings, async () => {
      for (const close of closing) await close();
    });
  } catch (error) {
    // What is let go of in vain is let go of anyway; the first failure is the one that counts.
    for (const close of closing) await close().catch(() => undefined);
    throw refused(error, `the journal in ${path} cannot be opened`);
  }
}

type Settings = Required<JournalOptions>;

function checkSettings(settings: Settings): void {
  const { segmentBytes } = settings;
  assert(segmentBytes % sectorBytes === 0, "segmentBytes is a multiple of 512");
  assert(segmentBytes >= segmentBytesMin, "segmentBytes is 4 KiB at least");
  assert(segmentBytes <= segmentBytesMax, "segmentBytes is 1 GiB at most");
  assert(settings.queueBytes >= 0, "queueBytes is not negative");
  assert(settings.bufferedMs >= 0, "bufferedMs is not negative");
  assert(settings.writeDeadlineMs > 0, "writeDeadlineMs is above zero");
}

async function openFolder(disk: Disk, path: string, create: boolean): Promise<DiskFolder> {
  try {
    return await disk.openFolder(path, { create });
  } catch (error) {
    if (diskErrorKind(error) === "not-found") throw notThere(path);
    throw refused(error, `the journal's folder ${path} cannot be opened`);
  }
}

async function openLocked(
  disk: Disk,
  clock: Clock,
  folder: DiskFolder,
  path: string,
  settings: Settings,
  release: () => Promise<void>,
): Promise<Journal> {
  const contents = await readContents(folder);
  const created = contents.segments.length + contents.snapshots.length === 0;
  if (created && !settings.create) throw notThere(path);
  for (const name of contents.unfinished) await folder.remove(name);
  if (created) await makeFirstSegment(folder, clock, settings.segmentBytes);
  const scan = await scanAll(folder, created ? { ...contents, segments: [1] } : contents);
  await settle(folder, scan);

  const health = new Health(folder.path);
  const { used, spare } = await split(folder, scan.segments, settings.segmentBytes);
  const last = used.at(-1);
  assert(last !== undefined && scan.chain !== undefined, "a sound log has an end");
  const nextIndex = last.index + 1;
  const { segmentBytes } = settings;
  const supply = new SegmentSupply(folder, clock, health, { nextIndex, sizeBytes: segmentBytes });
  if (spare !== undefined) {
    supply.adopt({ ...spare, file: await folder.open(spare.fileName, "durable") });
  }
  const file = await folder.open(last.fileName, "durable");
  const closedCleanly = scan.lastGroup === undefined || scan.lastGroup.records === 0;
  const { chain, nextSequence } = scan;
  const end = { file, segments: used, chain, nextSequence, closedCleanly };
  const log = new Log(disk, clock, health, supply, end, settings);
  const snapshots = new Snapshots(folder, clock, health, log, supply, contents.snapshots);
  supply.prepare();
  const recovery = reportOf(scan, contents, created, closedCleanly);
  return new DurableJournal({ folder, log, health, snapshots, recovery, release });
}

function makeFirstSegment(folder: DiskFolder, clock: Clock, sizeBytes: number) {
  const wallMs = Math.max(0, Math.floor(clock.wallMs()));
  return prepareSegment(folder, clock, { index: 1, sizeBytes, wallMs });
}

/** The whole log and how the snapshots fit to it; the first damage is thrown. */
async function scanAll(folder: DiskFolder, contents: Contents): Promise<LogScanner> {
  const scan = new LogScanner(folder);
  for await (const event of scan.scan(contents.segments)) {
    if (event.kind === "damage") throw rotten(event.damage);
  }
  const named = contents.snapshots.map((through) => ({ through }));
  const [misfit] = misfits(scan, contents, named);
  if (misfit !== undefined) throw rotten(misfit);
  return scan;
}

/** Makes certain what the crash left in doubt; the argument is in tail.ts. */
async function settle(folder: DiskFolder, scan: LogScanner): Promise<void> {
  const { tornTail, lastGroup } = scan;
  if (tornTail !== undefined) {
    const { fileName, offset, endOffset } = tornTail;
    await rewrite(folder, fileName, offset, new Uint8Array(endOffset - offset));
  }
  if (lastGroup !== undefined) {
    const { index, offset, endOffset } = lastGroup;
    await rewrite(folder, segmentFileName(index), offset, endOffset - offset);
  }
  await folder.flush();
}

/** Writes these bytes, or those that are there. */
async function rewrite(
  folder: DiskFolder,
  fileName: string,
  offset: number,
  content: Uint8Array | number,
): Promise<void> {
  const file = await folder.open(fileName, "durable");
  try {
    const bytes = typeof content === "number" ? new Uint8Array(content) : content;
    if (typeof content === "number") await file.read(bytes, offset);
    await file.write(bytes, offset);
  } finally {
    await file.close();
  }
}

/**
 * The segments up to the last group, and one that is prepared. A prepared one of another size, or
 * beyond the next, is removed: it holds nothing.
 */
async function split(
  folder: DiskFolder,
  segments: readonly LogSegment[],
  segmentBytes: number,
): Promise<{ readonly used: LiveSegment[]; readonly spare: LogSegment | undefined }> {
  const lastUsed = Math.max(
    0,
    segments.findLastIndex(({ groups }) => groups > 0),
  );
  const used: LiveSegment[] = segments.slice(0, lastUsed + 1).map((segment) => ({
    ...segment,
    firstSequence: Math.max(1, segment.firstSequence),
  }));
  const [next] = segments.slice(lastUsed + 1);
  const spare = next?.sizeBytes === segmentBytes ? next : undefined;
  const needless = segments.slice(lastUsed + (spare === undefined ? 1 : 2)).toReversed();
  for (const { fileName } of needless) await folder.remove(fileName);
  if (needless.length > 0) await folder.flush();
  return { used, spare };
}

function reportOf(
  scan: LogScanner,
  contents: Contents,
  created: boolean,
  closedCleanly: boolean,
): RecoveryReport {
  const { tornTail } = scan;
  return {
    created,
    closedCleanly: closedCleanly && tornTail === undefined,
    records: scan.records,
    scannedBytes: scan.scannedBytes,
    tornTail: tornTail && { fileName: tornTail.fileName, offset: tornTail.offset },
    removedFiles: contents.unfinished,
  };
}
