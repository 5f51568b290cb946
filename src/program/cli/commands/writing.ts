// What helps to write a file and a command line.

import { type Command, Argument, Option } from "commander";
import type { Actions, CheckOptions, CompletionOptions, InitOptions } from "../actions.ts";
import { type Ended, fileHelp, placed } from "./placed.ts";

export function addWriting(nines: Command, actions: Actions, ended: Ended): void {
  nines
    .command("init")
    .summary("write a commented nines.yaml to start from")
    .description(
      "The file runs what `npm start` would, or the server, app or index (.js, .mjs, .cjs) beside it, " +
        "else an example that answers on http://127.0.0.1:8080 as soon as `nines up` runs it. " +
        "A file that is already there stays as it is.",
    )
    .option("-f, --file <file>", "where to", "nines.yaml")
    .action((options: InitOptions) => ended(actions.init(options)));
  nines
    .command("check")
    .summary("say whether a configuration file is right, and where it is not")
    .option("-f, --file <file>", fileHelp)
    .option("--json", "problems as JSON")
    .action((options: CheckOptions) => ended(actions.check(options)));
  nines
    .command("schema")
    .summary("print the file's JSON Schema, for editors")
    .addHelpText(
      "after",
      "\nExample:\n  $ nines schema > nines.schema.json\n" +
        "  then begin nines.yaml with: # yaml-language-server: $schema=nines.schema.json",
    )
    .action(() => ended(actions.schema()));
  placed(nines.command("completion"))
    .summary("print a script that completes commands, options and names in a shell")
    .addArgument(new Argument("[shell]", "which shell").choices(["bash", "zsh", "fish"]))
    .addOption(
      new Option(
        "--names <kind>",
        "print names from the state directory, as the script asks",
      ).choices(["service", "instance", "any"]),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ source <(nines completion bash)      in ~/.bashrc; zsh alike, in ~/.zshrc\n" +
        "  $ nines completion fish > ~/.config/fish/completions/nines.fish",
    )
    .action((shell: "bash" | "zsh" | "fish" | undefined, options: CompletionOptions) =>
      ended(actions.completion(shell, options)),
    );
  nines
    .command("version")
    .summary("print the version")
    .action(() => ended(actions.version()));
}
