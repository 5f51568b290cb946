// Which files a journal's folder holds. One that is not a journal's is refused before anything is
// touched: the folder may be somebody else's, and we are about to write and remove files in it.

import { NinesError } from "../../core/base/errors.ts";
import type { DiskFolder } from "../../ports/disk.ts";
import { fileKind } from "./format.ts";

export interface Contents {
  /** Indexes of the segments, ascending. */
  readonly segments: readonly number[];
  /** What the snapshots reach to, ascending. */
  readonly snapshots: readonly number[];
  readonly unfinished: readonly string[];
}

export async function readContents(folder: DiskFolder): Promise<Contents> {
  const segments: number[] = [];
  const snapshots: number[] = [];
  const unfinished: string[] = [];
  for (const name of await folder.list()) {
    const file = fileKind(name);
    if (file.kind === "segment") segments.push(file.index);
    else if (file.kind === "snapshot") snapshots.push(file.through);
    else if (file.kind === "unfinished") unfinished.push(name);
    else if (file.kind === "foreign") {
      const what = `${folder.path} holds ${name}, which is no file of a journal`;
      throw new NinesError("NINES_JOURNAL_FOREIGN", what);
    }
  }
  const ascending = (a: number, b: number): number => a - b;
  return { segments: segments.sort(ascending), snapshots: snapshots.sort(ascending), unfinished };
}
