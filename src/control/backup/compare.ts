// What differs between two snapshots: both trees are in the order of names and are read side by
// side; what has the same chunks is the same and is not looked into. Mode, owner, times and
// attributes count as well: a restore brings them back.

import { type ErrorCode, NinesError } from "../../core/base/errors.ts";
import type { EntryFacts } from "../../core/vault/entry.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import type { Content, PlainEntry } from "../../core/vault/tree.ts";
import { sameBytes } from "../../core/vault/wire.ts";
import { messageOf } from "./catalog.ts";
import { entriesAt } from "./restore.ts";
import type { Vault } from "./vault.ts";

/** Of what is there and cannot be read, or not all of it. */
const unreadCodes: ReadonlySet<ErrorCode> = new Set([
  "NINES_VAULT_LOST",
  "NINES_VAULT_TARGETS",
  "NINES_VAULT_DAMAGED",
]);

export interface Difference {
  readonly kind: "added" | "removed" | "changed" | "unknown";
  readonly path: string;
  /** What has changed: "content", "only mode, time"; or why that is unknown. Else "". */
  readonly what: string;
}

export async function* compare(
  vault: Vault,
  before: Snapshot,
  after: Snapshot,
  path: readonly string[] = [],
): AsyncGenerator<Difference> {
  const [old, now] = [await allAt(vault, before, path), await allAt(vault, after, path)];
  for (const what of new Set([...old.lacks, ...now.lacks])) {
    yield { kind: "unknown", path: path.join("/"), what };
  }
  for (const name of [...new Set([...old.entries.keys(), ...now.entries.keys()])].sort()) {
    const [was, is] = [old.entries.get(name), now.entries.get(name)];
    const said = [...path, name].join("/");
    if (was === undefined) {
      // What cannot be read may have it.
      if (old.lacks.size === 0) yield { kind: "added", path: said, what: "" };
    } else if (is === undefined) {
      if (now.lacks.size === 0) yield { kind: "removed", path: said, what: "" };
    } else {
      const what = changeOf(vault, was, is);
      if (what !== "") yield { kind: "changed", path: said, what };
      const areFolders = was.kind === "folder" && is.kind === "folder";
      if (areFolders && !isSame(was.content, is.content)) {
        yield* compare(vault, before, after, [...path, name]);
      }
    }
  }
}

interface Folder {
  readonly entries: ReadonlyMap<string, PlainEntry>;
  /** Why some of what is in it cannot be known. */
  readonly lacks: ReadonlySet<string>;
}

async function allAt(vault: Vault, snapshot: Snapshot, path: readonly string[]): Promise<Folder> {
  const entries = new Map<string, PlainEntry>();
  const lacks = new Set<string>();
  const lacking = (lack: Error) => void lacks.add(messageOf(lack));
  try {
    for await (const entry of entriesAt(vault, snapshot, path, lacking)) {
      entries.set(entry.name, entry);
    }
  } catch (error) {
    // Of a folder that cannot be read all others can still be told apart.
    if (!(error instanceof NinesError) || !unreadCodes.has(error.code)) throw error;
    lacking(error);
  }
  return { entries, lacks };
}

function changeOf(vault: Vault, was: PlainEntry, is: PlainEntry): string {
  if (was.kind !== is.kind) return `it is a ${is.kind}, and was a ${was.kind}`;
  const isSameContent = isSame(was.content, is.content);
  if (is.kind !== "folder" && !isSameContent) {
    const [before, after] = [keyOf(vault, was.content), keyOf(vault, is.content)];
    const areKnown = before !== undefined && after !== undefined;
    const isOtherKey = areKnown && before !== after && was.content.bytes === is.content.bytes;
    return isOtherKey ? "its key, and perhaps its content" : "content";
  }
  if (was.pointsTo !== is.pointsTo) return "where it points";
  const facts = changedFacts(was.facts, is.facts);
  // A folder has another time whenever something came or went in it, which is told by itself.
  const own = isSameContent ? facts : facts.filter((fact) => fact !== "time");
  return own.length === 0 ? "" : `only ${own.join(", ")}`;
}

/** Under another key equal chunks have other names: whether they are equal nobody knows. */
function keyOf({ index }: Vault, { segments }: Content): string | undefined {
  const chunk = segments.find((segment) => segment.kind === "chunk");
  return chunk === undefined ? undefined : index.find(chunk.name)?.pack.domainId;
}

function changedFacts(was: EntryFacts, is: EntryFacts): readonly string[] {
  const isSameOwner = was.userId === is.userId && was.groupId === is.groupId;
  const areSameAttributes =
    was.attributes.length === is.attributes.length &&
    was.attributes.every(({ name, value }, at) => {
      const other = is.attributes[at];
      return other?.name === name && sameBytes(other.value, value);
    });
  return [
    ...(was.mode === is.mode ? [] : ["mode"]),
    ...(isSameOwner ? [] : ["owner"]),
    ...(was.modifiedNs === is.modifiedNs ? [] : ["time"]),
    ...(areSameAttributes ? [] : ["attributes"]),
  ];
}

function isSame(a: Content, b: Content): boolean {
  if (a.bytes !== b.bytes || a.segments.length !== b.segments.length) return false;
  return a.segments.every((one, at) => {
    const other = b.segments[at];
    if (other === undefined || one.length !== other.length) return false;
    if (one.kind === "hole" || other.kind === "hole") return one.kind === other.kind;
    return sameBytes(one.name, other.name);
  });
}
