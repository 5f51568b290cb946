// The loader: text in, a Config or all that is wrong with it out. Pure; who calls it reads the
// file.
//
// Parse, default, check, resolve: each step adds what it finds, and a file that fails one is still
// judged by the others, so that one `nines check` tells everything there is to mend.

import { checkParts } from "./checks.ts";
import type { Config } from "./config.ts";
import { readText, readValue } from "./document.ts";
import { explainIssues } from "./explain.ts";
import type { Problem } from "./problems.ts";
import { resolveConfig } from "./resolve.ts";
import { file, isTextAt } from "./schema.ts";

const PROBLEMS_MAX = 50;

export type ConfigSource = {
  /** Absolute path of the file; relative paths in it start from its folder. */
  readonly file: string;
  /** Of this machine: the default for `gateway.workers`. */
  readonly cores: number;
} & (
  | { readonly format: "yaml" | "json"; readonly text: string }
  /** The default export of nines.config.js. */
  | { readonly format: "javascript"; readonly value: unknown }
);

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | {
      readonly ok: false;
      readonly code: "NINES_CONFIG_SYNTAX" | "NINES_CONFIG_INVALID";
      /** Errors and warnings, in the order of the file. */
      readonly problems: readonly Problem[];
    };

export function parseConfig(source: ConfigSource): ParsedConfig {
  const document =
    source.format === "javascript" ? readValue(source.value) : readText(source.text, isTextAt);
  if (document.value === undefined && document.problems.length > 0) {
    return { ok: false, code: "NINES_CONFIG_SYNTAX", problems: document.problems };
  }
  const read = file.safeParse(document.value);
  const problems = [
    ...document.problems,
    ...explainIssues(read.error?.issues ?? [], document),
    ...checkParts(document.value).map(({ part, ...finding }) => {
      return { ...finding, ...document.locate(finding.path, part) };
    }),
  ].sort(inOrder);
  if (!read.success || problems.some(({ level }) => level === "error")) {
    return { ok: false, code: "NINES_CONFIG_INVALID", problems: problems.slice(0, PROBLEMS_MAX) };
  }
  return {
    ok: true,
    config: resolveConfig(read.data, source.file, source.cores),
    warnings: problems,
  };
}

function inOrder(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
