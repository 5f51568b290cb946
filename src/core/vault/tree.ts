// Trees: entries, and content as a list of chunks.
//
// A folder is kept as a file is: its entries in a row are bytes, cut into chunks by what they hold,
// so that a folder of a million names needs no more memory than one of ten, and a change of one
// name brings one chunk. Content is a list of chunks and holes; a list that is long is itself kept
// in chunks, and so on (`depth`), so that a file of any size has a short entry. An equal folder has
// equal chunks, and a whole subtree that has not changed costs nothing.
//
// A subject's folder is an entry without a name: its domain's id, and the content, sealed with that
// domain's key, of a folder with one entry, the folder itself. So nothing of a subject, its name
// included, can be read without its key.

import { chunkBytesMax } from "./chunker.ts";
import { hashBytes } from "./crypto.ts";
import type { EntryFacts, EntryKind, ExtendedAttribute } from "./entry.ts";
import { idBytes } from "./names.ts";
import { ByteReader, ByteWriter, bytesOfHex, hexOf } from "./wire.ts";

/** A chunk by its name, or a hole: zeros that take no room. */
export type Segment =
  | { readonly kind: "chunk"; readonly name: Uint8Array; readonly length: number }
  | { readonly kind: "hole"; readonly length: number };

export interface Content {
  readonly bytes: number;
  /** 0: `segments` are the content. n: their chunks hold lists of depth n - 1. */
  readonly depth: number;
  readonly segments: readonly Segment[];
}

export const emptyContent: Content = { bytes: 0, depth: 0, segments: [] };

/** Longer lists go one level down. */
export const segmentsMax = 64;
/** So many segments in a chunk of a list. */
export const listSegmentsMax = 4_096;
export const depthMax = 6;
const nameMax = 4_096;
const attributesMax = 1_024;
const attributeBytesMax = 65_536;
const entryBytesMax = 2 * 1_048_576;

export interface PlainEntry {
  readonly kind: EntryKind;
  readonly name: string;
  readonly facts: EntryFacts;
  readonly pointsTo: string;
  readonly fingerprint: string;
  readonly sameFile: string;
  readonly content: Content;
}

export interface SubjectEntry {
  readonly kind: "subject";
  readonly domainId: string;
  readonly content: Content;
}

export type TreeEntry = PlainEntry | SubjectEntry;

const kinds = ["file", "folder", "link", "subject"] as const;

/** An entry with its length before it, as folders hold it. */
export function writeEntry(entry: TreeEntry): Uint8Array {
  const body = new ByteWriter().u8(kinds.indexOf(entry.kind));
  if (entry.kind === "subject") {
    body.raw(bytesOfHex(entry.domainId));
  } else {
    body.byteString(entry.name);
    writeFacts(body, entry.facts);
    body.byteString(entry.pointsTo).text(entry.fingerprint).text(entry.sameFile);
  }
  writeContent(body, entry.content);
  return new ByteWriter().bytes(body.done()).done();
}

function writeFacts(body: ByteWriter, facts: EntryFacts): void {
  body.u16(facts.mode).count(facts.userId).count(facts.groupId).i64(facts.modifiedNs);
  body.count(facts.attributes.length);
  for (const { name, value } of facts.attributes) body.byteString(name).bytes(value);
}

/**
 * Takes a folder's bytes as they come, chunk by chunk, and gives the entries that are whole. Keeps
 * at most one entry's bytes beyond what it was given.
 */
export class EntryParser {
  #rest: Uint8Array = new Uint8Array(0);

  push(bytes: Uint8Array): readonly TreeEntry[] {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    const entries: TreeEntry[] = [];
    let at = 0;
    for (let whole = wholeEntry(all, at); whole !== undefined; whole = wholeEntry(all, at)) {
      entries.push(readEntry(all.subarray(whole.start, whole.end)));
      at = whole.end;
    }
    this.#rest = all.slice(at);
    return entries;
  }

