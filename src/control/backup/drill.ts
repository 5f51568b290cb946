// A restore drill: a snapshot is restored to a scratch place and read back from there, byte by
// byte.
//
// What a restore says of itself is not asked. What lies in the scratch place is read as any source
// would be, named chunk by chunk with the keys of the vault, and held against the snapshot: an
// entry that is missing, one too many, a wrong byte, mode, time or link is found, whoever is to
// blame for it. Live data is neither read nor written. Erased subjects are left out, as they must
// be. What cannot be read while targets are away was not tried, and is told apart.

import { sayBytes } from "../../core/base/bytes.ts";
import { sayCount } from "../../core/base/count.ts";
import { sayName } from "../../core/vault/entry.ts";
import { NinesError } from "../../core/base/errors.ts";
import { chunkNamer, type Domain } from "../../core/vault/keys.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import type { Content, PlainEntry } from "../../core/vault/tree.ts";
import { sameBytes } from "../../core/vault/wire.ts";
import type { EventEntry } from "../../ports/events.ts";
import type { TreePlace } from "../../ports/tree-place.ts";
import type { SourceEntry, SourceReader, TreeSource } from "../../ports/tree-source.ts";
import { isOfAway, messageOf } from "./catalog.ts";
import { subjectKeyWords } from "./key-ring.ts";
import { Named, namedMax } from "./named.ts";
import { restore } from "./restore.ts";
import type { Vault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";

export interface DrillScratch {
  /** Empty at first. */
  readonly place: TreePlace;
  /** Reads what `place` has written. */
  readonly source: TreeSource;
}

export interface DrillOutcome {
  readonly snapshot: Snapshot;
  readonly files: number;
  readonly bytes: number;
  /** What is not as it was backed up, each with why; the first thousand. */
  readonly wrong: readonly string[];
  readonly wrongCount: number;
  /** What could not be tried while targets are away; so many of it. */
  readonly away: readonly string[];
  readonly awayCount: number;
  readonly sentence: string;
}

/** Files of several names that are remembered. */
const sameFilesMax = 65_536;
const compareBytes = 1_048_576;
/** Times are restored to the microsecond. */
const timeToleranceNs = 2_000n;

/** `progress` is called now and then; what it throws ends the drill. */
export async function drill(
  vault: Vault,
  snapshot: Snapshot,
  { place, source }: DrillScratch,
  progress: () => void = () => undefined,
): Promise<DrillOutcome> {
  const { lost } = await restore(vault, snapshot, place, { path: [], progress });
  const comparison = new Comparison(vault, source, progress);
  const domain = vault.keys.find(snapshot.domainId);
  if (domain === undefined) comparison.tellOf([], vault.keys.lack("Its key"));
  else await comparison.folder([], snapshot.root, domain);
  const { files, bytes, wrong, away } = comparison;
  const [wrongCount, awayCount] = [wrong.count, away.count];
  const why = wrongCount === 0 ? [] : lost;
  const sentence = say(snapshot, comparison);
  vault.world.events.record({ ...resultOf(wrongCount, awayCount), sentence });
  return {
    snapshot,
    files,
    bytes,
    wrong: [...wrong.first, ...why].slice(0, namedMax),
    wrongCount,
    away: away.first,
    awayCount,
    sentence,
  };
}

function resultOf(wrongCount: number, awayCount: number): Pick<EventEntry, "kind" | "level"> {
  if (wrongCount > 0) return { kind: "backup.drill-failed", level: "error" };
  if (awayCount > 0) return { kind: "backup.drill-untried", level: "warning" };
  return { kind: "backup.drilled", level: "info" };
}

/**
 * What a restored snapshot takes of a disk: holes take nothing, a file of several names is there
 * once, and what cannot be read is not restored.
 */
export async function roomOf(vault: Vault, { root }: Snapshot): Promise<number> {
  const reader = new VaultReader(vault);
  const seen = new Set<string>();
  let bytes = 0;
  const take = async ({ depth, segments }: Content): Promise<void> => {
    for (const segment of segments) {
      if (segment.kind === "hole") continue;
      if (depth === 0) bytes += segment.length;
      else await take(await reader.list(segment.name, depth - 1));
    }
  };
  const folder = async (content: Content): Promise<void> => {
    for await (const entry of reader.entries(content)) {
      if (entry.kind === "file") {
        if (seen.has(entry.sameFile)) continue;
        if (entry.sameFile !== "" && seen.size < sameFilesMax) seen.add(entry.sameFile);
        await take(entry.content).catch(passOver);
      } else if (entry.kind !== "subject" || vault.keys.find(entry.domainId) !== undefined) {
        await folder(entry.content).catch(passOver);
      }
    }
  };
  await folder(root).catch(passOver);
  return bytes;
}

function passOver(error: unknown): void {
  if (!(error instanceof NinesError)) throw error;
}

function say({ id, source }: Snapshot, { files, bytes, wrong, away }: Comparison): string {
  const which = `snapshot ${id.slice(0, 8)} of ${source}`;
  const compared = `${sayCount(files, "file")} of ${sayBytes(bytes)}`;
  if (wrong.count === 0 && away.count > 0) {
    const what = `${sayCount(away.count, "entry", "entries")} of it cannot be read`;
    const until = "until targets are back";
    return `Drill: ${which} cannot be tried ${until}: ${what}, first ${away.first[0]}.`;
  }
  if (wrong.count === 0) {
    return `Drill: ${which} was restored and compared, ${compared}: all is as it was backed up.`;
  }
  const what = `${sayCount(wrong.count, "entry", "entries")} of it wrong, first ${wrong.first[0]}`;
  return `Drill: ${which} cannot be restored as it was: ${what}.`;
}

class Comparison {
  readonly wrong = new Named();
  readonly away = new Named();
  files = 0;
  bytes = 0;
  readonly #vault: Vault;
  readonly #reader: VaultReader;
  readonly #source: TreeSource;
  readonly #progress: () => void;
  /** What `progress` has thrown says nothing of the snapshot. */
  #end: { readonly error: unknown } | undefined;
  readonly #namers = new Map<string, (plain: Uint8Array) => Promise<Uint8Array>>();

  constructor(vault: Vault, source: TreeSource, progress: () => void) {
    this.#vault = vault;
    this.#reader = new VaultReader(vault);
    this.#source = source;
    this.#progress = () => {
      try {
        progress();
      } catch (error) {
        this.#end = { error };
        throw error;
      }
    };
  }

  tell(path: readonly string[], what: string, named = this.wrong): void {
    const name = path.length === 0 ? "the root" : `"${sayName(path.join("/"))}"`;
    named.add(`${name}: ${what}`);
  }

  /** Why something of it cannot be read. */
  tellOf(path: readonly string[], error: unknown): void {
    this.tell(path, messageOf(error), isOfAway(error) ? this.away : this.wrong);
  }

  async folder(path: readonly string[], content: Content, domain: Domain): Promise<void> {
    const listing = await this.#source.list(path);
    if (listing === undefined) return this.tell(path, "the folder is not there");
    const restored = new Map(listing.entries.map((entry) => [entry.name, entry]));
    await this.#entries(path, content, domain, restored);
    for (const name of restored.keys()) this.tell([...path, name], "was not backed up");
  }

  /** Takes what it finds out of `restored`. */
  async #entries(
    path: readonly string[],
    content: Content,
    domain: Domain,
    restored: Map<string, SourceEntry>,
  ): Promise<void> {
    try {
      for await (const entry of this.#reader.entries(content)) {
        if (entry.kind === "subject") {
          const own = this.#vault.keys.find(entry.domainId);
          if (own !== undefined) await this.#entries(path, entry.content, own, restored);
          else if (!this.#vault.keys.isErasedDomain(entry.domainId)) {
            this.tellOf(path, this.#vault.keys.lack(subjectKeyWords));
          }
          continue;
        }
        const inner = [...path, entry.name];
        const found = restored.get(entry.name);
        restored.delete(entry.name);
        if (found === undefined) await this.#tellMissing(inner, entry);
        else await this.#entry(inner, entry, found, domain);
      }
    } catch (error) {
      this.#orEnd(error);
      this.tellOf(path, error);
      // What was read when it was restored, and cannot be now, says nothing of what came of it.
      if (isOfAway(error)) restored.clear();
    }
  }

  /** A file could not be restored where it cannot be read; folders and links could. */
  async #tellMissing(path: readonly string[], { kind, content }: PlainEntry): Promise<void> {
    const away = kind === "file" ? await this.#whyAway(content) : undefined;
    if (away === undefined) this.tell(path, "is not there");
    else this.tellOf(path, away);
  }

  /** Undefined where it can be read, and where some of it is lost whatever comes back. */
  async #whyAway(content: Content): Promise<unknown> {
    let away: unknown;
    const note = (error: unknown) => {
      if (!isOfAway(error)) throw error;
      away ??= error;
    };
    try {
      for await (const segment of this.#reader.segments(content)) {
        if (segment.kind === "chunk") await this.#reader.chunk(segment.name).catch(note);
        this.#progress();
      }
    } catch (error) {
      this.#orEnd(error);
      if (isOfAway(error)) return error;
      passOver(error);
      return undefined;
    }
    return away;
  }

  #orEnd(error: unknown): void {
    if (this.#end?.error === error) throw error;
  }

  async #entry(
    path: readonly string[],
    entry: PlainEntry,
    found: SourceEntry,
    domain: Domain,
  ): Promise<void> {
    const difference = differenceOf(entry, found);
    if (difference !== undefined) return this.tell(path, difference);
    if (entry.kind === "folder") return this.folder(path, entry.content, domain);
    if (entry.kind === "link") return;
    const what = await this.#file(path, entry.content, domain);
    if (what !== undefined) this.tell(path, what);
    this.files++;
    this.bytes += entry.content.bytes;
    this.#progress();
  }

  async #file(
    path: readonly string[],
    content: Content,
    domain: Domain,
  ): Promise<string | undefined> {
    const reader = await this.#source.read(path);
    if (reader === undefined) return "is not there";
    const restored = new ExactReader(reader);
    try {
      let offset = 0;
      for await (const segment of this.#reader.segments(content)) {
        const isRight =
          segment.kind === "hole"
            ? await restored.isZero(segment.length)
            : sameBytes(await this.#nameOf(domain, restored, segment.length), segment.name);
        if (!isRight) return `differs in the ${segment.length} bytes from ${offset} on`;
        offset += segment.length;
      }
      return (await restored.take(1)).length === 0 ? undefined : "goes on after its end";
    } finally {
      await reader.close();
    }
  }

  async #nameOf(domain: Domain, file: ExactReader, length: number): Promise<Uint8Array> {
    let namer = this.#namers.get(domain.id);
    if (namer === undefined) {
      namer = chunkNamer(this.#vault.world.crypto, domain);
      this.#namers.set(domain.id, namer);
    }
    return namer(await file.take(length));
  }
}

