// How fast a journal is read back at start, how much memory that takes, and that it does not take
// more for a longer log. The page cache is warm: what is measured is the journal, not the disk.

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Figure, figure, median } from "../shared/figures.ts";
import { removeFolder } from "../shared/system.ts";
import type { Recovered, RecoveryTask } from "./recovery.ts";

const MEGABYTE = 1e6;
const MEBIBYTE = 1024 * 1024;

function run(what: "fill" | "replay", task: RecoveryTask): Recovered | null {
  const program = join(import.meta.dirname, "recovery.js");
  const words = [program, what, JSON.stringify(task)];
  const result = spawnSync(process.execPath, words, { encoding: "utf8", timeout: 120_000 });
  if (result.status !== 0) throw new Error(`recovery, ${what}: ${result.stderr}`);
  return JSON.parse(result.stdout) as Recovered | null;
}

/** Fills a journal, then reads it back a few times. */
function recover(folder: string, task: Omit<RecoveryTask, "folder">, times: number) {
  const place = join(folder, `recovery-${task.recordBytes}-${task.totalBytes}`);
  mkdirSync(place);
  try {
    if (task.totalBytes > 0) run("fill", { ...task, folder: place });
    const runs = Array.from({ length: times }, () => {
      const recovered = run("replay", { ...task, folder: place });
      if (recovered === null || recovered.bytes < task.totalBytes) {
        throw new Error(`of ${task.totalBytes} bytes ${recovered?.bytes} came back`);
      }
      return recovered;
    });
    const each = (read: (one: Recovered) => number): number => median(runs.map(read));
    return {
      recordsPerSecond: each(({ records, elapsedMs }) => records / (elapsedMs / 1000)),
      bytesPerSecond: each(({ bytes, elapsedMs }) => bytes / (elapsedMs / 1000)),
      peakMemoryBytes: each(({ peakMemoryBytes }) => peakMemoryBytes),
    };
  } finally {
    removeFolder(place);
  }
}

export function recoveryFigures(folder: string, quick: boolean): readonly Figure[] {
  const totalBytes = (quick ? 128 : 512) * MEBIBYTE;
  const times = quick ? 3 : 5;
  console.log(`recovery of ${totalBytes / MEBIBYTE} MiB, ${times} times`);
  const empty = recover(folder, { recordBytes: 100, totalBytes: 0 }, times);
  const small = recover(folder, { recordBytes: 100, totalBytes }, times);
  const large = recover(folder, { recordBytes: 1024, totalBytes }, times);
  const memory = Math.max(small.peakMemoryBytes, large.peakMemoryBytes) - empty.peakMemoryBytes;
  return [
    figure({
      name: "recovery, 100 B records",
      value: small.recordsPerSecond,
      unit: "records/s",
      bar: 1_000_000,
      better: "higher",
    }),
    figure({
      name: "recovery, 1 KiB records",
      value: large.bytesPerSecond / MEGABYTE,
      unit: "MB/s",
      bar: 300,
      better: "higher",
    }),
    figure({
      name: `memory to recover ${totalBytes / MEBIBYTE} MiB, beyond that of an empty journal`,
      value: memory / MEBIBYTE,
      unit: "MiB",
      bar: 64,
    }),
    figure({
      name: "peak memory of the process that recovers",
      value: Math.max(small.peakMemoryBytes, large.peakMemoryBytes) / MEBIBYTE,
      unit: "MiB",
    }),
  ];
}
