// The commands that look into a journal's folder: verify, repair, dump.

import { once } from "node:events";
import {
  type Damage,
  type DumpEntry,
  dumpJournal,
  type JournalReport,
  repairJournal,
  verifyJournal,
} from "../../sdk/journal.ts";
import type { Actions } from "./actions.ts";
import { complain, exitCode, say } from "./say.ts";

export const journalCommands: Pick<Actions, "journalVerify" | "journalRepair" | "journalDump"> = {
  async journalVerify(folder, { json }) {
    const report = await verifyJournal(folder);
    if (json === true) say(JSON.stringify(report, undefined, 2));
    else say(reportText(report));
    return report.damages.length === 0 ? exitCode.done : exitCode.failed;
  },

  async journalRepair(folder, { write }) {
    const { steps, lost } = await repairJournal(folder, { apply: write === true });
    if (steps.length === 0) {
      say("There is nothing to repair.");
      return exitCode.done;
    }
    for (const step of steps) say(step);
    if (lost === undefined) say("No record is lost.");
    else say(lostText(lost));
    if (write !== true) say("Nothing was changed; `--write` does it.");
    return exitCode.done;
  },

  async journalDump(folder, { from = 1, through = Number.POSITIVE_INFINITY, json }) {
    let damaged = false;
    for await (const entry of dumpJournal(folder)) {
      const sequence = entry.kind === "damage" ? entry.damage.sequence : entry.sequence;
      if (sequence < from) continue;
      if (sequence > through) break;
      damaged ||= entry.kind === "damage";
      const line = json === true ? entryJson(entry) : entryText(entry);
      // A journal is larger than memory: the reader of the pipe sets the pace.
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
    }
    if (damaged) complain("The journal is damaged; `nines journal verify` says where.");
    return damaged ? exitCode.failed : exitCode.done;
  },
};

function reportText(report: JournalReport): string {
  const { records, firstSequence, lastSequence, segments, snapshots, damages } = report;
  const range = records === 0 ? "" : ` (${firstSequence} to ${lastSequence})`;
  const lines = [
    `${count(records, "record")}${range} in ${count(segments.length, "segment")}`,
    ...snapshots.map(({ through, wallMs, contentBytes, whole }) => {
      const state = whole ? "" : ", damaged";
      return `a snapshot through ${through}: ${contentBytes} bytes, ${moment(wallMs)}${state}`;
    }),
    ...(report.tornTail === undefined ? [] : [tornText(report.tornTail)]),
    ...damages.map(damageText),
  ];
  if (damages.length > 0)
    return [...lines, `DAMAGED in ${count(damages.length, "place")}.`].join("\n");
  const end = report.closedCleanly ? "closed cleanly" : "not closed: in use, or its process died";
  return [...lines, `Sound; ${end}.`].join("\n");
}

function tornText({ fileName, offset }: { readonly fileName: string; readonly offset: number }) {
  return `${fileName} at byte ${offset}: an unfinished write, never acknowledged; the next start cuts it`;
}

function damageText({ fileName, offset, sequence, what }: Damage): string {
  const record = sequence === 0 ? "" : `, from record ${sequence} on`;
  return `${fileName} at byte ${offset}${record}: ${what}`;
}

function lostText({ from, through }: { readonly from: number; readonly through: number }): string {
  if (through === 0) return `LOST: records from ${from} on; how many, nothing shows any more.`;
  return `LOST: records ${from} to ${through}, as far as the damaged files show.`;
}

function entryText(entry: DumpEntry): string {
  if (entry.kind === "damage") return `DAMAGE ${damageText(entry.damage)}`;
  return `${entry.sequence}  ${moment(entry.wallMs)}  ${printable(entry.bytes)}`;
}

function entryJson(entry: DumpEntry): string {
  if (entry.kind === "damage") return JSON.stringify(entry);
  return JSON.stringify({ ...entry, bytes: Buffer.from(entry.bytes).toString("base64") });
}

/** Text as it is; anything else as hexadecimal digits. */
function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("utf8");
  const isText = !/[\p{Cc}\ufffd]/u.test(text);
  return isText ? text : Buffer.from(bytes).toString("hex");
}

function moment(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
