// `npm run bench:erasure`: how fast parity is made, beside ISA-L's native code, in one run.
//
// One core each, shards of 64 KiB in the cache and laid out alike. The contenders take turns in
// every round; each one's figure of a round is the median over its stretch, and ratios are the
// medians of the rounds' ratios. That all multiply the same matrix shows in equal parity.

import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { vandermonde } from "../../src/core/erasure/matrix.ts";
import { multiplyBytes } from "../../src/core/erasure/plain.ts";
import { type ErasureCodec, Stripe } from "../../src/core/erasure/stripe.ts";
import { type Figure, figure, median, printFigures } from "../shared/figures.ts";
import { removeFolder, temporaryFolder } from "../shared/system.ts";

const SHARD_BYTES = 65_536;
const geometries = [
  [10, 4],
  [4, 2],
] as const;

interface Speed {
  readonly gbPerSecond: number;
  readonly parity?: string;
}

type Geometry = (typeof geometries)[number];
type Contender = (geometry: Geometry, seconds: number) => Speed | undefined;

/** Median GB/s of data over calls in so many seconds. */
function speedOf(dataBytes: number, seconds: number, work: () => void): number {
  const warm = performance.now() + 200;
  while (performance.now() < warm) work();
  const samples: number[] = [];
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    const begun = performance.now();
    work();
    samples.push(performance.now() - begun);
  }
  return dataBytes / median(samples) / 1e6;
}

function filled(codec: ErasureCodec, [dataShards, parityShards]: Geometry): Stripe {
  const stripe = new Stripe({ codec, dataShards, parityShards, shardBytes: SHARD_BYTES });
  for (const [at, shard] of stripe.shards.slice(0, dataShards).entries()) {
    for (let byte = 0; byte < SHARD_BYTES; byte++) shard[byte] = byte * 31 + at * 7;
  }
  return stripe;
}

const own =
  (codec: ErasureCodec): Contender =>
  (geometry, seconds) => {
    const stripe = filled(codec, geometry);
    const gbPerSecond = speedOf(geometry[0] * SHARD_BYTES, seconds, () => stripe.encode());
    return { gbPerSecond, parity: checksum(stripe.shards.slice(geometry[0])) };
  };

/** A byte at a time, as anybody would write it. */
const twin: Contender = (geometry, seconds) => {
  const stripe = filled("rs-vand", geometry);
  const [data, parity] = [stripe.shards.slice(0, geometry[0]), stripe.shards.slice(geometry[0])];
  const rows = vandermonde(geometry[0], geometry[1]);
  const work = () => multiplyBytes(rows, data, parity, [0, SHARD_BYTES], false);
  return { gbPerSecond: speedOf(geometry[0] * SHARD_BYTES, seconds, work) };
};

/** FNV-1a, 64 bits. */
function checksum(shards: readonly Uint8Array[]): string {
  let hash = 14695981039346656037n;
  for (const shard of shards) {
    for (const byte of shard) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 1099511628211n);
  }
  return hash.toString(16).padStart(16, "0");
}

function isal(program: string | undefined, kind: "sse" | "avx2"): Contender {
  return ([data, parity], seconds) => {
    if (program === undefined) return undefined;
    const rows = vandermonde(data, parity).map((row) => Buffer.from(row).toString("hex"));
    const numbers = [data, parity, SHARD_BYTES, seconds].map(String);
    const words = [kind, ...numbers, rows.join("")];
    const { status, stdout } = spawnSync(program, words, { encoding: "utf8" });
    return status === 0 ? (JSON.parse(stdout) as Speed) : undefined;
  };
}

/** Compiled once; undefined where there is no compiler or no ISA-L (Debian: libisal-dev). */
function compileIsal(folder: string): string | undefined {
  const source = join(import.meta.dirname, "..", "..", "..", "bench", "erasure", "isal.c");
  const program = join(folder, "isal");
  const { status } = spawnSync("gcc", ["-O2", "-o", program, source, "-lisal"], {
    stdio: "ignore",
  });
  return status === 0 ? program : undefined;
}

