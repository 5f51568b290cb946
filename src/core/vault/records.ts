// The small objects: a snapshot, an index, what is condemned, a tombstone. Each is sealed whole
// with the vault's key, its kind as context, so that one cannot be given out for another.
//
// - A snapshot is one source at one time: the root of its tree, and what the run has counted.
// - An index lists packs and their chunks. Indexes are a log: each run adds one, together they are
//   the index, and packs that none lists are read themselves (pack.ts). None is ever needed.
// - A condemnation names snapshots and packs that nobody needs any more, and since when.
//   They are destroyed after a grace, if then still nobody does.
// - A tombstone says that a subject was erased: when, its name only as a hash, and which objects
//   were its key, so that one of them that comes back is known though it may not be readable. It
//   wins over every copy of the subject's key.
// - What is damaged: packs that a scrub could not read. The newest such record counts.

import { NinesError } from "../base/errors.ts";
import { hashBytes, type VaultCrypto } from "./crypto.ts";
import { type Domain, domainNameMax, ObjectSealer } from "./keys.ts";
import { idBytes, type ObjectId, type ObjectKind } from "./names.ts";
import { packHoldings, type PackTable, readChunks, writeChunks } from "./pack.ts";
import { objectBytesMax } from "./shard.ts";
import { type Content, readContent, writeContent } from "./tree.ts";
import { ByteReader, ByteWriter, bytesOf, bytesOfHex, hexOf } from "./wire.ts";

const recordVersion = 1;
const idsMax = 1 << 22;
const targetsMax = 1_024;
const targetNameMax = 1_024;

export interface SnapshotCounts {
  readonly files: number;
  readonly folders: number;
  readonly links: number;
  /** Entries that could not be kept. */
  readonly left: number;
  /** Of all files, as they are. */
  readonly contentBytes: number;
  /** What this run has added to the vault, before parity. */
  readonly addedBytes: number;
}

export interface Snapshot {
  readonly id: ObjectId;
  /** Larger than that of every snapshot that the writer knew of. */
  readonly sequence: number;
  readonly source: string;
  /** The key domain of the tree's root. */
  readonly domainId: string;
  readonly host: string;
  /** Wall clock, ms since 1970. */
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly root: Content;
  readonly counts: SnapshotCounts;
}

export interface Condemnation {
  readonly id: ObjectId;
  readonly atMs: number;
  readonly snapshots: readonly ObjectId[];
  readonly packs: readonly ObjectId[];
}

export interface Tombstone {
  readonly id: ObjectId;
  readonly domainId: string;
  /** HMAC of the subject's name under the vault's key. */
  readonly subjectHash: Uint8Array;
  readonly atMs: number;
  /** Every object that has wrapped its key. */
  readonly keys: readonly ObjectId[];
  /** Names of targets that may still keep one of them. */
  readonly pending: readonly string[];
}

export interface Damage {
  readonly id: ObjectId;
  readonly atMs: number;
  readonly packs: readonly ObjectId[];
}

export function writeSnapshot(snapshot: Snapshot): Uint8Array {
  const { counts } = snapshot;
  const writer = new ByteWriter().u8(recordVersion).count(snapshot.sequence);
  writer.text(snapshot.source).raw(bytesOfHex(snapshot.domainId)).text(snapshot.host);
  writer.count(snapshot.startedMs).count(snapshot.finishedMs);
  writeContent(writer, snapshot.root);
  writer.count(counts.files).count(counts.folders).count(counts.links).count(counts.left);
  return writer.count(counts.contentBytes).count(counts.addedBytes).done();
}

export function readSnapshot(id: ObjectId, bytes: Uint8Array): Snapshot {
  const reader = begin(bytes, `snapshot ${id}`);
  const any = Number.MAX_SAFE_INTEGER;
  const sequence = reader.count(any);
  const source = reader.text(domainNameMax);
  const domainId = hexOf(reader.raw(idBytes));
  const host = reader.text(domainNameMax);
  const [startedMs, finishedMs] = [reader.count(any), reader.count(any)];
  const root = readContent(reader);
  const [files, folders, links, left] = [0, 1, 2, 3].map(() => reader.count(any));
  const [contentBytes, addedBytes] = [reader.count(any), reader.count(any)];
  reader.end();
  const entries = { files, folders, links, left } as Pick<
    SnapshotCounts,
    "files" | "folders" | "links" | "left"
  >;
  const counts: SnapshotCounts = { ...entries, contentBytes, addedBytes };
  return { id, sequence, source, domainId, host, startedMs, finishedMs, root, counts };
}

/** From so many packs on another index object begins. */
export const indexPacksMax = 1_024;

export function writeIndex(packs: readonly PackTable[]): Uint8Array {
  const writer = new ByteWriter().u8(recordVersion).count(packs.length);
  for (const { id, domainId, holds, packBytes, chunks } of packs) {
    writer.raw(bytesOfHex(id)).raw(bytesOfHex(domainId));
    writer.u8(packHoldings.indexOf(holds)).count(packBytes);
    writeChunks(writer, chunks);
  }
  return writer.done();
}

