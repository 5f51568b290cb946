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
  const { targets, copies, data, parity, shareDomains } = read.data;
  const findings: BackupFinding[] = [];
  const find = (path: Path, what: string, remedy: string) =>
    findings.push({ path: ["backup", ...path], what, remedy });
  const { keyFile, passphraseFile, keyCommand } = read.data;
  const keys = [keyFile, passphraseFile, keyCommand].filter((key) => key !== undefined).length;
  if (keys !== 1) {
    const what = keys === 0 ? "has no master key" : `has ${keys} master keys`;
    find([], what, "Write one of `keyFile`, `passphraseFile` and `keyCommand`.");
  }
  const seen = new Map<string, string>();
  for (const [name, target] of Object.entries(targets)) {
    const { endpoint, bucket, prefix } = target.s3 ?? {};
    const place = JSON.stringify([target.path, endpoint, bucket, prefix]);
    const twin = seen.get(place);
    if (twin !== undefined) find(["targets", name], `is the place of ${twin}`, "Name another.");
    seen.set(place, name);
    const places = [target.path, target.s3].filter((place) => place !== undefined).length;
    const what = places === 0 ? "is no place" : "is two places";
    if (places !== 1) find(["targets", name], what, "Write one of `path` and `s3`.");
    if (!target.appendOnly || !target.retire) continue;
    const remedy = "Leave `appendOnly` out where it is emptied.";
    find(["targets", name, "retire"], "cannot empty what is `appendOnly`", remedy);
  }
  if ((data === undefined) !== (parity === undefined)) {
    find([], "has one of `data` and `parity`", "Write both, or `copies`.");
  } else if (copies !== undefined && data !== undefined) {
    find(["copies"], "stands beside `data` and `parity`", "Write one or the other.");
  }
  for (const [name, { path, command, journal }] of Object.entries(read.data.sources)) {
    const kinds = Object.entries({ path, command, journal }).filter(([, at]) => at !== undefined);
    const which = kinds.map(([kind]) => kind);
    if (which.length === 1) continue;
    const what = which.length === 0 ? "says nothing to back up" : `has ${which.join(" and ")}`;
    find(["sources", name], what, "Write one of `path`, `command` and `journal`.");
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
