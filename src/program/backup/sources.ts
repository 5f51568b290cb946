// How each kind of source that a file names is read, loaded when there is one. A further kind (a
// database's own dump) is a driver here, and its part of the schema.

import { statSync } from "node:fs";
import type { BackupSourceConfig } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import { type EntryFacts, keptTimeNs, readName } from "../../core/vault/entry.ts";
import type { TreeSource } from "../../ports/tree-source.ts";
import { createDisk } from "../../runtime/disk.ts";
import { createFileTreeSource } from "../../runtime/file-tree-source.ts";

export async function beginSource({ name, from }: BackupSourceConfig): Promise<TreeSource> {
  switch (from.kind) {
    case "files":
      return createFileTreeSource({ name, ...from, exclude: from.exclude.map(readName) });
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