/** Owners are not compared: who is not root cannot restore them, and says so. */
function differenceOf(entry: PlainEntry, found: SourceEntry): string | undefined {
  if (found.kind !== entry.kind) return `is a ${found.kind}, and was a ${entry.kind}`;
  if (entry.kind === "link") {
    return found.pointsTo === entry.pointsTo ? undefined : "points elsewhere";
  }
  const { mode, modifiedNs } = found.facts;
  if (mode !== entry.facts.mode) {
    return `has mode ${mode.toString(8)}, and had ${entry.facts.mode.toString(8)}`;
  }
  const lateNs = modifiedNs - entry.facts.modifiedNs;
  if (lateNs > timeToleranceNs || -lateNs > timeToleranceNs) return "has another time";
  const isShort = entry.kind === "file" && found.sizeBytes !== entry.content.bytes;
  return isShort ? `has ${found.sizeBytes} bytes, and had ${entry.content.bytes}` : undefined;
}

/** Gives a file's bytes in the pieces that are asked for, holes as zeros. */
class ExactReader {
  readonly #reader: SourceReader;
  #buffer = new Uint8Array(compareBytes);
  #hole = 0;

  constructor(reader: SourceReader) {
    this.#reader = reader;
  }

  /** Fewer than asked for at the end. Overwritten by the next call. */
  async take(length: number): Promise<Uint8Array> {
    if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#hole > 0) {
        const zeros = Math.min(this.#hole, length - filled);
        this.#buffer.fill(0, filled, filled + zeros);
        this.#hole -= zeros;
        filled += zeros;
        continue;
      }
      const piece = await this.#reader.next(this.#buffer.subarray(filled, length));
      if (piece.kind === "end") break;
      if (piece.kind === "hole") this.#hole = piece.length;
      else filled += piece.length;
    }
    return this.#buffer.subarray(0, filled);
  }

  async isZero(length: number): Promise<boolean> {
    for (let left = length; left > 0; ) {
      const bytes = await this.take(Math.min(left, compareBytes));
      if (bytes.length === 0 || bytes.some((byte) => byte !== 0)) return false;
      left -= bytes.length;
    }
    return true;
  }
}
