// Looking at a journal from outside: all of it, damage or not, and without changing anything. It
// may be done to a copy, or to a journal that is open elsewhere: then the group that is just being
// written may look torn, or damaged, and so may a segment that just becomes another one.

import { NinesError } from "../../core/base/errors.ts";
import { type Disk, type DiskFolder, diskErrorKind } from "../../ports/disk.ts";
import { type Contents, readContents } from "./contents.ts";
import type { Damage, DumpEntry, JournalReport, SnapshotReport } from "./examine.ts";
import { refused } from "./failures.ts";
import { segmentFileName, snapshotFileName } from "./format.ts";
import { LogScanner } from "./scan-log.ts";
import { checkSnapshot } from "./snapshot-file.ts";

/** Rejects with NINES_JOURNAL_NOT_FOUND, _FOREIGN, _NEWER and _DISK; damage is in the report. */
export function verifyJournal(path: string, disk: Disk): Promise<JournalReport> {
  return inFolder(path, disk, async (folder) => {
    const contents = await readContents(folder);
    if (contents.segments.length + contents.snapshots.length === 0) throw notThere(path);
    return (await survey(folder, contents)).report;
  });
}

/**
 * Every readable record, in order, and a damage where one should be. Reads on behind damage: what
 * is there may be more than what a repair keeps. Rejects as `verifyJournal` does.
 */
export async function* dumpJournal(
  path: string,
  disk: Disk,
): AsyncGenerator<DumpEntry, void, void> {
  const folder = await openToRead(path, disk);
  try {
    const { segments } = await readContents(folder);
    if (segments.length === 0) throw notThere(path);
    for await (const event of new LogScanner(folder).scan(segments)) {
      if (event.kind === "damage") {
        yield event;
        continue;
      }
      const { fileName, reader } = event;
      const { wallMs } = reader.header;
      const entries: DumpEntry[] = [];
      reader.forEach((view, sequence, offset) => {
        entries.push({ kind: "record", fileName, offset, sequence, wallMs, bytes: view.slice() });
      });
      yield* entries;
    }
  } catch (error) {
    throw refused(error, `the journal in ${path} cannot be read`);
  } finally {
    await folder.close();
  }
}

export interface Survey {
  readonly report: JournalReport;
  readonly scan: LogScanner;
}

/** The log and the snapshots, each for itself and how they fit together. */
export async function survey(folder: DiskFolder, contents: Contents): Promise<Survey> {
  const scan = new LogScanner(folder);
  for await (const _ of scan.scan(contents.segments));
  const damages: Damage[] = [...scan.damages];
  const snapshots: SnapshotReport[] = [];
  for (const through of contents.snapshots) {
    const fileName = snapshotFileName(through);
    const found = await checkSnapshot(folder, through);
    if ("what" in found) {
      damages.push(found);
      snapshots.push({ fileName, through, wallMs: 0, contentBytes: 0, whole: false });
    } else {
      snapshots.push({ ...found, whole: true });
    }
  }
  const whole = snapshots.filter((snapshot) => snapshot.whole);
  // Damage has taken what would be missed.
  if (scan.damages.length === 0) damages.push(...misfits(scan, contents, whole));
  const { tornTail, lastGroup } = scan;
  const report: JournalReport = {
    segments: scan.segments,
    snapshots,
    firstSequence: scan.firstSequence,
    lastSequence: scan.nextSequence - 1,
    records: scan.records,
    closedCleanly: tornTail === undefined && (lastGroup === undefined || lastGroup.records === 0),
    tornTail: tornTail && { fileName: tornTail.fileName, offset: tornTail.offset },
    damages,
  };
  return { report, scan };
}

/** What opening refuses although each file is sound in itself. */
export function misfits(
  scan: Pick<LogScanner, "firstSequence" | "nextSequence" | "lastGroup">,
  contents: Contents,
  snapshots: readonly { readonly through: number }[],
): readonly Damage[] {
  const [first] = contents.segments;
  const fileName = segmentFileName(first ?? 1);
  const { firstSequence, nextSequence } = scan;
  const newest = contents.snapshots.at(-1) ?? 0;
  const damage = (sequence: number, what: string): Damage[] => [
    { fileName, offset: 0, sequence, what },
  ];
  if (first === undefined) {
    return damage(newest + 1, `the log is missing, and ${snapshotFileName(newest)} is there`);
  }
  if (first !== 1 && scan.lastGroup === undefined) {
    return damage(nextSequence, "the log is empty, and its beginning is missing");
  }
  if (newest >= nextSequence) {
    const what = `the log ends before this, and ${snapshotFileName(newest)} holds it`;
    return damage(nextSequence, what);
  }
  const isReached = snapshots.some(({ through }) => through + 1 >= firstSequence);
  if (firstSequence === 1 || isReached) return [];
  return damage(firstSequence, "records before this are in no snapshot, and are missing");
}

async function inFolder<T>(
  path: string,
  disk: Disk,
  look: (folder: DiskFolder) => Promise<T>,
): Promise<T> {
  const folder = await openToRead(path, disk);
  try {
    return await look(folder);
  } catch (error) {
    throw refused(error, `the journal in ${path} cannot be read`);
  } finally {
    await folder.close();
  }
}

async function openToRead(path: string, disk: Disk): Promise<DiskFolder> {
  try {
    return await disk.openFolder(path, { create: false });
  } catch (error) {
    if (diskErrorKind(error) === "not-found") throw notThere(path);
    throw refused(error, `the folder ${path} cannot be opened`);
  }
}

export function notThere(path: string): NinesError {
  return new NinesError("NINES_JOURNAL_NOT_FOUND", `there is no journal in ${path}`);
}
