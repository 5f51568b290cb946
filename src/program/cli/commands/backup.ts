// Backups, restores, and the upkeep of the vault.

import { type Command, InvalidArgumentError } from "commander";
import { parseSize } from "../../../config/units.ts";
import type {
  Actions,
  BackupKeyOptions,
  BackupListOptions,
  BackupPruneOptions,
  BackupRestoreOptions,
  BackupScrubOptions,
  PlaceOptions,
} from "../actions.ts";
import { type Ended, placed } from "./placed.ts";

const snapshotHelp =
  "the beginning of its id, a time (the newest before it), or latest; of one source: SOURCE:latest";

export function addBackup(nines: Command, actions: Actions, ended: Ended): void {
  const backup = nines
    .command("backup")
    .summary("back up, look into backups, restore, and keep the vault whole");
  placed(backup.command("run"))
    .summary("make a snapshot of each source, or of some")
    .description(
      "Reads what has changed, and puts what the vault does not have yet. Cut off at any point, the " +
        "next run goes on. Exits with 1 when objects lack shards because a target was away.",
    )
    .argument("[sources...]", "sources of the file (default: all)")
    .action((sources: string[], options: PlaceOptions) =>
      ended(actions.backupRun(sources, options)),
    );
  placed(backup.command("list"))
    .summary("the snapshots, oldest first")
    .description(
      "Exits with 1 when the newest snapshot of a source that can be restored is older than " +
        "`backup.staleAfter` allows, or a target is away.",
    )
    .option("--json", "as JSON")
    .action((options: BackupListOptions) => ended(actions.backupList(options)));
  placed(backup.command("status"))
    .summary("how old what could be restored is, how much may be lost, what is due next")
    .description(
      "Looks at the vault as who wants to restore would, and tells what control has done and will do " +
        "by itself. Exits with 1 when a source is too old, something cannot be read, or a target is " +
        "away: for monitors.",
    )
    .option("--json", "as JSON")
    .action((options: BackupListOptions) => ended(actions.backupStatus(options)));
  placed(backup.command("browse"))
    .summary("what is in a snapshot's folder")
    .argument("<snapshot>", snapshotHelp)
    .argument("[path]", "a folder or file below the source (default: the source)")
    .action((snapshot: string, path: string | undefined, options: PlaceOptions) =>
      ended(actions.backupBrowse(snapshot, path, options)),
    );
  placed(backup.command("diff"))
    .summary("what was added (+), removed (-) and changed (~) between two snapshots")
    .argument("<before>", snapshotHelp)
    .argument("<after>", "the other one")
    .action((before: string, after: string, options: PlaceOptions) =>
      ended(actions.backupDiff(before, after, options)),
    );
  placed(backup.command("restore"))
    .summary("a snapshot, or a part of it, into a new folder")
    .description(
      "Restores all that can be read, and names what is lost. What is damaged and can be made anew " +
        "is mended in the vault on the way. Exits with 1 when something is lost.",
    )
    .argument("<snapshot>", snapshotHelp)
    .argument("<to>", "a folder that is empty or not there")
    .option("--path <path>", "only this file or folder of it")
    .option("--resume", "go on where a restore was cut off; files that differ are replaced")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nines backup restore shop:latest /tmp/shop\n" +
        "  $ nines backup restore 2026-11-20T12:00Z /tmp/yesterday --path orders",
    )
    .action((snapshot: string, to: string, options: BackupRestoreOptions) =>
      ended(actions.backupRestore(snapshot, to, options)),
    );
  addBackupUpkeep(backup, actions, ended);
}

function addBackupUpkeep(backup: Command, actions: Actions, ended: Ended): void {
  placed(backup.command("verify"))
    .summary("read every shard, mend what is damaged, and look for every chunk of every snapshot")
    .description("Exits with 1 when something is lost, or a target is away or takes nothing.")
    .action((options: PlaceOptions) => ended(actions.backupVerify(options)));
  placed(backup.command("drill"))
    .summary("restore a snapshot to a scratch place, compare it byte by byte, and remove it again")
    .description("Touches no live data. Exits with 1 when something is not as it was backed up.")
    .argument("[snapshot]", `${snapshotHelp} (default: the newest of each source)`)
    .action((snapshot: string | undefined, options: PlaceOptions) =>
      ended(actions.backupDrill(snapshot, options)),
    );
  placed(backup.command("scrub"))
    .summary("read every shard and mend what is damaged")
    .option("--rate <size>", "no more than this a second, such as 20MiB", byteRate)
    .action((options: BackupScrubOptions) => ended(actions.backupScrub(options)));
  placed(backup.command("rebalance"))
    .summary("move shards after targets have come, or are to retire")
    .action((options: PlaceOptions) => ended(actions.backupRebalance(options)));
  placed(backup.command("prune"))
    .summary("condemn what the keep rules let go, destroy what was condemned before the grace")
    .description(
      "Runs beside backups; needs every target. A snapshot that was condemned can be restored until " +
        "its grace is over.",
    )
    .option("--forget <snapshots...>", "let these go instead, and none by the keep rules")
    .option("--dry-run", "say what it would do, and do nothing")
    .action((options: BackupPruneOptions) => ended(actions.backupPrune(options)));
  const target = backup.command("target").summary("the places that keep the vault");
  placed(target.command("adopt"))
    .summary("take a new, empty disk in the place of the one that a target had")
    .description(
      "A target that was used before and is empty now is taken for a disk that is not mounted, and " +
        "nothing is written there, until this says that it is new. Then a scrub or a rebalance " +
        "brings its shards.",
    )
    .argument("<name>", "the target, as the file calls it")
    .action((name: string, options: PlaceOptions) =>
      ended(actions.backupTargetAdopt(name, options)),
    );
  const key = backup.command("key").summary("the vault's master key");
  placed(key.command("rotate"))
    .summary("wrap every key with another master key")
    .description("No backup may run meanwhile. Cut off, the same command goes on.")
    .requiredOption("--to <file>", "the new key: 64 hexadecimal digits, mode 0600")
    .action((options: BackupKeyOptions) => ended(actions.backupKeyRotate(options)));
  placed(backup.command("erase"))
    .summary("destroy a subject's key, and with it all that any snapshot holds of the subject")
    .description("Cannot be undone, by anybody. Prints a signed record of what was done.")
    .argument("<service>", "the service of the source")
    .argument("<subject>", "the name of the subject's folder")
    .action((service: string, subject: string, options: PlaceOptions) =>
      ended(actions.backupErase(service, subject, options)),
    );
}

function byteRate(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes < 1) throw new InvalidArgumentError("It is a size: 20MiB.");
  return bytes;
}
