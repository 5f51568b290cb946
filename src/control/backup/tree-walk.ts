// Going through all that snapshots need: which chunks, and what is wrong on the way.
//
// A folder that was walked once is not walked again, in whichever snapshot it stands: what is the
// same has the same chunk. So a hundred snapshots of a tree that hardly changes cost little more
// than one. Subjects that were erased are passed over; they need nothing any more. One whose key is
// lost is named: nobody knows what it needs.

import { sayCount } from "../../core/base/count.ts";
import { isOfAway, messageOf } from "./catalog.ts";
import { subjectKeyWords } from "./key-ring.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import type { Content, SubjectEntry, TreeEntry } from "../../core/vault/tree.ts";
import type { Vault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";

export interface Missing {
  readonly snapshot: Snapshot;
  /** As bytes, joined by "/"; "" for the root. */
  readonly path: string;
  /** What else it needs is not known: of a folder, and of a file whose list of chunks is lost. */
  readonly hidesMore: boolean;
  readonly reason: string;
  /** All of it may be back with the targets that are away. */
  readonly isAway: boolean;
  /** Of a subject whose key is lost: all that is hidden lies in packs of this domain. */
  readonly domainId?: string;
}

/** What of a content is not there. */
interface Lack {
  readonly lostBytes: number;
  /** Those that may be back with the targets that are away. */
  readonly awayBytes: number;
  /** Why a list of its chunks cannot be read, if one cannot. */
  readonly unknown: unknown;
}

/** Marks every chunk that these snapshots need, and tells of each that is not there. */
export async function markNeeded(
  vault: Vault,
  snapshots: readonly Snapshot[],
  missing: (what: Missing) => void,
): Promise<void> {
  vault.index.clearMarks();
  for (const snapshot of snapshots) {
    await new Walk(vault, snapshot, missing).folder("", snapshot.root);
  }
}

class Walk {
  readonly #vault: Vault;
  readonly #reader: VaultReader;
  readonly #snapshot: Snapshot;
  readonly #missing: (what: Missing) => void;

  constructor(vault: Vault, snapshot: Snapshot, missing: (what: Missing) => void) {
    this.#vault = vault;
    this.#reader = new VaultReader(vault);
    this.#snapshot = snapshot;
    this.#missing = missing;
  }

  async folder(path: string, content: Content): Promise<void> {
    const [only] = content.segments;
    const isOne = content.depth === 0 && content.segments.length === 1 && only?.kind === "chunk";
    if (isOne && this.#vault.index.mark(only.name, "walked") === false) return;
    const isTold = await this.#content(path, true, content);
    for await (const entry of this.#entries(path, content, isTold)) {
      if (entry.kind === "subject") {
        await this.#subject(path, entry);
        continue;
      }
      const inner = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.kind === "folder") await this.folder(inner, entry.content);
      else await this.#content(inner, false, entry.content);
    }
  }

  /** As many of a folder as can be read; whoever is told may end the walk by what it throws. */
  async *#entries(path: string, content: Content, isTold: boolean): AsyncGenerator<TreeEntry> {
    try {
      yield* this.#reader.entries(content);
    } catch (error) {
      if (!isTold) this.#tellOf(path, error);
    }
  }

  async #subject(path: string, { domainId, content }: SubjectEntry): Promise<void> {
    const { keys } = this.#vault;
    if (keys.find(domainId) !== undefined) return this.folder(path, content);
    if (keys.isErasedDomain(domainId)) return;
    const lack = keys.lack(subjectKeyWords);
    const [reason, isAway] = [messageOf(lack), isOfAway(lack)];
    this.#missing({ snapshot: this.#snapshot, path, hidesMore: true, reason, isAway, domainId });
  }

  /** Tells once of all that is not there of it; whether there was anything to tell. */
  async #content(path: string, hidesMore: boolean, content: Content): Promise<boolean> {
    const { lostBytes, awayBytes, unknown } = await this.#mark(content);
    const lacks = [
      ...(lostBytes > 0 ? [inNoPack(lostBytes)] : []),
      ...(awayBytes > 0 ? [`${inNoPack(awayBytes)}${this.#vault.catalog.whileAway}`] : []),
    ];
    // What the list names cannot be known, so nothing may be taken for unneeded.
    if (unknown !== undefined) this.#tellOf(path, unknown);
    else if (lacks.length > 0) this.#tell(path, hidesMore, lacks.join("; "), lostBytes === 0);
    return unknown !== undefined || lacks.length > 0;
  }

  async #mark({ depth, segments }: Content): Promise<Lack> {
    let [lostBytes, awayBytes] = [0, 0];
    let unknown: unknown;
    for (const segment of segments) {
      if (segment.kind === "hole") continue;
      const isHere = this.#vault.index.mark(segment.name, "needed") !== undefined;
      if (depth === 0) {
        if (isHere) continue;
        if (this.#vault.isAway(segment.name)) awayBytes += segment.length;
        else lostBytes += segment.length;
        continue;
      }
      // Of a list the length is its own, and says nothing of the file's.
      try {
        const inner = await this.#mark(await this.#reader.list(segment.name, depth - 1));
        lostBytes += inner.lostBytes;
        awayBytes += inner.awayBytes;
        unknown ??= inner.unknown;
      } catch (error) {
        unknown ??= error;
      }
    }
    return { lostBytes, awayBytes, unknown };
  }

  /** What is in a folder, or in a file, is not known. */
  #tellOf(path: string, error: unknown): void {
    this.#tell(path, true, messageOf(error), isOfAway(error));
  }

  #tell(path: string, hidesMore: boolean, reason: string, isAway: boolean): void {
    this.#missing({ snapshot: this.#snapshot, path, hidesMore, reason, isAway });
  }
}

function inNoPack(bytes: number): string {
  return `${sayCount(bytes, "byte of it is", "bytes of it are")} in no pack that can be read`;
}
