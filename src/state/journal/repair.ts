// Repair: the soundest journal that can be made of a damaged one, with nothing thrown away.
//
// Which records the application can still get at depends on the snapshots as well. Of three ways
// the one that loses least is taken:
// - the rest behind the damage, if a whole snapshot reaches up to it: nothing is lost;
// - the log before the damage, if it connects to its beginning or to a whole snapshot;
// - the newest whole snapshot alone, with an empty log behind it.
// Groups do not know where in a file they stand, so that a part of a segment makes a new one.
//
// What is replaced is copied beside it first, as FILE.damaged, and what is not used is renamed so.
// Each step is durable before the next; a repair that is cut short leaves a journal that is still
// refused, and can be done again. Rejected: skipping the damaged records (the log would have a hole
// that no reader could tell from a journal that never had them).

import type { Clock } from "../../ports/clock.ts";
import {
  type Disk,
  type DiskFile,
  type DiskFolder,
  diskErrorKind,
  sectorBytes,
} from "../../ports/disk.ts";
import { NinesError } from "../../core/base/errors.ts";
import { type Contents, readContents } from "./contents.ts";
import type { Damage, RepairReport } from "./examine.ts";
import { notThere, type Survey, survey } from "./examine-journal.ts";
import { orRefused, refused, rotten } from "./failures.ts";
import { segmentFileName, snapshotFileName, writeSegmentHeader } from "./format.ts";
import { GroupBuffer } from "./group-buffer.ts";

interface Step {
  readonly sentence: string;
  readonly run: () => Promise<void>;
}

interface Plan {
  readonly steps: readonly Step[];
  readonly lost: RepairReport["lost"];
}

const copyBytes = 1_048_576;

/**
 * Says what a repair would do, and does it with `apply`. Rejects with NINES_JOURNAL_ROT when no
 * sound journal can be made: then only a copy helps. Otherwise as opening does.
 */
export async function repairJournal(
  path: string,
  disk: Disk,
  clock: Clock,
  options: { readonly apply: boolean },
): Promise<RepairReport> {
  const folder = await orRefused(
    `the folder ${path} cannot be opened`,
    disk.openFolder(path, { create: false }).catch((error) => {
      throw diskErrorKind(error) === "not-found" ? notThere(path) : error;
    }),
  );
  try {
    const lock = options.apply ? await folder.lock() : undefined;
    if (options.apply && lock === undefined) {
      throw new NinesError("NINES_JOURNAL_LOCKED", `somebody else writes to ${folder.path}`);
    }
    try {
      return await repairFolder(folder, clock, options.apply);
    } finally {
      await lock?.release();
    }
  } catch (error) {
    throw refused(error, `the journal in ${path} cannot be repaired`);
  } finally {
    await folder.close();
  }
}

async function repairFolder(
  folder: DiskFolder,
  clock: Clock,
  apply: boolean,
): Promise<RepairReport> {
  const contents = await readContents(folder);
  if (contents.segments.length + contents.snapshots.length === 0) throw notThere(folder.path);
  const surveyed = await survey(folder, contents);
  const { steps, lost } = new Planner(folder, clock, contents, surveyed).plan();
  if (apply) for (const { run } of steps) await run();
  return { steps: steps.map(({ sentence }) => sentence), lost };
}

class Planner {
  readonly #folder: DiskFolder;
  readonly #clock: Clock;
  readonly #contents: Contents;
  readonly #survey: Survey;

  constructor(folder: DiskFolder, clock: Clock, contents: Contents, surveyed: Survey) {
    this.#folder = folder;
    this.#clock = clock;
    this.#contents = contents;
    this.#survey = surveyed;
  }

  plan(): Plan {
    const { damages, snapshots } = this.#survey.report;
    const [first] = damages;
    if (first === undefined) return { steps: [], lost: undefined };
    const rottenSnapshots = snapshots.filter(({ whole }) => !whole);
    const log = this.#planLog(first);
    const asides = rottenSnapshots.map(({ fileName }) => this.#setAside(fileName));
    return { steps: [...log.steps, ...asides], lost: log.lost };
  }

  get #newestWhole(): number | undefined {
    return this.#survey.report.snapshots.findLast(({ whole }) => whole)?.through;
  }

