// What is done with an open vault place, by a person's command and by control's duties alike.

import { chmodSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { BackupSourceConfig } from "../../config/config.ts";
import { drill, type DrillOutcome, roomOf } from "../../control/backup/drill.ts";
import { type BackupOutcome, runBackup, type Vault } from "../../control/backup/operations.ts";
import { sayBytes } from "../../core/base/bytes.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import { createFileTreePlace } from "../../runtime/file-tree-place.ts";
import { createFileTreeSource } from "../../runtime/file-tree-source.ts";
import { makeFoldersSync } from "../../runtime/make-folders.ts";
import { subjectOf, type VaultPlace } from "./place.ts";
import { beginSource } from "./sources.ts";

/** What changes while it is read is read again so often, each time with less to do. */
const attemptsMax = 3;

/** `progress` is told how many bytes were read, after each file; what it throws ends the run. */
export async function backUp(
  place: VaultPlace,
  source: BackupSourceConfig,
  progress: (bytes: number) => void,
): Promise<BackupOutcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryToBackUp(place, source, progress);
    } catch (error) {
      const isChanged = error instanceof NinesError && error.code === "NINES_BACKUP_CHANGED";
      if (!isChanged || attempt === attemptsMax) throw error;
    }
  }
}

async function tryToBackUp(
  { config, world, settings, key }: VaultPlace,
  source: BackupSourceConfig,
  progress: (bytes: number) => void,
): Promise<BackupOutcome> {
  const tree = await beginSource(source, config.targets, world);
  const subjects = source.from.kind === "files" ? source.from.subjects?.join("/") : undefined;
  try {
    return await runBackup(world, settings, tree, {
      ...key,
      service: source.service,
      subjectOf: subjectOf(source),
      ...(subjects === undefined ? {} : { subjects }),
      progress: ({ contentBytes }) => progress(contentBytes),
    });
  } finally {
    await tree.close();
  }
}

/** What is free beyond a restore when a drill begins: it must not be the one that fills a disk. */
const spareRatio = 1.1;
/** Nobody else's folder is called so: what a killed drill has left is removed by its name. */
const scratchName = /^nines-drill-(\d+)$/;

/**
 * Restores to a folder of its own in `folder`, compares, and removes it. Throws NINES_DRILL_ROOM
 * and what restoring throws; what `progress` throws ends it.
 */
export async function drillIn(
  folder: string,
  vault: Vault,
  snapshot: Snapshot,
  progress: () => void,
): Promise<DrillOutcome> {
  makeFoldersSync(folder);
  for (const name of readdirSync(folder)) {
    const pid = scratchName.exec(name)?.[1];
    if (pid !== undefined && !lives(Number(pid))) removeTree(join(folder, name));
  }
  await checkRoom(folder, vault, snapshot);
  const root = join(folder, `nines-drill-${process.pid}`);
  try {
    const { bulk } = vault.world.crypto;
    const place = await createFileTreePlace({ root, mayHold: false, bulk });
    const source = createFileTreeSource({ name: "drill", path: root, exclude: [] });
    try {
      return await drill(vault, snapshot, { place, source }, progress);
    } finally {
      await place.close();
      await source.close();
    }
  } finally {
    removeTree(root);
  }
}

async function checkRoom(folder: string, vault: Vault, snapshot: Snapshot): Promise<void> {
  const { id, source, counts } = snapshot;
  const { bavail, bsize } = statfsSync(folder);
  // What files are said to have is more than what they take, and known at once.
  if (bavail * bsize >= spareRatio * counts.contentBytes) return;
  const neededBytes = spareRatio * (await roomOf(vault, snapshot));
  if (bavail * bsize >= neededBytes) return;
  const [needed, free] = [sayBytes(neededBytes), sayBytes(bavail * bsize)];
  const what = `A drill of snapshot ${id.slice(0, 8)} of ${source} needs ${needed} in ${folder}`;
  throw new NinesError("NINES_DRILL_ROOM", `${what}, and ${free} are free.`);
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Folders may have come back with modes that keep their owner out. */
function removeTree(root: string): void {
  try {
    rmSync(root, { recursive: true, force: true });
  } catch {
    openFolders(Buffer.from(root));
    rmSync(root, { recursive: true, force: true });
  }
}

function openFolders(folder: Buffer): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true, encoding: "buffer" })) {
    if (!entry.isDirectory()) continue;
    openFolders(Buffer.concat([folder, Buffer.from("/"), entry.name]));
  }
}
