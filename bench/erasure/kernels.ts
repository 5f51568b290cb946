// Who makes parity, each measured alike: the median over many calls on shards of 64 KiB in the
// cache, laid out alike, on one core. Run as a program it measures one of ours and prints it, so
// that another version of Node can be asked: `kernels.js CODEC K M SECONDS`.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { vandermonde } from "../../src/core/erasure/matrix.ts";
import { multiplyBytes } from "../../src/core/erasure/plain.ts";
import { type ErasureCodec, Stripe } from "../../src/core/erasure/stripe.ts";
import { compileC } from "../shared/compile.ts";
import { median } from "../shared/figures.ts";
import { load, otherNode } from "../shared/install.ts";

const SHARD_BYTES = 65_536;

export type Geometry = readonly [dataShards: number, parityShards: number];

export interface Speed {
  readonly gbPerSecond: number;
  /** A sum of the parity, for codecs of which several are measured. */
  readonly parity?: string;
}

/** Undefined where it is not to be had. */
export type Contender = (geometry: Geometry, seconds: number) => Promise<Speed | undefined>;

/** Median GB/s of data over calls in so many seconds. */
async function speedOf(
  dataBytes: number,
  seconds: number,
  work: () => void | Promise<void>,
): Promise<number> {
  // Long enough for a geometry to have met what gives it a program of its own.
  const warm = performance.now() + 200;
  while (performance.now() < warm) await work();
  const samples: number[] = [];
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    const begun = performance.now();
    const done = work();
    if (done !== undefined) await done;
    samples.push(performance.now() - begun);
  }
  return dataBytes / median(samples) / 1e6;
}

/** The bytes that isal.c has as well. */
function filled(codec: ErasureCodec, [dataShards, parityShards]: Geometry): Stripe {
  const stripe = new Stripe({ codec, dataShards, parityShards, shardBytes: SHARD_BYTES });
  for (const [at, shard] of stripe.shards.slice(0, dataShards).entries()) {
    for (let byte = 0; byte < SHARD_BYTES; byte++) shard[byte] = byte * 31 + at * 7;
  }
  return stripe;
}

export function ours(codec: ErasureCodec): Contender {
  return async (geometry, seconds) => {
    const stripe = filled(codec, geometry);
    const bytes = geometry[0] * SHARD_BYTES;
    const gbPerSecond = await speedOf(bytes, seconds, () => stripe.encode());
    return { gbPerSecond, parity: checksum(stripe.shards.slice(geometry[0])) };
  };
}

/** The same in another version of Node, if it is installed. */
export function oursElsewhere(codec: ErasureCodec): Contender {
  return async (geometry, seconds) => {
    const node = otherNode();
    return node === undefined
      ? undefined
      : ask(node, [
          join(import.meta.dirname, "kernels.js"),
          codec,
          ...[...geometry, seconds].map(String),
        ]);
  };
}

/** A byte at a time, as anybody would write it. */
export const twin: Contender = async (geometry, seconds) => {
  const stripe = filled("rs-vand", geometry);
  const [data, parity] = [stripe.shards.slice(0, geometry[0]), stripe.shards.slice(geometry[0])];
  const rows = vandermonde(geometry[0], geometry[1]);
  const work = () => multiplyBytes(rows, data, parity, [0, SHARD_BYTES], false);
  return { gbPerSecond: await speedOf(geometry[0] * SHARD_BYTES, seconds, work) };
};

export function isal(program: string | undefined, kind: "sse" | "avx2"): Contender {
  return async ([data, parity], seconds) => {
    if (program === undefined) return undefined;
    const rows = vandermonde(data, parity).map((row) => Buffer.from(row).toString("hex"));
    return ask(program, [kind, ...[data, parity, SHARD_BYTES, seconds].map(String), rows.join("")]);
  };
}

function ask(program: string, words: readonly string[]): Speed | undefined {
  const { status, stdout } = spawnSync(program, words, { encoding: "utf8", timeout: 60_000 });
  return status === 0 ? (JSON.parse(stdout) as Speed) : undefined;
}

/** Compiled once; undefined where there is no compiler or no ISA-L (Debian: libisal-dev). */
export function compileIsal(folder: string): string | undefined {
  return compileC("erasure/isal.c", join(folder, "isal"), ["-lisal"]);
}

interface Ronomon {
  create(dataShards: number, parityShards: number): object;
  encode(
    context: object,
    sources: number,
    targets: number,
    ...buffersAndEnd: readonly [Buffer, number, number, Buffer, number, number, () => void]
  ): void;
}

/** Native, in a thread of Node's pool, one call at a time: the way there and back is in it. */
export const ronomon: Contender = async ([dataShards, parityShards], seconds) => {
  const native = load<Ronomon>("@ronomon/reed-solomon");
  if (native === undefined) return undefined;
  const context = native.create(dataShards, parityShards);
  const data = Buffer.alloc(dataShards * SHARD_BYTES, 7);
  const parity = Buffer.alloc(parityShards * SHARD_BYTES);
  const sources = 2 ** dataShards - 1;
  const targets = 2 ** (dataShards + parityShards) - 1 - sources;
  const places = [data, 0, data.length, parity, 0, parity.length] as const;
  const work = () =>
    new Promise<void>((resolve) => native.encode(context, sources, targets, ...places, resolve));
  return { gbPerSecond: await speedOf(data.length, seconds, work) };
};

/** FNV-1a, 64 bits. */
function checksum(shards: readonly Uint8Array[]): string {
  let hash = 14695981039346656037n;
  for (const shard of shards) {
    for (const byte of shard) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 1099511628211n);
  }
  return hash.toString(16).padStart(16, "0");
}

if (process.argv[1] === import.meta.filename) {
  const [codec, data, parity, seconds] = process.argv.slice(2);
  const speed = await ours(codec as ErasureCodec)([Number(data), Number(parity)], Number(seconds));
  console.log(JSON.stringify(speed));
}
