// The vault's keys, and what each opens.
//
//   master key         outside the vault: a file, a passphrase, a command. Wraps domain keys
//   ├─ vault's key     the domain named "": snapshots, indexes, what is condemned, tombstones
//   └─ domain keys     one for each service, one for each SUBJECT: packs
//        ├─ names chunks: HMAC-SHA-256, so that equal chunks have one name within a domain only
//        └─ seals packs: each object has a key of its own, derived with its id
//
// A nonce is a place within the one object that a key is for, so none comes twice, whatever the
// number of chunks. A subject is erased by destroying its one wrapped key: what it sealed is noise
// on every target, in every snapshot and in every copy of them, online or not. A tombstone says so,
// and wins over any copy of the key that comes back. Encryption comes before hashing of shards and
// coding, so that what others see stays whole.
//
// A key object, before it is laid over shards:
//   0 version (1)  1 domain's id (16)  17 master's id (8)  25 generation (4)
//   29 sealed with a key of the master's and the object's id, all before as its context:
//      the domain's key (32), kind of the domain (1), its name
//
// Rejected: one key for all (nothing could be erased), deriving domain keys from the master (a
// destroyed key could be made again), random nonces under one key (2^32 chunks are not that many).

import { assert } from "../base/assert.ts";
import { keyBytes, nonceBytes, type Sealing, type VaultCrypto } from "./crypto.ts";
import { idBytes, type ObjectId } from "./names.ts";
import { ByteReader, ByteWriter, bytesOfHex, hexOf } from "./wire.ts";

const keyVersion = 1;
export const domainNameMax = 1_024;
const masterIdBytes = 8;

/** What a domain is for: the vault itself, a service, or one subject of a service. */
export const domainKinds = ["vault", "service", "subject"] as const;
export type DomainKind = (typeof domainKinds)[number];

export interface Domain {
  /** 32 hexadecimal digits; on disk in the clear, so it says nothing. */
  readonly id: string;
  readonly kind: DomainKind;
  /** "" for the vault, else a service, or `service/subject`. */
  readonly name: string;
  readonly key: Uint8Array;
}

/** A key for one purpose, and within it for one context. */
export function deriveKey(
  crypto: VaultCrypto,
  key: Uint8Array,
  purpose: string,
  context: Uint8Array = new Uint8Array(0),
): Uint8Array {
  assert(key.length === keyBytes, "a key has 32 bytes");
  return crypto.mac(key, new ByteWriter().byteString(purpose).raw(context).done());
}

/** What tells master keys apart without telling anything about them: 16 hexadecimal digits. */
export function masterIdOf(crypto: VaultCrypto, master: Uint8Array): string {
  return hexOf(deriveKey(crypto, master, "name of a master key").subarray(0, masterIdBytes));
}

/** The name of a chunk in its domain: 32 bytes. */
export function chunkNamer(
  crypto: VaultCrypto,
  domain: Domain,
): (plain: Uint8Array) => Promise<Uint8Array> {
  const key = deriveKey(crypto, domain.key, "names of chunks");
  return (plain) => crypto.bulk.mac(key, plain);
}

/** Seals and opens one object: its key is derived with its id, its nonces are places within it. */
export class ObjectSealer {
  readonly crypto: VaultCrypto;
  /** The object's own: it opens nothing else. */
  readonly key: Uint8Array;

  constructor(crypto: VaultCrypto, domain: Domain, id: ObjectId) {
    this.crypto = crypto;
    this.key = deriveKey(crypto, domain.key, "seal of an object", bytesOfHex(id));
  }

  at(place: number, about: Uint8Array): Sealing {
    return sealingAt(this.key, place, about);
  }

  seal(place: number, about: Uint8Array, plain: Uint8Array): Uint8Array {
    const { key, nonce } = this.at(place, about);
    return this.crypto.seal(key, nonce, about, plain);
  }

  open(place: number, about: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const { key, nonce } = this.at(place, about);
    return this.crypto.open(key, nonce, about, sealed);
  }
}

/** For a piece at this place of the object that the key is for. */
export function sealingAt(key: Uint8Array, place: number, about: Uint8Array): Sealing {
  const nonce = new Uint8Array(nonceBytes);
  new DataView(nonce.buffer).setUint32(0, place, true);
  return { key, nonce, about };
}

export interface WrappedKey {
  readonly domainId: string;
  readonly masterId: string;
  /** Grows with each wrap of the same domain's key. */
  readonly generation: number;
  readonly head: Uint8Array;
  readonly sealed: Uint8Array;
}

export function wrapKey(
  crypto: VaultCrypto,
  master: Uint8Array,
  objectId: ObjectId,
  domain: Domain,
  generation: number,
): Uint8Array {
  const writer = new ByteWriter().u8(keyVersion).raw(bytesOfHex(domain.id));
  writer.raw(bytesOfHex(masterIdOf(crypto, master))).u32(generation);
  const head = writer.done().slice();
  const plain = new ByteWriter().raw(domain.key).u8(domainKinds.indexOf(domain.kind));
  const key = deriveKey(crypto, master, "wrap of a key", bytesOfHex(objectId));
  const sealed = crypto.seal(key, new Uint8Array(nonceBytes), head, plain.text(domain.name).done());
  return writer.raw(sealed).done();
}

/** Throws NINES_VAULT_DAMAGED for what is no wrapped key. */
export function readWrappedKey(bytes: Uint8Array): WrappedKey {
  const reader = new ByteReader(bytes, "a wrapped key");
  const version = reader.u8();
  if (version !== keyVersion) reader.refuse(`it is of version ${version}`);
  const domainId = hexOf(reader.raw(idBytes));
  const masterId = hexOf(reader.raw(masterIdBytes));
  const generation = reader.u32();
  const head = bytes.subarray(0, bytes.length - reader.left);
  return { domainId, masterId, generation, head, sealed: reader.raw(reader.left) };
}

/** Undefined when the master key is another, or a byte of it has changed. */
export function unwrapKey(
  crypto: VaultCrypto,
  master: Uint8Array,
  objectId: ObjectId,
  wrapped: WrappedKey,
): Domain | undefined {
  const wrapping = deriveKey(crypto, master, "wrap of a key", bytesOfHex(objectId));
  const plain = crypto.open(wrapping, new Uint8Array(nonceBytes), wrapped.head, wrapped.sealed);
  if (plain === undefined) return undefined;
  const reader = new ByteReader(plain, "a key");
  const key = reader.raw(keyBytes).slice();
  const kind = domainKinds[reader.u8()] ?? reader.refuse("it is of no known kind");
  const name = reader.text(domainNameMax);
  reader.end();
  return { id: wrapped.domainId, kind, name, key };
}