  /** Throws NINES_VAULT_DAMAGED when the folder ends within an entry. */
  end(): void {
    new ByteReader(this.#rest, "a folder").end();
  }
}

function wholeEntry(
  bytes: Uint8Array,
  at: number,
): { readonly start: number; readonly end: number } | undefined {
  let lengthBytes = 1;
  while (((bytes[at + lengthBytes - 1] ?? 0) & 128) !== 0 && lengthBytes < 8) lengthBytes++;
  if (at + lengthBytes > bytes.length) return undefined;
  const reader = new ByteReader(bytes.subarray(at, at + lengthBytes), "an entry");
  const start = at + lengthBytes;
  const end = start + reader.count(entryBytesMax);
  return end > bytes.length ? undefined : { start, end };
}

function readEntry(bytes: Uint8Array): TreeEntry {
  const reader = new ByteReader(bytes, "an entry");
  const kind = kinds[reader.u8()] ?? reader.refuse("it is of no known kind");
  if (kind === "subject") {
    const domainId = hexOf(reader.raw(idBytes));
    const content = readContent(reader);
    reader.end();
    return { kind, domainId, content };
  }
  const name = reader.byteString(nameMax);
  if (!isEntryName(name)) reader.refuse(`${JSON.stringify(name)} is no name`);
  const facts = readFacts(reader);
  const pointsTo = reader.byteString(nameMax);
  const fingerprint = reader.text(nameMax);
  const sameFile = reader.text(nameMax);
  const content = readContent(reader);
  reader.end();
  return { kind, name, facts, pointsTo, fingerprint, sameFile, content };
}

/** A name of one thing in a folder, which leads nowhere else. */
export function isEntryName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
}

function readFacts(reader: ByteReader): EntryFacts {
  const mode = reader.u16();
  if (mode > 0o7777) reader.refuse(`${mode} is no mode`);
  const userId = reader.count(0xffff_ffff);
  const groupId = reader.count(0xffff_ffff);
  const modifiedNs = reader.i64();
  const count = reader.count(attributesMax);
  const attributes: ExtendedAttribute[] = [];
  for (let read = 0; read < count; read++) {
    const name = reader.byteString(nameMax);
    attributes.push({ name, value: reader.bytes(attributeBytesMax).slice() });
  }
  return { mode, userId, groupId, modifiedNs, attributes };
}

export function writeContent(writer: ByteWriter, { bytes, depth, segments }: Content): void {
  writer.count(bytes).u8(depth);
  writeSegments(writer, segments);
}

export function readContent(reader: ByteReader): Content {
  const bytes = reader.count(Number.MAX_SAFE_INTEGER);
  const depth = reader.u8();
  if (depth > depthMax) reader.refuse(`lists in lists, ${depth} deep`);
  const segments = readSegments(reader, segmentsMax);
  // Of lists only their own length is known here; of content, all of it.
  const total = segments.reduce((sum, { length }) => sum + length, 0);
  if (depth === 0 && total !== bytes) reader.refuse(`${total} bytes where ${bytes} are said to be`);
  return { bytes, depth, segments };
}

export function writeSegments(writer: ByteWriter, segments: readonly Segment[]): void {
  writer.count(segments.length);
  for (const segment of segments) {
    if (segment.kind === "hole") writer.u8(0).count(segment.length);
    else writer.u8(1).count(segment.length).raw(segment.name);
  }
}

export function readSegments(reader: ByteReader, max: number): readonly Segment[] {
  const count = reader.count(max);
  const segments: Segment[] = [];
  for (let read = 0; read < count; read++) {
    const isChunk = reader.u8() === 1;
    const length = reader.count(isChunk ? chunkBytesMax : Number.MAX_SAFE_INTEGER);
    if (isChunk) segments.push({ kind: "chunk", name: reader.raw(hashBytes).slice(), length });
    else segments.push({ kind: "hole", length });
  }
  return segments;
}
