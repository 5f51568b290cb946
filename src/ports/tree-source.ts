// A tree to be backed up: entries with what a file system says of them, and bytes. Files and
// folders of a disk are one; the output of a command, a journal or a database's dump is a tree of
// one file.
//
// What may change while it is read: everything. A file that shrinks, grows or vanishes between
// `list` and `read` is the source's to say: `read` gives the bytes that it has found, `vanished` is
// an answer and not an error. Consistency across files is a matter of snapshots below (LVM, a
// database's own dump), and not promised here.
//
// A source never follows a link on the way, so that a tree that changes while it is read leads
// nowhere else.
//
// A driver begins a tree as of one moment: what holds its data in more than files (a database, a
// journal that is written meanwhile) says in `confirm` whether what was read belongs together.

import type { ByteName, EntryFacts, EntryKind } from "../core/vault/entry.ts";

export interface SourceEntry {
  readonly name: ByteName;
  readonly kind: EntryKind;
  readonly facts: EntryFacts;
  /** The size that it says it has; a hint for files, 0 for others. */
  readonly sizeBytes: number;
  /** Of a link: where it points, as it is written. Else "". */
  readonly pointsTo: ByteName;
  /**
   * As long as it is the same, so is the content: device, inode, size, change and modification
   * time. "" where the source cannot tell; the file is then read each time.
   */
  readonly fingerprint: string;
  /** The same for all names of one file within this source, else "": hard links. */
  readonly sameFile: string;
}

export interface LeftOut {
  readonly name: ByteName;
  readonly reason: string;
  /** It is the vault's: nothing of the source is missing for it. */
  readonly isOwn?: boolean;
}

export interface SourceListing {
  /** Sorted by name, each name once. */
  readonly entries: readonly SourceEntry[];
  /** What is here and not kept (a socket, a device, what may not be read), and why. */
  readonly left: readonly LeftOut[];
}

export type SourcePiece =
  /** So many bytes were put into the buffer, at least 1. */
  | { readonly kind: "bytes"; readonly length: number }
  /** So many zeros that take no room: a hole. */
  | { readonly kind: "hole"; readonly length: number }
  | { readonly kind: "end" };

export interface SourceReader {
  /** The next piece of the file, in order. */
  next(into: Uint8Array): Promise<SourcePiece>;
  close(): Promise<void>;
}

export interface TreeSource {
  /** As the file calls it. */
  readonly name: string;
  /**
   * What is in the folder at `path`, from the source's root ([]) on. Undefined when it has vanished
   * or is no folder any more. Rejects with NINES_BACKUP_SOURCE when it may not be read: then it is
   * left out, and the backup goes on.
   */
  list(path: readonly ByteName[]): Promise<SourceListing | undefined>;
  /**
   * The content of the file at `path`. Undefined when it has vanished or is no file any more;
   * rejects as `list` does when it may not be read.
   */
  read(path: readonly ByteName[]): Promise<SourceReader | undefined>;
  /**
   * Asked once all was read, and before there is a snapshot of it: rejects when what was read is no
   * whole, with NINES_BACKUP_CHANGED when it would be worth trying again. Resolves at once where
   * there is no more to a whole than its files.
   */
  confirm(): Promise<void>;
  /** What of all entries this source cannot tell, each with why; asked once all was read. */
  notKept(): readonly string[];
  /** What it was told to pass over and has not met, as the file writes it; asked with `notKept`. */
  notMet(): readonly string[];
  close(): Promise<void>;
}

/** A kind of source: how a view of it is begun. */
export interface SourceDriver {
  /**
   * A tree as of about now, to be read once and closed. Rejects with a NinesError when there is
   * nothing that could be read, or nothing sound.
   */
  begin(): Promise<TreeSource>;
}
