// Small programs in C that a bench compares with or loads something with: compiled when it runs.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { installed } from "./system.ts";

const benches = join(import.meta.dirname, "..", "..", "..", "bench");

/** `source` is below bench/. Undefined where there is no compiler or a library lacks. */
export function compileC(
  source: string,
  program: string,
  libraries: readonly string[] = [],
): string | undefined {
  const compiler = installed("cc") ?? installed("gcc");
  if (compiler === undefined) return undefined;
  const words = ["-O2", "-o", program, join(benches, source), ...libraries];
  const { status } = spawnSync(compiler, words, { stdio: "ignore" });
  return status === 0 ? program : undefined;
}
