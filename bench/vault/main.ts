// `npm run bench:vault`: a backup's whole life beside restic's, on the same data and the same disk.
//
// Both go through the stages side by side, stage by stage, and take turns at being first; figures
// are medians over rounds of each round's ratio, so that what a busy machine takes from one it
// takes from the other. Dirty pages are written out before each run, so that nobody waits for the
// other's. What was restored is compared byte by byte, outside of the time that counts.
//
// ext4 without a journal gives no inode out again for five minutes, and looks at each that was
// deleted meanwhile whenever a file is made in the same part of the disk: with the files of the
// round before gone, or those of whatever ran before, making ten thousand took longer than all else
// of a restore, and that was what the ratio said. So nothing is deleted before the last round is
// over, only the blocks of large files are given back; and each round lies in a part of the disk of
// its own, where the file system can be asked for that (chattr +T).

import { spawnSync } from "node:child_process";
import { readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { type Figure, figure, median, printFigures } from "../shared/figures.ts";
import { installed, removeFolder, temporaryFolder } from "../shared/system.ts";
import { type Contender, ninesIn, resticIn, type Stage, stages } from "./contenders.ts";
import { makeData, quickSize, wholeSize } from "./data.ts";
import type { Measured } from "./run-program.ts";

/** How many times as fast as restic at least. */
const bars: Readonly<Partial<Record<Stage, number>>> = {
  "first backup": 1,
  verify: 1.5,
  restore: 1.5,
};
const unchangedSecondsMax = 2;
const memoryRatioMax = 1.5;
const roundCount = 5;
/** What is larger holds nearly all of a round's bytes, in few files. */
const smallFileBytesMax = 65_536;

type Round = ReadonlyMap<string, Readonly<Record<Stage, Measured>>>;

async function main(): Promise<void> {
  const quick = process.argv.includes("--quick");
  const folder = temporaryFolder("vault");
  try {
    const chattr = installed("chattr");
    // File systems that are not ext4 refuse it, and need none.
    if (chattr !== undefined) spawnSync(chattr, ["+T", folder]);
    const data = join(folder, "data");
    const bytes = makeData(data, quick ? quickSize : wholeSize);
    const rounds: Round[] = [];
    for (let round = 0; round < roundCount; round++) {
      const own = join(folder, `round-${round}`);
      const restic = resticIn(join(own, "restic"), data);
      const nines = ninesIn(join(own, "nines"), data);
      const contenders = restic === undefined ? [nines] : [nines, restic];
      rounds.push(await runRound(round % 2 === 0 ? contenders : contenders.toReversed(), data));
      emptyLargeFiles(own);
    }
    printFigures("vault", figuresOf(rounds, bytes));
  } finally {
    removeFolder(folder);
  }
}

async function runRound(contenders: readonly Contender[], data: string): Promise<Round> {
  const measured = new Map<string, Record<Stage, Measured>>();
  for (const contender of contenders) {
    await contender.begin();
    measured.set(contender.name, {} as Record<Stage, Measured>);
  }
  for (const stage of stages) {
    for (const contender of contenders) {
      spawnSync("sync");
      const run = await contender.run(stage);
      Object.assign(measured.get(contender.name) ?? {}, { [stage]: run });
    }
  }
  for (const { name, restored } of contenders) {
    const compared = spawnSync("diff", ["-r", data, restored], { encoding: "utf8" });
    if (compared.status !== 0)
      throw new Error(`${name} restored something else: ${compared.stdout}`);
  }
  return measured;
}

/** Their blocks go and they stay. */
function emptyLargeFiles(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && statSync(file).size > smallFileBytesMax) truncateSync(file, 0);
  }
}

function figuresOf(rounds: readonly Round[], bytes: number): readonly Figure[] {
  const all = (name: string, value: (stages: Readonly<Record<Stage, Measured>>) => number) =>
    rounds.flatMap((round) => {
      const run = round.get(name);
      return run === undefined ? [] : [value(run)];
    });
  const ratio = (
    name: string,
    value: (run: Readonly<Record<Stage, Measured>>) => number,
    rule: Pick<Figure, "better"> & { readonly bar?: number },
  ): Figure => {
    const [own, theirs] = [all("Nines", value), all("restic", value)];
    const ratios = own.map((mine, at) =>
      rule.better === "higher"
        ? (theirs[at] ?? Number.NaN) / mine
        : mine / (theirs[at] ?? Number.NaN),
    );
    const note = theirs.length === 0 ? { note: "not installed: restic" } : {};
    const middle = theirs.length === 0 ? undefined : median(ratios);
    return figure({ name, value: middle, unit: "x", ...rule, ...note });
  };
  return [
    ...stages.flatMap((stage) => {
      const bar = bars[stage];
      const rule = bar === undefined ? {} : { bar };
      const speed = (run: Readonly<Record<Stage, Measured>>) => run[stage].seconds;
      return [ratio(`${stage}, as fast as restic`, speed, { better: "higher", ...rule })];
    }),
    figure({
      name: "unchanged backup",
      value: median(all("Nines", (run) => run["unchanged backup"].seconds)),
      unit: "s",
      bar: unchangedSecondsMax,
    }),
    ratio("most memory of all stages, of restic's", mostMemory, {
      better: "lower",
      bar: memoryRatioMax,
    }),
    ...["Nines", "restic"].flatMap((name) => told(name, all, bytes)),
  ];
}

function mostMemory(run: Readonly<Record<Stage, Measured>>): number {
  return Math.max(...stages.map((stage) => run[stage].peakMebibytes));
}

/** What is told beside the promises. */
function told(
  name: string,
  all: (name: string, value: (run: Readonly<Record<Stage, Measured>>) => number) => number[],
  bytes: number,
): readonly Figure[] {
  return stages.flatMap((stage) => {
    const middle = (value: (run: Measured) => number) =>
      median(all(name, (run) => value(run[stage])));
    const seconds = middle((run) => run.seconds);
    if (Number.isNaN(seconds)) return [];
    const say = (what: string, value: number, unit: string, better: Figure["better"]) =>
      figure({ name: `${name}, ${stage}${what}`, value, unit, better });
    return [
      say("", bytes / seconds / 1e6, "MB/s", "higher"),
      say(
        ", processors",
        middle((run) => run.cpuSeconds),
        "s",
        "lower",
      ),
      say(
        ", memory",
        middle((run) => run.peakMebibytes),
        "MiB",
        "lower",
      ),
    ];
  });
}

await main();
