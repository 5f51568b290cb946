// A journal on disk, looked at and mended.

import type { Command } from "commander";
import type {
  Actions,
  JournalDumpOptions,
  JournalOptions,
  JournalRepairOptions,
} from "../actions.ts";
import { wholeNumber } from "../amounts.ts";
import type { Ended } from "./placed.ts";

export function addJournal(nines: Command, actions: Actions, ended: Ended): void {
  const journal = nines.command("journal").summary("look into a journal (nines/journal), mend it");
  journal
    .command("verify")
    .summary("read everything, and say what is damaged and where")
    .description(
      "Checks every byte of the log and of the snapshots. Changes nothing; may run while the journal " +
        "is in use. Exits with 1 when something is damaged.",
    )
    .argument("<folder>", "the journal's folder")
    .option("--json", "the report as JSON")
    .action((folder: string, options: JournalOptions) =>
      ended(actions.journalVerify(folder, options)),
    );
  journal
    .command("repair")
    .summary("make a damaged journal one that opens, with what is sound")
    .description(
      "Says what it would do and which records would be lost; with --write it does that. Restoring " +
        "the damaged file from a copy loses less: try that first. Damaged files are kept under " +
        "another name.",
    )
    .argument("<folder>", "the journal's folder")
    .option("--write", "do it, and not only say it")
    .action((folder: string, options: JournalRepairOptions) =>
      ended(actions.journalRepair(folder, options)),
    );
  journal
    .command("dump")
    .summary("print the records, and the damage between them")
    .description("One line a record: its number, when it was written, and its bytes.")
    .argument("<folder>", "the journal's folder")
    .option("--from <sequence>", "the first record", sequenceNumber)
    .option("--through <sequence>", "the last record", sequenceNumber)
    .option("--json", "one JSON object a line; the bytes in base64")
    .action((folder: string, options: JournalDumpOptions) =>
      ended(actions.journalDump(folder, options)),
    );
}

function sequenceNumber(text: string): number {
  return wholeNumber(text, Number.MAX_SAFE_INTEGER);
}
