// The options that every command has which means one Nines.

import type { Command } from "commander";

/** Receives the promise of the exit code of the one command that runs. */
export type Ended = (exitCode: Promise<number>) => void;

export const fileHelp =
  "the configuration file (default: nines.yaml, .yml, .json or .config.js here)";

/** The options that say which Nines is meant. Where -f is `--follow`, --file has no short form. */
export function placed(command: Command, fileFlags = "-f, --file <file>"): Command {
  return command
    .option(fileFlags, fileHelp)
    .option("--state-dir <directory>", "where its state lies (default: .nines beside the file)");
}
