// What is on every target whole: the vault's header, one for each master key that opens it, and
// leases, which say who is at work.
//
// A header tells which vault this is, how a passphrase becomes the master key, and how files are
// cut. It is written once under the master key's name, and each target has the same: any whole one
// will do, and a rotten one is found by its hash and made anew from another.

import { NinesError } from "../base/errors.ts";
import { chunkBytesMax, type ChunkSizes } from "./chunker.ts";
import { hashBytes, type ScryptCost, type VaultCrypto } from "./crypto.ts";
import { idBytes, type ObjectId } from "./names.ts";
import {
  ByteReader,
  ByteWriter,
  bytesOf,
  bytesOfHex,
  byteStringOf,
  hexOf,
  sameBytes,
} from "./wire.ts";

const magic = "NINESVHD";
/** That of all else as well: shards of another version are other shards. */
const headerVersion = 1;
export const wholeBytesMax = 4_096;
const saltMax = 64;
/** 1 GiB of memory; what a changed header could ask of a reader. */
const scryptCostMax = 1_048_576;

export interface PassphraseCost extends ScryptCost {
  readonly salt: Uint8Array;
}

export interface VaultHeader {
  /** 32 hexadecimal digits. */
  readonly vault: string;
  /** 16 hexadecimal digits: `masterIdOf`. */
  readonly masterId: string;
  /** Absent: the master key is random bytes from elsewhere. */
  readonly passphrase?: PassphraseCost;
  readonly chunks: ChunkSizes;
}

/**
 * `upkeep` destroys or moves; `rotate` changes the master key, and needs to be alone; `ended` says
 * of a lease that cannot be removed that its holder is done.
 */
export const leaseKinds = ["backup", "upkeep", "rotate", "ended"] as const;

export interface Lease {
  /** A new one for each run. */
  readonly id: ObjectId;
  readonly kind: (typeof leaseKinds)[number];
  /** "host, pid 17": for people. */
  readonly holder: string;
  /** Wall clocks of whoever holds it. */
  readonly startedMs: number;
  readonly untilMs: number;
}

export function headerName(masterId: string): string {
  return `vault/${masterId}`;
}

export function leaseName({ id, untilMs }: Lease): string {
  return `lease/${id}.${untilMs}`;
}

export function writeHeader(header: VaultHeader, crypto: VaultCrypto): Uint8Array {
  const writer = new ByteWriter().raw(bytesOf(magic)).u16(headerVersion);
  writer.raw(bytesOfHex(header.vault)).raw(bytesOfHex(header.masterId));
  const { minBytes, averageBytes, maxBytes } = header.chunks;
  writer.u32(minBytes).u32(averageBytes).u32(maxBytes);
  const { passphrase } = header;
  writer.u8(passphrase === undefined ? 0 : 1);
  if (passphrase !== undefined) {
    writer.u32(passphrase.n).u32(passphrase.r).u32(passphrase.p).bytes(passphrase.salt);
  }
  return hashed(writer, crypto);
}

/** Undefined when it is rotten, or no header. Throws NINES_VAULT_VERSION. */
export function readHeader(bytes: Uint8Array, crypto: VaultCrypto): VaultHeader | undefined {
  const reader = unhashed(bytes, crypto, "a vault's header");
  if (reader === undefined || byteStringOf(reader.raw(magic.length)) !== magic) return undefined;
  const version = reader.u16();
  if (version !== headerVersion) {
    const what = `The vault is of version ${version}; this Nines reads version ${headerVersion}.`;
    throw new NinesError("NINES_VAULT_VERSION", what);
  }
  const [vault, masterId] = [hexOf(reader.raw(idBytes)), hexOf(reader.raw(8))];
  const [minBytes, averageBytes, maxBytes] = [reader.u32(), reader.u32(), reader.u32()];
  const chunks = { minBytes, averageBytes, maxBytes };
  if (!areSizes(chunks)) reader.refuse("chunk sizes that cannot be");
  if (reader.u8() === 0) return { vault, masterId, chunks };
  const [n, r, p] = [reader.u32(), reader.u32(), reader.u32()];
  const salt = reader.bytes(saltMax).slice();
  if (n * r * p > 8 * scryptCostMax) reader.refuse("a passphrase that costs more than 1 GiB");
  const isCost = n > 1 && Number.isInteger(Math.log2(n)) && r > 0 && p > 0;
  if (!isCost) reader.refuse("a cost of a passphrase that cannot be");
  return { vault, masterId, chunks, passphrase: { n, r, p, salt } };
}

function areSizes({ minBytes, averageBytes, maxBytes }: ChunkSizes): boolean {
  const grow = minBytes >= 1 && minBytes < averageBytes && averageBytes < maxBytes;
  return grow && maxBytes <= chunkBytesMax;
}

export function writeLease(lease: Lease, crypto: VaultCrypto): Uint8Array {
  const writer = new ByteWriter().raw(bytesOfHex(lease.id)).u8(leaseKinds.indexOf(lease.kind));
  writer.text(lease.holder).count(lease.startedMs).count(lease.untilMs);
  return hashed(writer, crypto);
}

/** Undefined when it is rotten. */
export function readLease(bytes: Uint8Array, crypto: VaultCrypto): Lease | undefined {
  const reader = unhashed(bytes, crypto, "a lease");
  if (reader === undefined) return undefined;
  const id = hexOf(reader.raw(idBytes));
  const kind = leaseKinds[reader.u8()];
  const holder = reader.text(1_024);
  const [startedMs, untilMs] = [0, 1].map(() => reader.count(Number.MAX_SAFE_INTEGER));
  if (kind === undefined || startedMs === undefined || untilMs === undefined) return undefined;
  return { id, kind, holder, startedMs, untilMs };
}

function hashed(writer: ByteWriter, crypto: VaultCrypto): Uint8Array {
  return writer.raw(crypto.sha256(writer.done())).done();
}

function unhashed(bytes: Uint8Array, crypto: VaultCrypto, what: string): ByteReader | undefined {
  const length = bytes.length - hashBytes;
  if (length < 0 || bytes.length > wholeBytesMax) return undefined;
  const isWhole = sameBytes(crypto.sha256(bytes.subarray(0, length)), bytes.subarray(length));
  return isWhole ? new ByteReader(bytes.subarray(0, length), what) : undefined;
}
