// Steering single instances while everything runs, without a change of the file.

import { type Command, Argument, Option } from "commander";
import type { Actions, AddOptions, CloseOptions, PlaceOptions, WeightText } from "../actions.ts";
import { LEVELS_MAX } from "../../../core/route/table.ts";
import { WEIGHT_MAX } from "../../../core/steer/weights.ts";
import { weightText, wholeNumber } from "../amounts.ts";
import { type Ended, placed } from "./placed.ts";

const kept = "Kept across restarts of Nines and changes of the file; `nines status` shows it.";
const instance = ["<instance>", "such as web-2; `nines status` lists them"] as const;

export function addSteering(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("weight"))
    .summary("give an instance more or less of the traffic")
    .description(
      "Its weight beside the other instances', in place of the file's and of what its agent says, " +
        `until \`auto\`. ${kept}`,
    )
    .argument(...instance)
    .argument("<weight>", "1 to 256, such as `50%` of the file's, or `auto`", weightText)
    .addHelpText("after", "\nExamples:\n  $ nines weight web-2 50%\n  $ nines weight web-2 auto")
    .action((id: string, weight: WeightText, options: PlaceOptions) =>
      ended(actions.weight(id, weight, options)),
    );
  placed(nines.command("force"))
    .summary("make an instance count as up or down, whatever its checks say")
    .description(
      "`up` gives it traffic while its checks fail, and it is not restarted for them; workers still " +
        "avoid it while connections to it are refused. `down` takes it out as a failure would: a " +
        "standby takes over. `auto` lets its checks decide again. " +
        kept,
    )
    .argument(...instance)
    .addArgument(new Argument("<to>", "what it is to be").choices(["up", "down", "auto"]))
    .action((id: string, to: "up" | "down" | "auto", options: PlaceOptions) =>
      ended(actions.force(id, to, options)),
    );
  placed(nines.command("close"))
    .summary("close the gateway's connections to an instance")
    .description(
      "Idle ones and tunnels (WebSockets, TCP) at once, those with a request under way after it. Done " +
        "once: new connections are made as traffic goes there; `nines drain` before it keeps them away.",
    )
    .argument(...instance)
    .option("--everything", "break off what is under way as well; what is safe is tried elsewhere")
    .action((id: string, options: CloseOptions) => ended(actions.close(id, options)));
  addEndpoints(nines, actions, ended);
}

function addEndpoints(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("add"))
    .summary("add an endpoint to a service of endpoints")
    .description(
      "An instance beside those that the file names, until `nines remove`, or until the file names it " +
        `itself. Of what Nines runs, \`nines scale\` runs more. ${kept}`,
    )
    .argument("<service>", "a service with endpoints")
    .argument("<address>", "such as 10.0.0.7:8080")
    .option("--weight <weight>", "its weight beside the others (default: 1)", endpointWeight)
    .option("--backup", "gets traffic only while no other endpoint can")
    .addOption(
      new Option("--priority <level>", "the level that it belongs to (default: 0)").argParser(
        priorityLevel,
      ),
    )
    .option("--zone <zone>", "where it runs")
    .addHelpText("after", "\nExample:\n  $ nines add cache 10.0.0.9:6379 --weight 2")
    .action((service: string, address: string, options: AddOptions) =>
      ended(actions.addEndpoint(service, address, options)),
    );
  placed(nines.command("remove"))
    .summary("take an endpoint out of its service")
    .description(
      "It gets no new traffic; what is under way there ends first. One that the file names stays out " +
        `until \`nines add\` of its address, or until the file names it no more. ${kept}`,
    )
    .argument("<instance>", "such as cache-10.0.0.9:6379; `nines status` lists them")
    .action((id: string, options: PlaceOptions) => ended(actions.removeEndpoint(id, options)));
}

function endpointWeight(text: string): number {
  return wholeNumber(text, WEIGHT_MAX, 1);
}

function priorityLevel(text: string): number {
  return wholeNumber(text, LEVELS_MAX - 1);
}