  #planLog(first: Damage): Plan {
    const { scan, report } = this.#survey;
    const snapshot = this.#newestWhole ?? 0;
    const hasLog = this.#contents.segments.length > 0;
    const [damage] = scan.damages;
    const isConnected = this.#connects(report.firstSequence);
    const newest = this.#contents.snapshots.at(-1) ?? 0;
    // Where the log is sound and fits to a whole snapshot, only snapshots have rotted.
    if (hasLog && damage === undefined && isConnected && newest < scan.nextSequence) {
      return { steps: [], lost: undefined };
    }
    const { soundFrom } = scan;
    if (soundFrom !== undefined && soundFrom.sequence <= snapshot + 1) {
      return { steps: this.#keepRest(soundFrom), lost: undefined };
    }
    const through = Math.max(scan.nextSequence - 1, newest);
    const before = isConnected ? (scan.soundThrough ?? scan.nextSequence - 1) : 0;
    if (damage !== undefined && before >= snapshot && (before > 0 || this.#beginsAtOne)) {
      return { steps: this.#cut(damage), lost: lostFrom(before + 1, through) };
    }
    if (this.#newestWhole === undefined) throw rotten(first);
    // With nothing sound behind the damage nobody knows where the log ended.
    const isEndKnown = hasLog && (damage === undefined || soundFrom !== undefined);
    const isLost = through > snapshot || !isEndKnown;
    return {
      steps: this.#startAfter(snapshot),
      lost: isLost ? lostFrom(snapshot + 1, through) : undefined,
    };
  }

  #connects(firstSequence: number): boolean {
    return firstSequence === 1 || firstSequence <= (this.#newestWhole ?? 0) + 1;
  }

  get #beginsAtOne(): boolean {
    return this.#contents.segments[0] === 1 && this.#survey.scan.damages[0]?.offset !== 0;
  }

  #keepRest(place: { readonly index: number; readonly offset: number }): Step[] {
    const fileName = segmentFileName(place.index);
    const older = this.#contents.segments.filter((index) => index < place.index);
    const asides = older.map((index) => this.#setAside(segmentFileName(index)));
    if (place.offset === sectorBytes) return asides;
    const replace: Step = {
      sentence: `${fileName}: keep what is sound from byte ${place.offset} on`,
      run: () => this.#replace(place.index, { from: place.offset }),
    };
    return [replace, ...asides];
  }

  #cut(damage: Damage): Step[] {
    const index = Number.parseInt(damage.fileName, 10);
    const newer = this.#contents.segments.filter((candidate) => candidate > index).toReversed();
    const asides = newer.map((candidate) => this.#setAside(segmentFileName(candidate)));
    if (!this.#contents.segments.includes(index)) return asides;
    // A segment without a header has nothing to keep.
    if (damage.offset === 0) return [...asides, this.#setAside(damage.fileName)];
    const replace: Step = {
      sentence: `${damage.fileName}: keep what is before byte ${damage.offset}`,
      run: () => this.#replace(index, { to: damage.offset }),
    };
    return [...asides, replace];
  }

  #startAfter(through: number): Step[] {
    const index = (this.#contents.segments.at(-1) ?? 0) + 1;
    const fileName = segmentFileName(index);
    const begin: Step = {
      sentence: `${fileName}: an empty log that goes on behind ${snapshotFileName(through)}`,
      run: () => this.#makeEmpty(index, through + 1),
    };
    const asides = this.#contents.segments.map((old) => this.#setAside(segmentFileName(old)));
    return [begin, ...asides];
  }

  #setAside(fileName: string): Step {
    return {
      sentence: `${fileName}: set aside as ${fileName}.damaged`,
      run: async () => {
        await this.#folder.rename(fileName, await this.#freeName(fileName));
        await this.#folder.flush();
      },
    };
  }

  async #freeName(fileName: string): Promise<string> {
    const names = new Set(await this.#folder.list());
    let aside = `${fileName}.damaged`;
    for (let copy = 2; names.has(aside); copy++) aside = `${fileName}.${copy}.damaged`;
    return aside;
  }

  /** A segment of the same number with a part of the groups; the old one stays beside it. */
  async #replace(
    index: number,
    part: { readonly from?: number; readonly to?: number },
  ): Promise<void> {
    const fileName = segmentFileName(index);
    const old = await this.#folder.open(fileName, "read");
    try {
      const sizeBytes = await old.sizeBytes();
      await this.#copy(old, await this.#freeName(fileName), { from: 0, to: sizeBytes, at: 0 });
      const from = part.from ?? sectorBytes;
      const to = part.to ?? sizeBytes;
      const kept = { from, to, at: sectorBytes };
      await this.#copy(old, `${fileName}.tmp`, kept, await this.#header(old, index, from));
    } finally {
      await old.close();
    }
    await this.#folder.rename(`${fileName}.tmp`, fileName);
    await this.#folder.flush();
  }

  /** The old header where it can stay: the first segment's begins the chain. */
  async #header(old: DiskFile, index: number, from: number): Promise<Uint8Array> {
    const header = new Uint8Array(sectorBytes);
    const isHeadless = from > sectorBytes;
    const sizeBytes = await old.sizeBytes();
    if (index === 1 && !isHeadless) await old.read(header, 0);
    else writeSegmentHeader(header, { index, sizeBytes, wallMs: this.#wallMs, isHeadless });
    return header;
  }

  async #copy(
    old: DiskFile,
    name: string,
    range: { readonly from: number; readonly to: number; readonly at: number },
    header?: Uint8Array,
  ): Promise<void> {
    const sizeBytes = await old.sizeBytes();
    const file = await this.#createAnew(name);
    try {
      const bytes = new Uint8Array(Math.min(copyBytes, sizeBytes));
      for (let at = 0; at < sizeBytes; at += copyBytes) {
        const zeros = bytes.fill(0).subarray(0, Math.min(copyBytes, sizeBytes - at));
        await file.write(zeros, at);
      }
      for (let from = range.from; from < range.to; from += copyBytes) {
        const into = bytes.subarray(0, Math.min(copyBytes, range.to - from));
        const got = await old.read(into, from);
        await file.write(into.subarray(0, got), range.at + from - range.from);
      }
      if (header !== undefined) await file.write(header, 0);
      await file.flush();
    } finally {
      await file.close();
    }
  }

  /** A repair that was cut short may have left one. */
  async #createAnew(name: string): Promise<DiskFile> {
    if ((await this.#folder.list()).includes(name)) await this.#folder.remove(name);
    return this.#folder.create(name);
  }

  /** A segment whose only group has no records, but the sequence that comes next. */
  async #makeEmpty(index: number, firstSequence: number): Promise<void> {
    const fileName = segmentFileName(index);
    const sizeBytes = 8 * sectorBytes;
    const bytes = new Uint8Array(sizeBytes);
    // Its group goes on from nothing that is there, not even where this is the first segment.
    const header = { index, sizeBytes, wallMs: this.#wallMs, isHeadless: true };
    writeSegmentHeader(bytes.subarray(0, sectorBytes), header);
    const group = new GroupBuffer((size) => new Uint8Array(size));
    group.begin({ previous: 0, firstSequence, index, sectorsMax: 1 });
    bytes.set(group.seal(this.#wallMs).bytes, sectorBytes);
    const file = await this.#createAnew(`${fileName}.tmp`);
    try {
      await file.write(bytes, 0);
      await file.flush();
    } finally {
      await file.close();
    }
    await this.#folder.rename(`${fileName}.tmp`, fileName);
    await this.#folder.flush();
  }

  get #wallMs(): number {
    return Math.max(0, Math.floor(this.#clock.wallMs()));
  }
}

/** What is shown to be lost; 0 where nothing shows it. */
function lostFrom(from: number, through: number): RepairReport["lost"] {
  return { from, through: through < from ? 0 : through };
}
