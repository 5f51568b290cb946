// The pages of docs/reference/ that come from the code: `--write` writes them, `--check` says which of
// them are not what the code says. A page is a path and a function that returns its text; a new one
// is a line in `pages`.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  ejectionReasons,
  endings,
  type Reason,
  reasons,
  retryReasons,
} from "../src/core/base/reasons.ts";
import { configReference } from "../src/config/reference.ts";
import { type ErrorEntry, errorCatalogue } from "../src/core/base/errors.ts";
import { failoverReference } from "../src/core/failover/failover-reference.ts";
import { detectionReference } from "../src/core/detect/detection-reference.ts";
import { deployReference } from "../src/core/deploy/deploy-reference.ts";
import { lifecycleReference } from "../src/core/supervise/lifecycle-reference.ts";
import { incidentsReference } from "../src/program/incidents/reference.ts";
import { predictReference } from "../src/program/predict/reference.ts";
import { simulateReference } from "../src/program/predict/years-reference.ts";
import {
  accessLogReference,
  adminReference,
  cliReference,
  metricsReference,
  openApiReference,
} from "../src/program/reference.ts";

export interface Page {
  /** From the repository's root. */
  readonly path: string;
  readonly render: () => string;
}

export const pages: readonly Page[] = [
  { path: "docs/reference/access-log.md", render: accessLogReference },
  { path: "docs/reference/admin-api.md", render: adminReference },
  { path: "docs/reference/cli.md", render: cliReference },
  { path: "docs/reference/config.md", render: configReference },
  { path: "docs/reference/detection.md", render: detectionReference },
  { path: "docs/reference/deploy.md", render: deployReference },
  { path: "docs/reference/errors.md", render: errorReference },
  { path: "docs/reference/failover.md", render: failoverReference },
  { path: "docs/reference/incidents.md", render: incidentsReference },
  { path: "docs/reference/lifecycle.md", render: lifecycleReference },
  { path: "docs/reference/metrics.md", render: metricsReference },
  { path: "docs/reference/openapi.json", render: openApiReference },
  { path: "docs/reference/predict.md", render: predictReference },
  { path: "docs/reference/simulate.md", render: simulateReference },
];

const root = join(import.meta.dirname, "..", "..");

/** Pages whose file is missing or says something else than the code. */
export function stalePages(): readonly string[] {
  return pages.filter(({ path, render }) => readPage(path) !== render()).map(({ path }) => path);
}

function readPage(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return undefined; // not written yet: stale, whatever the reason
  }
}

export function errorReference(): string {
  const entries: [string, ErrorEntry][] = Object.entries(errorCatalogue);
  const rows = entries.map(([code, { meaning, remedy, retriable }]) => {
    return `| \`${code}\` | ${meaning} | ${remedy} | ${yesOrNo(retriable)} |`;
  });
  return `# Errors

Every failure that a person or a program can meet has a code. Codes are stable: match on them, never
on messages. A retired code is never used again. \`retriable\` says whether the same call may succeed
later without a change.

This page is generated from the code.

## Of the command and the admin API

| code | what it means | what to do | retriable |
|---|---|---|---|
${rows.join("\n")}

## Answers that the gateway gives by itself

An answer of the gateway, and not of an instance, carries one of these as \`X-Nines-Reason\`. The
[access log](access-log.md) and the [metrics](metrics.md) name them too, and what follows below.

${reasonTable(reasons, ["reason", "status", "state", "what it means", "retriable"])}

\`state\` is what HAProxy's log would say: who ended it (C the client, c its time ran out, S the
instance, s its time ran out, P a rule of the gateway, R something here was full, K control or an
operator), and how far it had come (R the request's head, Q the queue, C connecting, H the answer's
head was awaited, D a body).

## Other ends of a request

The client got no answer of the gateway's own: it had gone, or an answer had begun.

${reasonTable(endings, ["reason", "state", "what it means", "retriable"])}

## Why a request is tried again

By an answer's reason that stands above (\`CONNECT_FAILED\`, \`ANSWER_LOST\` and the like), or by one of
these, which no client is told.

${reasonTable(retryReasons, ["reason", "state", "what it means"])}

## Why an instance is ejected

A worker keeps it from traffic for a while; [detection](detection.md) says when.

${reasonTable(ejectionReasons, ["reason", "what it means"])}
`;
}

const reasonCells: Readonly<Record<string, (code: string, reason: Reason) => string | number>> = {
  reason: (code) => `\`${code}\``,
  status: (_, { status }) => status,
  state: (_, { state }) => `\`${state}\``,
  "what it means": (_, { sentence }) => sentence,
  retriable: (_, { retriable }) => yesOrNo(retriable),
};

function reasonTable(
  entries: Readonly<Record<string, Reason>>,
  columns: readonly string[],
): string {
  const row = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  const rows = Object.entries(entries).map(([code, reason]) =>
    row(columns.map((column) => reasonCells[column]?.(code, reason) ?? "")),
  );
  return [row(columns), `|${"---|".repeat(columns.length)}`, ...rows].join("\n");
}

function yesOrNo(value: boolean): string {
  return value ? "yes" : "no";
}

function main(mode: string | undefined): number {
  if (mode === "--write") {
    for (const { path, render } of pages) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), render());
    }
    return 0;
  }
  if (mode !== "--check") {
    console.error("usage: node dist/scripts/docs.js --write | --check");
    return 2;
  }
  const stale = stalePages();
  for (const path of stale) {
    console.error(`${path} is not what the code says: node dist/scripts/docs.js --write`);
  }
  return stale.length === 0 ? 0 : 1;
}

const [, started, mode] = process.argv;
if (started !== undefined && import.meta.url === pathToFileURL(started).href) {
  process.exitCode = main(mode);
}
