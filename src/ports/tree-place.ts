// A place to restore a tree to: the other end of ports/tree-source.ts.
//
// The caller goes through the tree in order: a folder is made before what is in it, and `finish`ed
// after; files of a folder may be open beside each other. Paths come from a backup, which whoever
// holds a target may have changed: a place refuses names that are not names, never follows a link,
// and never writes outside its root. An entry that is there already is replaced only when the place
// was opened for that.

import type { ByteName, EntryFacts } from "../core/vault/entry.ts";

export type TreePath = readonly ByteName[];

export interface PlaceWriter {
  /**
   * Writes at `offset`, in any order and beside other writes; what is skipped is zeros. `bytes` are
   * used for something else once it resolves.
   */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** The file has this size and these facts, and is in its place. */
  finish(sizeBytes: number, facts: EntryFacts): Promise<void>;
  /** Leaves what there is of it under no name that a reader takes for the file. */
  abandon(): Promise<void>;
}

export interface TreePlace {
  makeFolder(path: TreePath): Promise<void>;
  /** The folder's own facts, last: its modification time would not outlive what is put into it. */
  finishFolder(path: TreePath, facts: EntryFacts): Promise<void>;
  /**
   * A file at `path`. Undefined when an earlier restore that was cut off has finished it: it is
   * there with this size and modification time.
   */
  openFile(path: TreePath, sizeBytes: number, facts: EntryFacts): Promise<PlaceWriter | undefined>;
  /** A second name of a file that was restored at `first`. */
  linkSame(path: TreePath, first: TreePath): Promise<void>;
  makeLink(path: TreePath, pointsTo: ByteName, facts: EntryFacts): Promise<void>;
  /** What could not be kept (owners without root, attributes without setfattr), so far. */
  leftOut(): readonly string[];
  close(): Promise<void>;
}
