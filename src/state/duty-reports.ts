// The last words of the vault's duties: a file each, `report-ID.json`, from the duty's process to
// whichever control is there when it has ended.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { DutyReport } from "../ports/duty-programs.ts";
import { readIfThere, removeFile, replaceFile } from "./files.ts";

const fileName = /^report-[\w-]+\.json/;
/** What a report may say on the way: a round of mending may have much to tell. */
export const saidMax = 300;

export function writeDutyReport(folder: string, id: string, report: DutyReport): void {
  replaceFile(pathOf(folder, id), `${JSON.stringify(report)}\n`);
}

/** Undefined when there is none, or none that is whole. */
export function readDutyReport(folder: string, id: string): DutyReport | undefined {
  try {
    const report = JSON.parse(readIfThere(pathOf(folder, id)) ?? "") as Partial<DutyReport>;
    const isReport =
      ["done", "unfinished", "failed"].includes(report.outcome ?? "") &&
      typeof report.sentence === "string" &&
      Array.isArray(report.said);
    return isReport ? (report as DutyReport) : undefined;
  } catch {
    return undefined;
  }
}

export function removeDutyReport(folder: string, id: string): void {
  removeFile(pathOf(folder, id));
}

/** One duty runs at a time: when the next begins, all that are there were read, or will not be. */
export function removeDutyReports(folder: string): void {
  for (const name of readdirSync(folder)) if (fileName.test(name)) removeFile(join(folder, name));
}

function pathOf(folder: string, id: string): string {
  return join(folder, `report-${id}.json`);
}
