// `npm test` and `npm run test:long`: runs the built tests.
//
// Pure tests (x.test.ts) share one process, which is some fifteen times faster than a process a
// file; tests that start processes (x.process.test.ts) get one each; long ones (x.long.test.ts) run
// only with --long. Words after the options select files whose path has one of them. With
// NINES_REQUIRE_ALL=1 a skipped test is a failure: CI installs what the suites need.

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { run } from "node:test";
import { type Counts, report, type TestEvent } from "./test-reporter.ts";

const root = join(import.meta.dirname, "..", "..");
/** Those whose tests take longest come first, so that the last minutes are not one test's alone. */
const folders = ["test", "sim", "src", "scripts", "bench"];
const longest = /crashes|planted|vault/;

function testSources(): readonly string[] {
  const all = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts") && !file.includes("node_modules"))
      .map((file) => join(folder, file)),
  );
  return all.toSorted((a, b) => Number(longest.test(b)) - Number(longest.test(a)));
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

async function main(words: readonly string[]): Promise<number> {
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
  // Its own order would be the alphabet's.
  const events = run({ files, concurrency: 3 }) as AsyncIterable<TestEvent>;
  const counts: Counts = { pass: 0, fail: 0, skipped: 0, failed: false };
  for await (const line of report(events, counts)) process.stdout.write(line);
  if (counts.failed) return 1;
  if (counts.skipped > 0 && process.env["NINES_REQUIRE_ALL"] === "1") {
    console.error(`${counts.skipped} tests were skipped, and NINES_REQUIRE_ALL=1 allows none.`);
    return 1;
  }
  return 0;
}

process.chdir(root);
process.exitCode = await main(process.argv.slice(2));
