// The last good table, on disk: what a gateway process starts from when nobody can tell it better.
//
// Replaced whole by a rename, so a reader sees the old or the new one. Not forced to the disk: it
// serves gateway processes, and none of them outlives the power loss that could lose it; the next
// `nines up` writes it before it starts a gateway.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { RoutingTable } from "../../core/route/table.ts";
import { readTable } from "./read-table.ts";

/** Undefined when there is none, or what is there is not a table. */
export function loadTable(path: string): RoutingTable | undefined {
  try {
    return readTable(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** Throws what the disk says; the old table then still stands. */
export function saveTable(path: string, table: RoutingTable): void {
  replaceFile(path, JSON.stringify(table));
}

/** Whoever reads it finds the old text or the new one, whole. */
export function replaceFile(path: string, text: string): void {
  const beside = `${path}.${process.pid}`;
  try {
    writeFileSync(beside, text, { mode: 0o600 });
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}
