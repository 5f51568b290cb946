// One run of a program: how long, how much of the processors, how much memory at most.
//
// Time is the whole program's, from its start to its end: that is what its user waits for. Memory
// is the kernel's own high-water mark of the process, read while it lives; what it adds in its
// last hundredth of a second is missed, for either program.

import { readFileSync } from "node:fs";
import { cpuMicroseconds, start } from "../shared/system.ts";

export interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMebibytes: number;
}

const lookEveryMs = 10;
const runSecondsMax = 900;

/** Throws when it fails, with what it wrote. */
export async function runProgram(
  command: readonly string[],
  options: {
    readonly folder: string;
    readonly output: string;
    readonly environment: Readonly<Record<string, string>>;
  },
): Promise<Measured> {
  const begunMs = performance.now();
  const program = start(command, options);
  let [cpu, peak] = [0, 0];
  const look = setInterval(() => {
    cpu = Math.max(cpu, cpuMicroseconds(program.pid) ?? 0);
    peak = Math.max(peak, peakKibibytes(program.pid));
  }, lookEveryMs);
  const tooLong = setTimeout(() => program.child.kill("SIGKILL"), 1_000 * runSecondsMax);
  await program.ended;
  clearInterval(look);
  clearTimeout(tooLong);
  const seconds = (performance.now() - begunMs) / 1_000;
  if (program.child.exitCode !== 0) {
    const said = readFileSync(options.output, "utf8");
    throw new Error(`${command.join(" ")} ended with ${program.child.exitCode}:\n${said}`);
  }
  return { seconds, cpuSeconds: cpu / 1e6, peakMebibytes: peak / 1_024 };
}

function peakKibibytes(pid: number): number {
  try {
    const [, kibibytes] =
      /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kibibytes ?? 0);
  } catch {
    return 0;
  }
}
