// The repository checks itself: what neither the compiler nor the linter can say.
//
// Chiefly the direction of imports. ARCHITECTURE.md holds one table, "folder, may import"; this
// reads it and every import in the tree, and refuses an import that the table does not grant,
// transitive or sibling, and any cycle of files. After TigerBeetle's tidy.zig and Playwright's
// DEPS.list: the table that people read is the table that is enforced. Pure: it takes the files'
// texts and returns problems; check.ts reads the disk.

import { posix } from "node:path";

export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export type Files = ReadonlyMap<string, string>;

interface Grant {
  readonly folder: string;
  /** Folders (prefixes), packages, or "node:*". */
  readonly allowed: readonly string[];
}

interface Import {
  readonly target: string;
  readonly line: number;
}

const LINE_WIDTH = 100;
/** Words that must not be in the tree, each with what to do instead. */
const bannedWords: readonly (readonly [RegExp, string])[] = [
  [
    /\bTO\u0044O\b|\bFIX\u004dE\b|\bXX\u0058\b/,
    "do it, or write down in the docs that it is not done",
  ],
  [/\bconsole\.log\(.*debug/i, "leftover debugging"],
  [/@ts-(ignore|nocheck)/, "mend the type, or use @ts-expect-error with a reason"],
];
/** Floors where time and chance come in as arguments. */
const pureFloors = [
  "src/core/",
  "src/ports/",
  "src/config/",
  "src/control/",
  "src/state/journal/",
  "sim/",
];

export function tidy(files: Files): readonly Problem[] {
  const sources = [...files].filter(([file]) => file.endsWith(".ts"));
  return [
    ...importProblems(files),
    ...cycleProblems(files),
    ...sources.flatMap(([file, text]) => sourceProblems(file, text)),
    ...deadFileProblems(files),
    ...markdownProblems(files),
    ...lockfileProblems(files),
  ];
}

/** The grants that ARCHITECTURE.md's table makes, longest folder first. */
function readImportTable(architecture: string): readonly Grant[] {
  const grants: Grant[] = [];
  let inside = false;
  for (const line of architecture.split("\n")) {
    if (line.startsWith("| folder | may import |")) inside = true;
    else if (inside && !line.startsWith("|")) inside = false;
    else if (inside && line.startsWith("| `")) {
      const cells = line.split("|").map((cell) => cell.trim());
      const names = (cells[2] ?? "").match(/`[^`]+`/g) ?? [];
      grants.push({
        folder: (cells[1] ?? "").replaceAll("`", ""),
        allowed: names.map((name) => name.replaceAll("`", "")),
      });
    }
  }
  return grants.sort((a, b) => b.folder.length - a.folder.length);
}

function importProblems(files: Files): readonly Problem[] {
  const grants = readImportTable(files.get("ARCHITECTURE.md") ?? "");
  if (grants.length === 0) {
    return [{ file: "ARCHITECTURE.md", line: 1, message: "has no table `folder | may import`" }];
  }
  const problems: Problem[] = [];
  for (const [file, text] of files) {
    if (!file.endsWith(".ts") || isTest(file)) continue;
    const grant = grants.find(({ folder }) => isWithin(file, folder));
    if (grant === undefined) {
      problems.push({
        file,
        line: 1,
        message: "is in no folder of ARCHITECTURE.md's import table",
      });
      continue;
    }
    for (const { target, line } of importsOf(file, text)) {
      if (isWithin(target, grant.folder) && ownsMostClosely(grants, target, grant)) continue;
      if (grant.allowed.some((allowed) => covers(allowed, target))) continue;
      problems.push({ file, line, message: `${grant.folder} may not import ${target}` });
    }
  }
  return problems;
}

/** A file of a folder inside this one that has a row of its own is not "this folder". */
function ownsMostClosely(grants: readonly Grant[], file: string, grant: Grant): boolean {
  return grants.find(({ folder }) => isWithin(file, folder)) === grant;
}

function covers(allowed: string, target: string): boolean {
  if (allowed === "node:*") return target.startsWith("node:");
  return allowed === target || isWithin(target, allowed);
}

