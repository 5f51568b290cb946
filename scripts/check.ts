// `npm run check`: every gate that is not a test, in one command, locally and in CI alike: types,
// lint, format, import directions and tidiness, docs that match the code, and a smoke run of the
// simulator.

import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { tidy } from "./tidy.ts";

const root = join(import.meta.dirname, "..", "..");
const tidied = /\.(ts|md|mjs|json|yaml|sh|service)$/;
const skippedFolders = new Set(["node_modules", "dist", ".git", ".nines"]);

interface Gate {
  readonly name: string;
  readonly run: () => Promise<string | undefined>;
}

/** Runs a program; its output when it fails, nothing when it passes. */
function program(file: string, ...words: readonly string[]): () => Promise<string | undefined> {
  return () =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [join(root, file), ...words], {
        cwd: root,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      child.stdout.on("data", (text) => (output += String(text)));
      child.stderr.on("data", (text) => (output += String(text)));
      child.on("close", (code) => resolve(code === 0 ? undefined : output || `exit code ${code}`));
    });
}

function readTree(folder: string, into: Map<string, string>): Map<string, string> {
  for (const name of readdirSync(join(root, folder))) {
    if (skippedFolders.has(name)) continue;
    const path = folder === "" ? name : `${folder}/${name}`;
    if (statSync(join(root, path)).isDirectory()) readTree(path, into);
    else if (tidied.test(name)) into.set(path, readFileSync(join(root, path), "utf8"));
  }
  return into;
}

async function tidiness(): Promise<string | undefined> {
  const problems = tidy(readTree("", new Map()));
  if (problems.length === 0) return undefined;
  return problems.map(({ file, line, message }) => `${file}:${line} ${message}`).join("\n");
}

const gates: readonly Gate[] = [
  { name: "types", run: program("node_modules/typescript/bin/tsc", "-b") },
  { name: "lint", run: program("node_modules/oxlint/bin/oxlint", "--type-aware", "--quiet") },
  { name: "format", run: program("node_modules/@biomejs/biome/bin/biome", "format") },
  { name: "tidy", run: tidiness },
  { name: "docs match code", run: program("dist/scripts/docs.js", "--check") },
  { name: "simulator smoke", run: program("dist/scripts/sim.js", "--runs=30") },
];

async function main(): Promise<number> {
  const failures = await Promise.all(
    gates.map(async ({ name, run }) => {
      const failure = await run();
      console.log(`${failure === undefined ? "✔" : "✖"} ${name}`);
      if (failure !== undefined) console.log(failure.trimEnd());
      return failure !== undefined;
    }),
  );
  return failures.includes(true) ? 1 : 0;
}

process.exit(await main());
