// Who holds an office, by files `term-N` in one folder (the contract: ports/term-claims.ts).
//
// Invariant: the holder is the process that the file with the largest N names, if it lives; N+1 is
// made only by somebody who saw N's holder dead (or who is N's holder and hands over). The file
// comes into being by link(2), whole and only if it is not there, so of two takers one fails.
//
// The one subtle race: a taker sees N dead and is held up, while others take N+1 … N+20 and N+1 has
// been swept away. Its link succeeds, on a term long past. So a taker looks again *after* its link
// and holds only what is the largest; sweeping leaves the newest files, so it cannot miss a larger
// one.
//
// The file's identity is that of a process of this boot (ports/processes.ts): after a power loss
// every holder is dead, and a file that a power loss tore counts as a dead holder's.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { present } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import type { ProcessIdentity } from "../ports/processes.ts";
import type { TermClaims, TermHolder } from "../ports/term-claims.ts";
import { createFile, readIfThere, writerOfTemporary } from "./files.ts";

/** Files kept for people to look at; any number from 1 on is safe. */
const termsKept = 8;
const nobody: ProcessIdentity = { pid: 0, startTime: "" };

export interface TermClaimsOptions {
  /** An existing folder for this office alone. */
  readonly folder: string;
  /** Who claims, unless a claim names another. Absent: this one only looks. */
  readonly self?: ProcessIdentity;
  /** Tells the process that runs under this pid now, if any does. */
  readonly identify: (pid: number) => ProcessIdentity | undefined;
}

export function createTermClaims(options: TermClaimsOptions): TermClaims {
  return {
    holder: () => newestHolder(options),
    claim: (identity, instead) =>
      claim(options, present(identity ?? options.self, "a claim names its holder"), instead),
  };
}

function claim(
  options: TermClaimsOptions,
  identity: ProcessIdentity,
  instead: number | undefined,
): number | undefined {
  const before = newestHolder(options);
  if (before?.alive === true && before.term !== instead) return undefined;
  const term = (before?.term ?? 0) + 1;
  const path = join(options.folder, `term-${term}`);
  try {
    if (!createFile(path, `${JSON.stringify(identity)}\n`)) return undefined;
    if (largestTerm(options.folder) !== term) {
      rmSync(path, { force: true });
      return undefined;
    }
    sweep(options, term);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NinesError("NINES_STATE_WRITE", `${path}: ${why}.`, { cause });
  }
  return term;
}

function newestHolder(options: TermClaimsOptions): TermHolder | undefined {
  const term = largestTerm(options.folder);
  if (term === undefined) return undefined;
  const text = readIfThere(join(options.folder, `term-${term}`));
  // Swept between the two looks: a newer one is there.
  if (text === undefined) return newestHolder(options);
  const identity = parseIdentity(text);
  if (identity === undefined) return { term, identity: nobody, alive: false };
  const alive = options.identify(identity.pid)?.startTime === identity.startTime;
  return { term, identity, alive };
}

function largestTerm(folder: string): number | undefined {
  const terms = termsIn(folder);
  return terms.length === 0 ? undefined : Math.max(...terms);
}

function termsIn(folder: string): readonly number[] {
  return readdirSync(folder).flatMap((name) => {
    const match = /^term-([1-9]\d{0,14})$/.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}

function parseIdentity(text: string): ProcessIdentity | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { pid, startTime } = value as Partial<Record<keyof ProcessIdentity, unknown>>;
  if (typeof pid !== "number" || typeof startTime !== "string") return undefined;
  return { pid, startTime };
}

function sweep(options: TermClaimsOptions, term: number): void {
  for (const name of readdirSync(options.folder)) {
    const writer = writerOfTemporary(name);
    const leftBehind = writer !== undefined && options.identify(writer) === undefined;
    const old = /^term-\d+$/.test(name) && Number(name.slice(5)) <= term - termsKept;
    if (leftBehind || old) rmSync(join(options.folder, name), { force: true });
  }
}