function isWithin(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`);
}

function isTest(file: string): boolean {
  return /\.(test|fixture)\.ts$/.test(file) || file.startsWith("test/");
}

/**
 * Every static, side-effect and dynamic import of a file; relative ones resolved to repository
 * paths.
 */
export function importsOf(file: string, text: string): readonly Import[] {
  const imports: Import[] = [];
  const pattern = /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)"([^"]+)"/g;
  for (const match of text.matchAll(pattern)) {
    const name = match[1] ?? "";
    const target = name.startsWith(".") ? posix.join(posix.dirname(file), name) : name;
    imports.push({ target, line: text.slice(0, match.index).split("\n").length });
  }
  return imports;
}

function cycleProblems(files: Files): readonly Problem[] {
  const state = new Map<string, "open" | "done">();
  const problems: Problem[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      const cycle = [...path.slice(path.indexOf(file)), file].join(" -> ");
      problems.push({ file, line: 1, message: `import cycle: ${cycle}` });
      return;
    }
    const text = files.get(file);
    if (text === undefined) return;
    state.set(file, "open");
    for (const { target } of importsOf(file, withoutTypeImports(text))) {
      if (target.endsWith(".ts")) visit(target, [...path, file]);
    }
    state.set(file, "done");
  };
  for (const file of files.keys()) if (file.endsWith(".ts")) visit(file, []);
  return problems;
}

/** Types are erased: a cycle of types alone cannot bite at run time. */
function withoutTypeImports(text: string): string {
  return text.replace(/^(import|export) type [^;]*;/gm, "");
}

function sourceProblems(file: string, text: string): readonly Problem[] {
  const problems: Problem[] = [];
  if (!/^(#!.*\n)?\/\//.test(text)) {
    problems.push({ file, line: 1, message: "does not open with its idea (a comment)" });
  }
  const pure = pureFloors.some((floor) => file.startsWith(floor)) && !isTest(file);
  for (const [index, line] of text.split("\n").entries()) {
    const at = (message: string) => problems.push({ file, line: index + 1, message });
    if (line.length > LINE_WIDTH && !/https?:\/\/|"[^"]{60,}|`/.test(line)) {
      at(`is longer than ${LINE_WIDTH} columns`);
    }
    for (const [pattern, remedy] of bannedWords) {
      if (pattern.test(line)) at(`has ${pattern.source}: ${remedy}`);
    }
    if (pure && /\bnew Date\(/.test(line)) at("makes a Date: time comes in as an argument");
    if (isTest(file) && /\bit\.only\(|\btest\.only\(|\bdescribe\.only\(/.test(line)) {
      at("runs one test only");
    }
  }
  return problems;
}

/** A source that nothing imports, starts or tests is dead. */
function deadFileProblems(files: Files): readonly Problem[] {
  const reached = new Set<string>();
  for (const [file, text] of files) {
    if (file.endsWith(".ts")) for (const { target } of importsOf(file, text)) reached.add(target);
  }
  const everything = [...files.values()].join("\n");
  const problems: Problem[] = [];
  for (const file of files.keys()) {
    if (!/^(src|sim|scripts|bench)\/.*\.ts$/.test(file) || isTest(file) || reached.has(file))
      continue;
    const compiled = posix.basename(file).replace(/\.ts$/, ".js");
    if (everything.includes(compiled)) continue;
    problems.push({ file, line: 1, message: "is imported and started by nobody" });
  }
  return problems;
}

function markdownProblems(files: Files): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [file, text] of files) {
    if (!file.endsWith(".md")) continue;
    const prose = text.replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, ""));
    const titles = prose.split("\n").filter((line) => line.startsWith("# ")).length;
    if (titles !== 1) problems.push({ file, line: 1, message: `has ${titles} titles, not one` });
    for (const match of prose.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)]*)?\)/g)) {
      const target = posix.join(posix.dirname(file), match[1] ?? "");
      const there = files.has(target) || [...files.keys()].some((name) => isWithin(name, target));
      if (there) continue;
      const line = prose.slice(0, match.index).split("\n").length;
      problems.push({ file, line, message: `links to ${target}, which is not there` });
    }
  }
  return problems;
}

/** No package may run code at install time, and every version is exact. */
function lockfileProblems(files: Files): readonly Problem[] {
  const problems: Problem[] = [];
  const file = "package-lock.json";
  const lock = files.get(file);
  if (lock?.includes('"hasInstallScript": true')) {
    problems.push({ file, line: 1, message: "has a package with an install script" });
  }
  if (lock !== undefined && /"resolved": "https?:/.test(lock)) {
    problems.push({ file, line: 1, message: "names a registry host" });
  }
  const manifest = files.get("package.json");
  if (manifest !== undefined) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(manifest) as {
      dependencies?: Record<string, string>;
      devDependencies?: Record<string, string>;
    };
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      if (/^\d+\.\d+\.\d+$/.test(version)) continue;
      problems.push({ file: "package.json", line: 1, message: `${name} is not an exact version` });
    }
  }
  return problems;
}
