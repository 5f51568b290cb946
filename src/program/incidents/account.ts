// An incident as a person reads it: a list with a line each, and the whole account of one.
//
// Pure: incidents in, text out. It is read aloud over a shoulder at three in the morning: first
// what it was, then how long each step took and what clients had of it, then line by line.

import { sayDuration } from "../../core/base/duration.ts";
import { sayLosses } from "../../core/incident/fold.ts";
import type { IncidentReport, MomentReport } from "./report.ts";

const heads = [
  "ID",
  "SERVICE",
  "STATE",
  "BEGAN",
  "LASTED",
  "DETECT",
  "TRANSFER",
  "RECOVER",
  "LOST",
  "5XX",
  "SLOW",
  "CAUSE",
] as const;
const leftAligned: ReadonlySet<string> = new Set(["ID", "SERVICE", "STATE", "BEGAN", "CAUSE"]);

export function renderIncidents(
  incidents: readonly IncidentReport[],
  width: number,
  service?: string,
): string {
  if (incidents.length === 0) {
    return `No incident ${service === undefined ? "" : `of ${service} `}is known.\n`;
  }
  const rows: readonly (readonly string[])[] = [heads, ...incidents.map(cellsOf)];
  const widths = heads.map((_, column) =>
    Math.max(...rows.map((cells) => (cells[column] ?? "").length)),
  );
  const lines = rows.map((cells) => {
    const padded = cells.map((cell, column) => {
      const isLeft = leftAligned.has(heads[column] ?? "");
      return isLeft ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
    });
    const line = padded.join("  ").trimEnd();
    return line.length <= width ? line : `${line.slice(0, width - 1).trimEnd()}…`;
  });
  return `${lines.join("\n")}\n`;
}

function cellsOf(one: IncidentReport): readonly string[] {
  return [
    one.id,
    one.service,
    one.state,
    localTime(one.startedAt),
    said(one.totalMs),
    said(one.detectMs),
    said(one.transferMs),
    said(one.recoverMs),
    `${one.lost}`,
    `${one.serverErrors}`,
    `${one.slow}`,
    one.cause,
  ];
}

export function renderIncident(one: IncidentReport): string {
  const lines = [
    `Incident ${one.id}: ${one.headline}.`,
    "",
    ...times(one),
    "",
    ...clients(one),
    "",
    ...timeline(one),
  ];
  if (one.notes.length > 0) lines.push("", ...one.notes.map((note) => `Note: ${note}.`));
  return `${lines.join("\n")}\n`;
}

function times(one: IncidentReport): readonly string[] {
  const began = `began      ${localTime(one.startedAt)}`;
  if (one.detectedAt === null) {
    const end = one.recoveredAt === null ? "it goes on" : `after ${said(one.totalMs)}`;
    return [began, `ended      ${end}; no verdict took an instance out`];
  }
  return [
    began,
    step("detect", one.detectMs, "from the first sign until it was found out"),
    step("transfer", one.transferMs, "until traffic went elsewhere"),
    step("recover", one.recoverMs, "until full strength"),
    step("in all", one.totalMs, one.totalMs === null ? "it goes on" : ""),
  ];
}

function step(name: string, ms: number | null, meaning: string): string {
  return `${name.padEnd(11)}${said(ms).padEnd(10)}${meaning}`.trimEnd();
}

function clients(one: IncidentReport): readonly string[] {
  const worst = one.worstMs === null ? "" : `; the slowest answer took ${said(one.worstMs)}`;
  return [`Of ${one.requests} requests that ended meanwhile: ${sayLosses(lossesOf(one))}${worst}.`];
}

function lossesOf({ lost, serverErrors, slow, worstMs, requests }: IncidentReport) {
  return { lost, serverErrors, slow, worstMs: worstMs ?? 0, requests };
}

function timeline({ timeline: moments, omitted }: IncidentReport): readonly string[] {
  const lines = moments.map(lineOf);
  if (omitted === 0) return lines;
  const half = Math.floor(lines.length / 2);
  const gap = `  … ${omitted} more; \`nines events\` may have them …`;
  return [...lines.slice(0, half), gap, ...lines.slice(half)];
}

const kindWidth = "transfer".length;

function lineOf({ at, afterMs, kind, sentence }: MomentReport): string {
  const after = `+${said(afterMs)}`;
  return `${clockTime(at)}  ${after.padStart(9)}  ${kind.padEnd(kindWidth)}  ${sentence}`;
}

function said(ms: number | null): string {
  return ms === null ? "-" : sayDuration(Math.max(0, ms));
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** "14:03:07.812", as the wall clock here shows it. */
function clockTime(iso: string): string {
  const at = new Date(iso);
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return `${clock}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function localTime(iso: string): string {
  const at = new Date(iso);
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(two).join("-");
  return `${day} ${clockTime(iso).slice(0, 8)}`;
}
