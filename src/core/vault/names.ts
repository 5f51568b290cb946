// What a shard is called on a target: `kind/<id>.<data shards>.<parity shards>.<shard>.<attempt>`.
//
// The geometry is part of the name, so that a listing alone tells whether an object can be read.
// Names are never used twice. A repair writes a shard under its next attempt and then takes the
// damaged one away, so that no moment has fewer good shards than the one before.

import { hexOf } from "./wire.ts";

/** Objects that are laid over several targets. */
export const objectKinds = [
  "pack",
  "index",
  "snapshot",
  "key",
  "tombstone",
  "condemned",
  "damaged",
] as const;
export type ObjectKind = (typeof objectKinds)[number];

/** Objects that are on every target, whole: the vault's header, who is at work, who is who. */
export const wholeKinds = ["vault", "lease", "target"] as const;

export const idBytes = 16;
/** 32 hexadecimal digits. */
export type ObjectId = string;

export interface ShardName {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  readonly dataShards: number;
  readonly parityShards: number;
  readonly shard: number;
  readonly attempt: number;
}

const pattern = /^([a-z]+)\/([0-9a-f]{32})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,6})$/;

export function shardName(name: ShardName): string {
  const { kind, id, dataShards, parityShards, shard, attempt } = name;
  return `${kind}/${id}.${dataShards}.${parityShards}.${shard}.${attempt}`;
}

/** Undefined for what is none: a target may hold what others have put there. */
export function parseShardName(name: string): ShardName | undefined {
  const match = pattern.exec(name);
  const kind = objectKinds.find((each) => each === match?.[1]);
  if (match === null || kind === undefined) return undefined;
  const [dataShards, parityShards, shard, attempt] = match.slice(3).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  const shards = dataShards + parityShards;
  if (dataShards < 1 || parityShards < 1 || shards > 255 || shard >= shards) return undefined;
  return { kind, id: match[2] as string, dataShards, parityShards, shard, attempt };
}

export function newObjectId(randomBytes: (length: number) => Uint8Array): ObjectId {
  return hexOf(randomBytes(idBytes));
}
