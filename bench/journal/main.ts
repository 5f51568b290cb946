// `npm run bench:journal [-- --quick]`: the journal beside a C program that only writes, beside
// SQLite and LMDB, and beside Redis and etcd where installed; all on one disk, each in turn within
// each round, so that whatever the machine does meanwhile it does to all of them. Ratios are taken
// within a round, and their median is the figure. Then how fast a journal is read back, in how much
// memory.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileC } from "../shared/compile.ts";
import { type Figure, figure, median, printFigures } from "../shared/figures.ts";
import { removeFolder } from "../shared/system.ts";
import { install } from "../shared/install.ts";
import type { Measured } from "./measured.ts";
import { recoveryFigures } from "./recover.ts";
import { type Server, startEtcd, startRedis } from "./servers.ts";
import type { WriterTask } from "./writer.ts";

type Contender = WriterTask["contender"] | "c" | Server["name"];

/** What the journal is measured with, and what it must show there. */
interface Cell {
  readonly writers: number;
  readonly recordBytes: number;
  /** Rate at least this many times that of the C program, and of SQLite. */
  readonly ofC: number;
  readonly ofSqlite?: number;
}

const cells: readonly Cell[] = [
  { writers: 1, recordBytes: 100, ofC: 0.8, ofSqlite: 1.2 },
  { writers: 16, recordBytes: 100, ofC: 0.6, ofSqlite: 1.3 },
  { writers: 256, recordBytes: 100, ofC: 0.35, ofSqlite: 1 },
  { writers: 1, recordBytes: 1024, ofC: 0.8 },
  { writers: 16, recordBytes: 1024, ofC: 0.6 },
  { writers: 256, recordBytes: 1024, ofC: 0.35, ofSqlite: 3 },
];

const contenders: readonly Contender[] = [
  "journal",
  "c",
  "sqlite",
  "tickets",
  "growing",
  "lmdb",
  "redis",
  "etcd",
];
/** Those that a promise is about; the others are told, and in a quick run once is enough. */
const judged: readonly Contender[] = ["journal", "c", "sqlite"];
const shown: Readonly<Record<Contender, string>> = {
  journal: "journal",
  tickets: "journal, tickets",
  growing: "journal, growing",
  c: "C",
  sqlite: "SQLite",
  lmdb: "LMDB",
  redis: "Redis",
  etcd: "etcd",
};

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly quick: boolean;
}

type Round = ReadonlyMap<Contender, Measured>;

/** The tools of one run. */
interface Bench {
  readonly folder: string;
  /** The compiled C program. */
  readonly batchProgram: string | undefined;
  readonly servers: readonly Server[];
  readonly options: Options;
}

let folders = 0;

/** A folder on the disk under test; in memory nothing would be flushed, and nothing measured. */
function workFolder(): string {
  const TMPFS = 0x01021994;
  const repository = join(import.meta.dirname, "..", "..", "..", "bench", "node_modules");
  const place = statfsSync(tmpdir()).type === TMPFS ? repository : tmpdir();
  return mkdtempSync(join(place, "nines-bench-journal-"));
}

function compileBatch(folder: string): string | undefined {
  return compileC("journal/batch.c", join(folder, "batch"));
}

function runProgram(words: readonly string[]): Measured | undefined {
  const result = spawnSync(words[0] ?? "", words.slice(1), { encoding: "utf8", timeout: 60_000 });
  if (result.status === 0) return (JSON.parse(result.stdout) as Measured | null) ?? undefined;
  console.log(`  ${words.join(" ")} failed: ${result.stderr}`);
  return undefined;
}

async function measure(bench: Bench, contender: Contender, cell: Cell) {
  const { writers, recordBytes } = cell;
  const { seconds, warmUpSeconds } = bench.options;
  const server = bench.servers.find(({ name }) => name === contender);
  if (server !== undefined) return server.measure({ writers, recordBytes, seconds });
  if (contender === "redis" || contender === "etcd") return undefined;
  const folder = join(bench.folder, `run-${folders++}`);
  mkdirSync(folder);
  try {
    if (contender !== "c") {
      const task: WriterTask = { contender, folder, writers, recordBytes, seconds, warmUpSeconds };
      const program = join(import.meta.dirname, "writer.js");
      return runProgram([process.execPath, program, JSON.stringify(task)]);
    }
    if (bench.batchProgram === undefined) return undefined;
    const sizes = [`${recordBytes}`, `${writers}`, `${seconds}`];
    return runProgram([bench.batchProgram, join(folder, "batch.dat"), ...sizes]);
  } finally {
    removeFolder(folder);
  }
}

