// How each kind of source that a file names is read, loaded when there is one. A further kind (a
// database's own dump) is a driver here, and its part of the schema.

import { statSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { BackupSourceConfig, BackupTargetConfig } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import { type EntryFacts, keptTimeNs, readName } from "../../core/vault/entry.ts";
import type { Clock } from "../../ports/clock.ts";
import type { TreeSource } from "../../ports/tree-source.ts";
import { createDisk } from "../../runtime/disk.ts";
import { createFileTreeSource, folderIdentity } from "../../runtime/file-tree-source.ts";

/** Who does not say so soon what it is hangs, and is not what the walk would go through. */
const identityMs = 2_000;

export async function beginSource(
  { name, from }: BackupSourceConfig,
  targets: readonly BackupTargetConfig[],
  clock: Clock,
): Promise<TreeSource> {
  switch (from.kind) {
    case "files": {
      const own = await identitiesOf(targets, clock);
      await refuseWithin(own, from.path);
      const exclude = from.exclude.map(readName);
      return createFileTreeSource({ name, path: from.path, exclude, own });
    }
    case "command": {
      const { createCommandSource } = await import("../../runtime/command-source.ts");
      return createCommandSource({ name, ...from, environment: process.env }).begin();
    }
    case "journal": {
      const { createJournalSource } = await import("../../state/journal/journal-source.ts");
      const { path } = from;
      const facts = factsIn(path);
      return createJournalSource({ name, path, disk: createDisk(), facts }).begin();
    }
  }
}

async function identitiesOf(
  targets: readonly BackupTargetConfig[],
  clock: Clock,
): Promise<ReadonlySet<string>> {
  const own = new Set<string>();
  const looks = targets.map(async ({ place }) => {
    if (place.kind === "folder") own.add(folderIdentity(await stat(place.path, { bigint: true })));
  });
  let timer: Disposable | undefined;
  const late = new Promise<void>((resolve) => {
    timer = clock.after(identityMs, resolve);
  });
  await Promise.race([Promise.allSettled(looks), late]);
  timer?.[Symbol.dispose]();
  return own;
}

/** The journal's files belong to whom its folder belongs. */
function factsIn(path: string): EntryFacts {
  try {
    const { mode, uid, gid, mtimeNs } = statSync(path, { bigint: true });
    return {
      mode: Number(mode & 0o666n),
      userId: Number(uid),
      groupId: Number(gid),
      modifiedNs: keptTimeNs(mtimeNs),
      attributes: [],
    };
  } catch (cause) {
    const what = `There is no journal in ${path}, or it cannot be looked at.`;
    throw new NinesError("NINES_JOURNAL_NOT_FOUND", what, { cause });
  }
}

/** The walk leaves out targets that it meets; one that it begins in it would never meet. */
async function refuseWithin(own: ReadonlySet<string>, path: string): Promise<void> {
  // What is not there is told of where it is read.
  let folder = await realpath(path).catch(() => path);
  for (let below = ""; folder !== below; folder = dirname(folder)) {
    below = folder;
    const there = await stat(folder, { bigint: true }).catch(() => undefined);
    if (there === undefined || !own.has(folderIdentity(there))) continue;
    const what = `${path} is a target of the vault itself, or lies in one.`;
    throw new NinesError("NINES_BACKUP_SOURCE", what);
  }
}