export function readIndex(id: ObjectId, bytes: Uint8Array): readonly PackTable[] {
  const reader = begin(bytes, `index ${id}`);
  const count = reader.count(idsMax);
  const packs: PackTable[] = [];
  for (let read = 0; read < count; read++) {
    const packId = hexOf(reader.raw(idBytes));
    const domainId = hexOf(reader.raw(idBytes));
    const holds = packHoldings[reader.u8()] ?? reader.refuse("a pack holds nothing known");
    const packBytes = reader.count(objectBytesMax);
    packs.push({ id: packId, domainId, holds, packBytes, chunks: readChunks(reader, packBytes) });
  }
  reader.end();
  return packs;
}

export function writeCondemnation(condemned: Omit<Condemnation, "id">): Uint8Array {
  const writer = new ByteWriter().u8(recordVersion).count(condemned.atMs);
  writeIds(writer, condemned.snapshots);
  writeIds(writer, condemned.packs);
  return writer.done();
}

export function readCondemnation(id: ObjectId, bytes: Uint8Array): Condemnation {
  const reader = begin(bytes, `condemnation ${id}`);
  const atMs = reader.count(Number.MAX_SAFE_INTEGER);
  const [snapshots, packs] = [readIds(reader), readIds(reader)];
  reader.end();
  return { id, atMs, snapshots, packs };
}

export function writeDamage({ atMs, packs }: Omit<Damage, "id">): Uint8Array {
  const writer = new ByteWriter().u8(recordVersion).count(atMs);
  writeIds(writer, packs);
  return writer.done();
}

export function readDamage(id: ObjectId, bytes: Uint8Array): Damage {
  const reader = begin(bytes, `record of damage ${id}`);
  const atMs = reader.count(Number.MAX_SAFE_INTEGER);
  const packs = readIds(reader);
  reader.end();
  return { id, atMs, packs };
}

export function writeTombstone(tombstone: Omit<Tombstone, "id">): Uint8Array {
  const { domainId, subjectHash, atMs, keys, pending } = tombstone;
  const writer = new ByteWriter().u8(recordVersion).raw(bytesOfHex(domainId));
  writer.raw(subjectHash).count(atMs);
  writeIds(writer, keys);
  writer.count(pending.length);
  for (const name of pending) writer.text(name);
  return writer.done();
}

export function readTombstone(id: ObjectId, bytes: Uint8Array): Tombstone {
  const reader = begin(bytes, `tombstone ${id}`);
  const domainId = hexOf(reader.raw(idBytes));
  const subjectHash = reader.raw(hashBytes).slice();
  const atMs = reader.count(Number.MAX_SAFE_INTEGER);
  // The first tombstones said no more.
  const keys = reader.left === 0 ? [] : readIds(reader);
  const count = reader.left === 0 ? 0 : reader.count(targetsMax);
  const pending = Array.from({ length: count }, () => reader.text(targetNameMax));
  reader.end();
  return { id, domainId, subjectHash, atMs, keys, pending };
}

function writeIds(writer: ByteWriter, ids: readonly ObjectId[]): void {
  writer.count(ids.length);
  for (const id of ids) writer.raw(bytesOfHex(id));
}

function readIds(reader: ByteReader): readonly ObjectId[] {
  return Array.from({ length: reader.count(idsMax) }, () => hexOf(reader.raw(idBytes)));
}

export function sealRecord(
  crypto: VaultCrypto,
  vault: Domain,
  { kind, id }: { readonly kind: ObjectKind; readonly id: ObjectId },
  bytes: Uint8Array,
): Uint8Array {
  return new ObjectSealer(crypto, vault, id).seal(0, bytesOf(kind), bytes);
}

/** Throws NINES_VAULT_DAMAGED when it is not what the vault's key has sealed as this object. */
export function openRecord(
  crypto: VaultCrypto,
  vault: Domain,
  { kind, id }: { readonly kind: ObjectKind; readonly id: ObjectId },
  sealed: Uint8Array,
): Uint8Array {
  const bytes = new ObjectSealer(crypto, vault, id).open(0, bytesOf(kind), sealed);
  if (bytes !== undefined) return bytes;
  const what = `The ${kind} ${id} was not sealed with this vault's key, or has been changed.`;
  throw new NinesError("NINES_VAULT_DAMAGED", what);
}

function begin(bytes: Uint8Array, what: string): ByteReader {
  const reader = new ByteReader(bytes, what);
  const version = reader.u8();
  if (version > recordVersion) {
    const newer = `The ${what} is of version ${version}; this one reads up to ${recordVersion}.`;
    throw new NinesError("NINES_VAULT_VERSION", newer);
  }
  return reader;
}
