// What differs between two snapshots: both trees are in the order of names and are read side by
// side; what has the same chunks is the same and is not looked into.

import type { Snapshot } from "../../core/vault/records.ts";
import type { Content, PlainEntry } from "../../core/vault/tree.ts";
import { sameBytes } from "../../core/vault/wire.ts";
import { entriesAt } from "./restore.ts";
import type { Vault } from "./vault.ts";

export interface Difference {
  readonly kind: "added" | "removed" | "changed";
  readonly path: string;
}

export async function* compare(
  vault: Vault,
  before: Snapshot,
  after: Snapshot,
  path: readonly string[] = [],
): AsyncGenerator<Difference> {
  const [old, now] = [
    await allOf(entriesAt(vault, before, path)),
    await allOf(entriesAt(vault, after, path)),
  ];
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [was, is] = [old.get(name), now.get(name)];
    const said = [...path, name].join("/");
    if (was === undefined) yield { kind: "added", path: said };
    else if (is === undefined) yield { kind: "removed", path: said };
    else if (was.kind !== is.kind) yield { kind: "changed", path: said };
    else if (isSame(was.content, is.content) && was.pointsTo === is.pointsTo) continue;
    else if (is.kind === "folder") yield* compare(vault, before, after, [...path, name]);
    else yield { kind: "changed", path: said };
  }
}

async function allOf(entries: AsyncGenerator<PlainEntry>): Promise<Map<string, PlainEntry>> {
  const all = new Map<string, PlainEntry>();
  for await (const entry of entries) all.set(entry.name, entry);
  return all;
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
