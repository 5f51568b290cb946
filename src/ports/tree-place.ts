// A place to restore a tree to: the other end of ports/tree-source.ts.
//
// A folder is made before what is in it and `finish`ed after all of that, which may be long after
// the next ones were made; files of several folders may be open beside each other. Paths come from
// a backup, which whoever holds a target may have changed: a place refuses names that are not
// names, never follows a link, and never writes outside its root. An entry that is there already is
// replaced only when the place was opened for that.

import type { SealedChunk } from "../core/vault/crypto.ts";
import type { ByteName, EntryFacts } from "../core/vault/entry.ts";

export type TreePath = readonly ByteName[];

/** A file as a backup has it. */
export interface KeptFile {
  readonly name: ByteName;
  readonly facts: EntryFacts;
  readonly sizeBytes: number;
}

/** A file of one chunk, or an empty one. */
export interface SmallFile {
  readonly name: ByteName;
  readonly facts: EntryFacts;
  readonly chunk: SealedChunk | undefined;
}

/** `wrong`: its chunk is not what was sealed. */
export type PutFile = "made" | "wrong";

export interface PlaceWriter {
  /**
   * Opens the chunk and writes it at `offset`, in any order and beside others; what is skipped is
   * zeros. False, and nothing is written, when it is not what was sealed. The sealed bytes are used
   * for something else once it settles.
   */
  write(chunk: SealedChunk, offset: number): Promise<boolean>;
  /** The file has its size and these facts, and is in its place. Else it is abandoned. */
  finish(facts: EntryFacts): Promise<void>;
  /** Leaves what there is of it under no name that a reader takes for the file. Once or more. */
  abandon(): Promise<void>;
}

export interface TreePlace {
  makeFolder(path: TreePath): Promise<void>;
  /** The folder's own facts, last: its modification time would not outlive what is put into it. */
  finishFolder(path: TreePath, facts: EntryFacts): Promise<void>;
  /**
   * Which files of one folder an earlier restore that was cut off has finished: they are there with
   * their size and modification time. Who asks first need not fetch what these hold. What they get
   * with their folder only they get again.
   */
  findFinished(folder: TreePath, files: readonly KeptFile[]): Promise<readonly boolean[]>;
  /**
   * A file at `path`. Undefined when an earlier restore has finished it.
   */
  openFile(path: TreePath, sizeBytes: number, facts: EntryFacts): Promise<PlaceWriter | undefined>;
  /** Makes files of one folder, each whole or not at all; what became of each. */
  putFiles(folder: TreePath, files: readonly SmallFile[]): Promise<readonly PutFile[]>;
  /** A second name of a file that was restored at `first`. */
  linkSame(path: TreePath, first: TreePath): Promise<void>;
  makeLink(path: TreePath, pointsTo: ByteName, facts: EntryFacts): Promise<void>;
  /** What could not be kept (owners without root, attributes without setfattr), so far. */
  leftOut(): readonly string[];
  close(): Promise<void>;
}