async function runRounds(bench: Bench, cell: Cell): Promise<readonly Round[]> {
  const rounds: Round[] = [];
  // Of one writer every contender waits for the disk alone, whose mood changes from round to round.
  const most = cell.writers === 1 ? 2 * bench.options.rounds : bench.options.rounds;
  for (let count = 0; count < most; count++) {
    console.log(`${cellName(cell)}, round ${count + 1} of ${most}`);
    const round = new Map<Contender, Measured>();
    // Whoever begins one round ends the next.
    for (const contender of count % 2 === 0 ? contenders : contenders.toReversed()) {
      if (bench.options.quick && count > 0 && !judged.includes(contender)) continue;
      const measured = await measure(bench, contender, cell);
      if (measured === undefined) continue;
      round.set(contender, measured);
      const rate = Math.round(measured.recordsPerSecond).toString().padStart(9);
      const [p50, p99] = [Math.round(measured.p50Us), Math.round(measured.p99Us)];
      console.log(`  ${shown[contender].padEnd(16)} ${rate}/s  p50 ${p50} us  p99 ${p99} us`);
    }
    rounds.push(round);
  }
  return rounds;
}

function cellName({ writers, recordBytes }: Cell): string {
  return `${writers} x ${recordBytes === 1024 ? "1 KiB" : `${recordBytes} B`}`;
}

function medianOf(
  rounds: readonly Round[],
  read: (round: Round) => number | undefined,
): number | undefined {
  const values = rounds.flatMap((round) => read(round) ?? []);
  return values.length === 0 ? undefined : median(values);
}

/** One's figure as a multiple of a peer's, within each round. */
function ratio(
  rounds: readonly Round[],
  one: Contender,
  peer: Contender,
  field: "recordsPerSecond" | "p99Us",
): number | undefined {
  return medianOf(rounds, (round) => {
    const [ours, theirs] = [round.get(one), round.get(peer)];
    return ours === undefined || theirs === undefined ? undefined : ours[field] / theirs[field];
  });
}

const missing = "not installed, or it failed";

function figuresOf(cell: Cell, rounds: readonly Round[]): readonly Figure[] {
  const name = cellName(cell);
  const rate = (peer: Contender, bar?: number): Figure => {
    const value = ratio(rounds, "journal", peer, "recordsPerSecond");
    return figure({
      name: `${name} records/s vs ${shown[peer]}`,
      value,
      unit: "x",
      better: "higher",
      ...(bar === undefined ? {} : { bar }),
      ...(value === undefined ? { note: missing } : {}),
    });
  };
  const latency = ratio(rounds, "journal", "sqlite", "p99Us");
  const absolutes = contenders.flatMap((contender) => {
    const note = rounds.some((round) => round.has(contender)) ? {} : { note: missing };
    const told = (field: "recordsPerSecond" | "p99Us", what: string, unit: string): Figure =>
      figure({
        name: `${name} ${what}, ${shown[contender]}`,
        value: medianOf(rounds, (round) => round.get(contender)?.[field]),
        unit,
        better: field === "p99Us" ? "lower" : "higher",
        ...note,
      });
    return [told("recordsPerSecond", "records/s", "/s"), told("p99Us", "p99", "us")];
  });
  return [
    rate("c", cell.ofC),
    rate("sqlite", cell.ofSqlite),
    figure({
      name: `${name} p99 vs SQLite`,
      value: latency,
      unit: "x",
      bar: 1,
      ...(latency === undefined ? { note: missing } : {}),
    }),
    // What any program could reach here: the disk alone, without a journal's work.
    figure({
      name: `${name} records/s, C vs SQLite: the ceiling`,
      value: ratio(rounds, "c", "sqlite", "recordsPerSecond"),
      unit: "x",
      better: "higher",
    }),
    rate("lmdb"),
    rate("redis"),
    rate("etcd"),
    ...absolutes,
  ];
}

async function main(quick: boolean): Promise<void> {
  install("better-sqlite3");
  const options = quick
    ? { rounds: 5, seconds: 0.5, warmUpSeconds: 0.3, quick }
    : { rounds: 9, seconds: 1, warmUpSeconds: 0.5, quick };
  const folder = workFolder();
  const started: Server[] = [];
  try {
    for (const start of [startRedis, startEtcd]) {
      const server = await start(folder);
      if (server !== undefined) started.push(server);
    }
    const bench = { folder, batchProgram: compileBatch(folder), servers: started, options };
    const figures: Figure[] = [];
    for (const cell of cells) figures.push(...figuresOf(cell, await runRounds(bench, cell)));
    figures.push(...recoveryFigures(folder, quick));
    printFigures("journal", figures);
    process.exitCode = figures.every(({ ok, bar }) => ok || bar === null) ? 0 : 1;
  } finally {
    for (const server of started) await server.stop();
    removeFolder(folder);
  }
}

await main(process.argv.includes("--quick"));
