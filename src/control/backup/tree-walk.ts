// Going through all that snapshots need: which chunks, and what is wrong on the way.
//
// A folder that was walked once is not walked again, in whichever snapshot it stands: what is the
// same has the same chunk. So a hundred snapshots of a tree that hardly changes cost little more
// than one. Subjects that were erased are passed over; they need nothing any more.

import { sayCount } from "../../core/base/count.ts";
import { messageOf } from "./catalog.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import type { Content } from "../../core/vault/tree.ts";
import type { Vault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";

export interface Missing {
  readonly snapshot: Snapshot;
  /** As bytes, joined by "/"; "" for the root. */
  readonly path: string;
  /** A folder that cannot be read hides what is in it. */
  readonly kind: "file" | "folder";
  readonly reason: string;
}

/** What of a content is not there. */
interface Lack {
  readonly bytes: number;
  /** Why a list of its chunks cannot be read, if one cannot. */
  readonly unknown: string | undefined;
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
    const isTold = await this.#content(path, "folder", content);
    try {
      for await (const entry of this.#reader.entries(content)) {
        if (entry.kind === "subject") {
          const isErased = this.#vault.keys.find(entry.domainId) === undefined;
          if (!isErased) await this.folder(path, entry.content);
          continue;
        }
        const inner = path === "" ? entry.name : `${path}/${entry.name}`;
        if (entry.kind === "folder") await this.folder(inner, entry.content);
        else await this.#content(inner, "file", entry.content);
      }
    } catch (error) {
      if (!isTold) this.#tell(path, "folder", messageOf(error));
    }
  }

  /** Tells once of all that is not there of it; whether there was anything to tell. */
  async #content(path: string, kind: Missing["kind"], content: Content): Promise<boolean> {
    const { bytes, unknown } = await this.#mark(content);
    if (unknown !== undefined) {
      // What the list names cannot be known, so nothing may be taken for unneeded.
      this.#tell(path, "folder", unknown);
    } else if (bytes > 0) {
      const said = sayCount(bytes, "byte of it is", "bytes of it are");
      const { whileAway } = this.#vault.catalog;
      this.#tell(path, kind, `${said} in no pack that can be read${whileAway}`);
    }
    return unknown !== undefined || bytes > 0;
  }

  async #mark({ depth, segments }: Content): Promise<Lack> {
    let [bytes, unknown]: [number, string | undefined] = [0, undefined];
    for (const segment of segments) {
      if (segment.kind === "hole") continue;
      if (this.#vault.index.mark(segment.name, "needed") === undefined) {
        bytes += segment.length;
        continue;
      }
      if (depth === 0) continue;
      try {
        const inner = await this.#mark(await this.#reader.list(segment.name, depth - 1));
        bytes += inner.bytes;
        unknown ??= inner.unknown;
      } catch (error) {
        unknown ??= messageOf(error);
      }
    }
    return { bytes, unknown };
  }

  #tell(path: string, kind: Missing["kind"], reason: string): void {
    this.#missing({ snapshot: this.#snapshot, path, kind, reason });
  }
}
