// What differs between two snapshots: both trees are in the order of names and are read side by
// side; what has the same chunks is the same and is not looked into. Mode, owner, times and
// attributes count as well: a restore brings them back.

import type { EntryFacts } from "../../core/vault/entry.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import type { Content, PlainEntry } from "../../core/vault/tree.ts";
import { sameBytes } from "../../core/vault/wire.ts";
import { messageOf } from "./catalog.ts";
import { entriesAt } from "./restore.ts";
import type { Vault } from "./vault.ts";

export interface Difference {
  readonly kind: "added" | "removed" | "changed" | "unknown";
  readonly path: string;
  /** What has changed: "content", "only mode, time"; or why it is unknown. Else "". */
  readonly what: string;
}

export async function* compare(
  vault: Vault,
  before: Snapshot,
  after: Snapshot,
  path: readonly string[] = [],
): AsyncGenerator<Difference> {
  const lacks = new Set<string>();
  const entriesOf = (snapshot: Snapshot) =>
    allOf(entriesAt(vault, snapshot, path, (lack) => void lacks.add(messageOf(lack))));
  const [old, now] = [await entriesOf(before), await entriesOf(after)];
  for (const what of lacks) yield { kind: "unknown", path: path.join("/"), what };
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [was, is] = [old.get(name), now.get(name)];
    const said = [...path, name].join("/");
    if (was === undefined) yield { kind: "added", path: said, what: "" };
    else if (is === undefined) yield { kind: "removed", path: said, what: "" };
    else {
      const what = changeOf(was, is);
      if (what !== "") yield { kind: "changed", path: said, what };
      const areFolders = was.kind === "folder" && is.kind === "folder";
      if (areFolders && !isSame(was.content, is.content)) {
        yield* compare(vault, before, after, [...path, name]);
      }
    }
  }
}

async function allOf(entries: AsyncGenerator<PlainEntry>): Promise<Map<string, PlainEntry>> {
  const all = new Map<string, PlainEntry>();
  for await (const entry of entries) all.set(entry.name, entry);
  return all;
}

function changeOf(was: PlainEntry, is: PlainEntry): string {
  if (was.kind !== is.kind) return `it is a ${is.kind}, and was a ${was.kind}`;
  const isSameContent = isSame(was.content, is.content);
  if (is.kind !== "folder" && !isSameContent) return "content";
  if (was.pointsTo !== is.pointsTo) return "where it points";
  const facts = changedFacts(was.facts, is.facts);
  // A folder has another time whenever something came or went in it, which is told by itself.
  const own = isSameContent ? facts : facts.filter((fact) => fact !== "time");
  return own.length === 0 ? "" : `only ${own.join(", ")}`;
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
