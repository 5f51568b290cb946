// What is wrong with a file, for the person who wrote it: where, what, and what to do instead.
// Words only; nothing here knows the schema.

import { sayCount } from "../core/base/count.ts";

/** Keys and list positions from the top of the file. */
export type Path = readonly (string | number)[];

export interface Problem {
  /** A warning doesn't keep Nines from running the file. */
  readonly level: "error" | "warning";
  /** Empty for the whole file. */
  readonly path: Path;
  /** From 1. Absent for a file that is a program. */
  readonly line?: number;
  readonly column?: number;
  /** What is wrong; follows the path: "services.web.health.fall: must be a whole number". */
  readonly what: string;
  /** What to do, as a sentence. */
  readonly remedy: string;
}

/** `services.web.command`, `gateway.routes[0].match`. */
export function printPath(path: Path): string {
  return path
    .map((key, index) => {
      if (typeof key === "number") return `[${key}]`;
      const name = /^[\w$-]{1,60}$/.test(key) ? key : JSON.stringify(key.slice(0, 60));
      return index === 0 ? name : `.${name}`;
    })
    .join("");
}

/** What `nines check` prints: two lines a problem, and a line that sums up. */
export function formatProblems(file: string, problems: readonly Problem[]): string {
  const blocks = problems.map((problem) => {
    const { level, path, line, column, what, remedy } = problem;
    const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
    const subject = path.length === 0 ? "" : `${printPath(path)}: `;
    const kind = level === "warning" ? "warning: " : "";
    return `${place}  ${kind}${subject}${what}\n    ${remedy}\n`;
  });
  return [...blocks, summary(problems)].join("");
}

/** The same for programs. Stable field names. */
export function problemsJson(file: string, problems: readonly Problem[]): Record<string, unknown> {
  return {
    file,
    ok: !problems.some(({ level }) => level === "error"),
    problems: problems.map(({ path, ...rest }) => ({ ...rest, path: printPath(path) })),
  };
}

function summary(problems: readonly Problem[]): string {
  const errors = problems.filter(({ level }) => level === "error").length;
  const warnings = problems.length - errors;
  const counts = [counted(errors, "problem"), counted(warnings, "warning")].filter(Boolean);
  if (counts.length === 0) return "";
  const hint = errors > 0 ? " `nines schema` prints what is allowed." : "";
  return `\n${counts.join(", ")}.${hint}\n`;
}

function counted(count: number, noun: string): string {
  return count === 0 ? "" : sayCount(count, noun);
}

/** The known word that was probably meant, or undefined when none is close. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  // Longer words are anything but a slip of a key name, and the distance costs their product.
  if (written.length > 60) return undefined;
  const wanted = written.toLowerCase();
  const furthest = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = furthest + 1;
  for (const word of known) {
    const distance = editDistance(wanted, word.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [word, distance];
  }
  return best;
}

/** Optimal string alignment: insertions, deletions, replacements, and swaps of neighbours, since
 * `heatlh` is one slip and not two. */
export function editDistance(a: string, b: string): number {
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, at(beforeLast, j - 2) + 1);
      }
      row.push(distance);
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
