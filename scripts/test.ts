// `npm test` and `npm run test:long`: runs the built tests.
//
// Pure tests (x.test.ts) share one process, which is some fifteen times faster than a process a
// file; tests that start processes (x.process.test.ts) get one each; long ones (x.long.test.ts) run
// only with --long. Words after the options select files whose path has one of them. With
// NINES_REQUIRE_ALL=1 a skipped test is a failure: CI installs what the suites need.

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

const root = join(import.meta.dirname, "..", "..");
/** Those whose tests take longest come first, so that the last minute is not one test's alone. */
const folders = ["test", "sim", "src", "scripts", "bench"];

function testSources(): readonly string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts") && !file.includes("node_modules"))
      .map((file) => join(folder, file)),
  );
}

function compiled(source: string): string {
  return join(root, "dist", source.replace(/\.ts$/, ".js"));
}

/** One file that imports all pure tests, so that they share a process. */
function gather(sources: readonly string[]): string {
  const folder = join(root, "dist", ".build");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "pure.test.js");
  const lines = sources.map((source) => `import "./${relative(folder, compiled(source))}";\n`);
  writeFileSync(file, lines.join(""));
  return file;
}

function main(words: readonly string[]): number {
  const long = words.includes("--long");
  const wanted = words.filter((word) => !word.startsWith("--"));
  const sources = testSources()
    .filter((source) => source.endsWith(".long.test.ts") === long)
    .filter((source) => wanted.length === 0 || wanted.some((word) => source.includes(word)));
  const isolated = sources.filter((source) => /\.(process|long)\.test\.ts$/.test(source));
  const pure = sources.filter((source) => !isolated.includes(source));
  const files = isolated.map(compiled);
  if (pure.length > 0) files.unshift(gather(pure));
  if (files.length === 0) {
    console.error("No test file matches.");
    return 1;
  }
  const summary = join(root, "dist", ".build", `summary-${process.pid}.txt`);
  const result = spawnSync(
    process.execPath,
    [
      "--test",
      `--test-concurrency=${long ? 2 : 3}`,
      `--test-reporter=${join(import.meta.dirname, "test-reporter.js")}`,
      "--test-reporter-destination=stdout",
      "--test-reporter=tap",
      `--test-reporter-destination=${summary}`,
      ...files,
    ],
    { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
  );
  const skipped = /^# skipped (\d+)/m.exec(readFileSync(summary, "utf8"))?.[1] ?? "0";
  rmSync(summary, { force: true });
  if (result.status === 0 && skipped !== "0" && process.env["NINES_REQUIRE_ALL"] === "1") {
    console.error(`${skipped} tests were skipped, and NINES_REQUIRE_ALL=1 allows none.`);
    return 1;
  }
  return result.status ?? 1;
}

process.exit(main(process.argv.slice(2)));
