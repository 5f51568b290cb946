// How each kind of source that a file names is read, loaded when there is one. A further kind (a
// database's own dump) is a driver here, and its part of the schema.

import { statSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { dirname, relative } from "node:path";
import type { BackupSourceConfig, BackupTargetConfig } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import { type ByteName, type EntryFacts, keptTimeNs, readName } from "../../core/vault/entry.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { TreeSource } from "../../ports/tree-source.ts";
import { createDisk } from "../../runtime/disk.ts";
import { codeOf } from "../../runtime/error-code.ts";
import { createFileTreeSource, identityOf } from "../../runtime/file-tree-source.ts";

/** A disk that sleeps needs as long to say what it is; one that hangs never does. */
const identityMs = 10_000;

const missingCodes: readonly string[] = ["ENOENT", "ENOTDIR"];

interface SourceWorld {
  readonly clock: Clock;
  readonly events: Events;
}

export async function beginSource(
  { name, from }: BackupSourceConfig,
  targets: readonly BackupTargetConfig[],
  world: SourceWorld,
): Promise<TreeSource> {
  switch (from.kind) {
    case "files": {
      const { path } = from;
      const { identities, paths } = await ownFolders(name, path, targets, world);
      await refuseWithin(identities, path);
      const exclude = from.exclude.map(readName);
      return createFileTreeSource({ name, path, exclude, own: identities, ownPaths: paths });
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

/**
 * The targets that the walk may meet: by its own path what lies below the source, and by what it is
 * what links or mounts lead to.
 */
async function ownFolders(
  source: string,
  path: string,
  targets: readonly BackupTargetConfig[],
  { clock, events }: SourceWorld,
): Promise<{ readonly identities: ReadonlySet<string>; readonly paths: readonly ByteName[] }> {
  const identities = new Set<string>();
  const paths: ByteName[] = [];
  const unknown = new Set<string>();
  const looks = targets.map(async ({ name, place }) => {
    if (place.kind !== "folder") return;
    const below = Buffer.from(relative(path, place.path)).toString("latin1");
    if (isBelow(below)) paths.push(below);
    else unknown.add(name);
    try {
      identities.add(identityOf(await stat(place.path, { bigint: true })));
    } catch (error) {
      // What is not there is met nowhere.
      if (!missingCodes.includes(codeOf(error))) return;
    }
    unknown.delete(name);
  });
  let timer: Disposable | undefined;
  const late = new Promise<void>((resolve) => {
    timer = clock.after(identityMs, resolve);
  });
  await Promise.race([Promise.all(looks), late]);
  timer?.[Symbol.dispose]();
  for (const name of unknown) {
    const what = `Target ${name} does not say which folder it is: should source ${source} hold it`;
    const sentence = `${what} by a link or a mount, it is backed up as well.`;
    events.record({ kind: "backup.target-unknown", level: "warning", sentence });
  }
  return { identities, paths };
}

function isBelow(path: string): boolean {
  return path !== "" && path !== ".." && !path.startsWith("../");
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
    if (there === undefined || !own.has(identityOf(there))) continue;
    const what = `${path} is a target of the vault itself, or lies in one.`;
    throw new NinesError("NINES_BACKUP_SOURCE", what);
  }
}
