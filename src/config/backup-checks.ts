// What `backup` says of itself: that there is a key, and that there are targets enough.

import { backup } from "./backup-schema.ts";
import type { Path } from "./problems.ts";
import { geometryOf } from "./resolve-backup.ts";

export interface BackupFinding {
  readonly path: Path;
  readonly what: string;
  readonly remedy: string;
}

/** `written` is what stands under `backup`; what cannot be read is refused elsewhere. */
export function checkBackup(written: unknown): readonly BackupFinding[] {
  const read = backup.optional().safeParse(written);
  if (!read.success || read.data === undefined) return [];
  const { keyFile, passphraseFile, targets, copies, data, parity, shareDomains } = read.data;
  const findings: BackupFinding[] = [];
  const find = (path: Path, what: string, remedy: string) =>
    findings.push({ path: ["backup", ...path], what, remedy });
  if ((keyFile === undefined) === (passphraseFile === undefined)) {
    const what = keyFile === undefined ? "has no master key" : "has two master keys";
    find([], what, "Write `keyFile` or `passphraseFile`.");
  }
  if ((data === undefined) !== (parity === undefined)) {
    find([], "has one of `data` and `parity`", "Write both, or `copies`.");
  } else if (copies !== undefined && data !== undefined) {
    find(["copies"], "stands beside `data` and `parity`", "Write one or the other.");
  }
  const { dataShards, parityShards } = geometryOf(read.data);
  const shards = dataShards + parityShards;
  const taking = Object.entries(targets).filter(([, { retire }]) => !retire);
  const domains = new Set(taking.map(([name, { domain }]) => domain ?? name)).size;
  if (shards > 255) find([], `has ${shards} shards an object`, "Write 255 in all at most.");
  else if (taking.length === 0) find(["targets"], "has no target", "Add one.");
  else if (domains < shards && !shareDomains) {
    const what = `has ${domains} failure domains, and each object has ${shards} shards`;
    find(["targets"], what, "Add targets, make fewer shards, or write `shareDomains: true`.");
  }
  return findings;
}
