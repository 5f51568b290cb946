// Starting everything, and ending it.

import type { Command } from "commander";
import type { Actions, PlaceOptions, UpOptions } from "../actions.ts";
import { type Ended, placed } from "./placed.ts";

export function addRunning(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("up"))
    .summary("start everything in the file, and keep it up")
    .description(
      "Starts the services of the file in the order of dependsOn and keeps them up. Stays in the " +
        "foreground and says what happens; Ctrl-C stops everything in order, a second Ctrl-C at once. " +
        "What an earlier `nines up` left running is adopted, not started again.",
    )
    .option("-d, --detach", "return when everything is ready; a keeper restarts control if it ends")
    .option(
      "--next-free-port",
      "when a port to listen on is taken, use the next free one and say so",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ nines up\n  $ nines up -f shop/nines.yaml --state-dir /var/lib/nines/shop\n" +
        "  $ nines up --detach && nines status",
    )
    .action((options: UpOptions) => ended(actions.up(options)));
  placed(nines.command("down"))
    .summary("stop everything that `up` started")
    .description(
      "Drains the gateway, ends the instances in reverse order of dependsOn, frees the ports; in ten seconds " +
        "at most, then what is left is killed. Works " +
        "also when control is dead or does not answer: it is then taken over first.",
    )
    .action((options: PlaceOptions) => ended(actions.down(options)));
}