/** A file read into the stripe's memory, encoded, and every shard written: GB/s of data. */
function fileToShards(folder: string, codec: ErasureCodec, geometry: Geometry): number {
  const stripe = filled(codec, geometry);
  const [dataShards] = geometry;
  const source = join(folder, "source");
  const stripes = 64;
  writeFileSync(source, Buffer.alloc(stripes * dataShards * SHARD_BYTES, 7));
  const from = openSync(source, "r");
  const to = stripe.shards.map((_, shard) => openSync(join(folder, `shard-${shard}`), "w"));
  const work = (): void => {
    for (let each = 0; each < stripes; each++) {
      for (const [at, shard] of stripe.shards.slice(0, dataShards).entries()) {
        readSync(from, shard, 0, SHARD_BYTES, (each * dataShards + at) * SHARD_BYTES);
      }
      stripe.encode();
      for (const [at, shard] of stripe.shards.entries()) {
        writeSync(to[at] as number, shard, 0, SHARD_BYTES, each * SHARD_BYTES);
      }
    }
  };
  const gbPerSecond = speedOf(stripes * dataShards * SHARD_BYTES, 1, work);
  for (const descriptor of [from, ...to]) closeSync(descriptor);
  return gbPerSecond;
}

const bars: readonly (readonly [string, string, Geometry, number])[] = [
  ["rs-xor", "ISA-L AVX2", [10, 4], 0.9],
  ["rs-xor", "ISA-L AVX2", [4, 2], 1.3],
  ["rs-vand", "ISA-L 128-bit", [10, 4], 0.6],
  ["rs-vand", "ISA-L 128-bit", [4, 2], 0.6],
];

function main(): void {
  const quick = process.argv.includes("--quick");
  const folder = temporaryFolder("erasure");
  const program = compileIsal(folder);
  const contenders: Readonly<Record<string, Contender>> = {
    "rs-xor": own("rs-xor"),
    "rs-vand": own("rs-vand"),
    "plain JavaScript": twin,
    "ISA-L AVX2": isal(program, "avx2"),
    "ISA-L 128-bit": isal(program, "sse"),
  };
  const speeds = new Map<string, number[]>();
  const keep = (key: string, value: number) => speeds.set(key, [...(speeds.get(key) ?? []), value]);
  for (let round = 0; round < (quick ? 5 : 11); round++) {
    for (const geometry of geometries) {
      const parities = new Set<string>();
      for (const [name, contender] of Object.entries(contenders)) {
        const speed = contender(geometry, quick ? 0.5 : 1.5);
        if (speed === undefined) continue;
        keep(`${name} ${geometry.join(" + ")}`, speed.gbPerSecond);
        if (name !== "rs-xor" && speed.parity !== undefined) parities.add(speed.parity);
      }
      if (parities.size > 1) throw new Error("the contenders do not multiply the same matrix");
    }
    for (const codec of ["rs-xor", "rs-vand"] as const) {
      keep(`file to shards, ${codec} 10 + 4`, fileToShards(folder, codec, [10, 4]));
    }
  }
  removeFolder(folder);
  printFigures("erasure", figuresOf(speeds));
}

function figuresOf(speeds: ReadonlyMap<string, readonly number[]>): readonly Figure[] {
  const ratio = (a: string, b: string): number | undefined => {
    const [left, right] = [speeds.get(a) ?? [], speeds.get(b) ?? []];
    if (left.length === 0 || right.length === 0) return undefined;
    return median(left.map((value, round) => value / (right[round] ?? Number.NaN)));
  };
  const compared = (name: string, a: string, b: string, bar?: number): Figure => {
    const value = ratio(a, b);
    const note = value === undefined ? { note: "not installed: libisal-dev and gcc" } : {};
    const rule = bar === undefined ? {} : { bar };
    return figure({ name, value, unit: "x", better: "higher", ...rule, ...note });
  };
  return [
    ...bars.map(([name, peer, geometry, bar]) => {
      const shape = geometry.join(" + ");
      return compared(`${name} ${shape} vs ${peer}`, `${name} ${shape}`, `${peer} ${shape}`, bar);
    }),
    ...(["rs-xor", "rs-vand"] as const).map((codec) =>
      compared(
        `file to shards vs the kernel, ${codec} 10 + 4`,
        `file to shards, ${codec} 10 + 4`,
        `${codec} 10 + 4`,
        0.5,
      ),
    ),
    ...geometries.map((geometry) => {
      const shape = geometry.join(" + ");
      const name = `rs-vand ${shape} vs plain JavaScript`;
      return compared(name, `rs-vand ${shape}`, `plain JavaScript ${shape}`);
    }),
    ...[...speeds].map(([name, values]) =>
      figure({ name, value: median(values), unit: "GB/s", better: "higher" }),
    ),
  ];
}

main();
