// Changing what runs.

import type { Command } from "commander";
import type { Actions, PlaceOptions, RestartOptions } from "../actions.ts";
import { wholeNumber } from "../amounts.ts";
import { type Ended, placed } from "./placed.ts";

export function addOperating(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("apply"))
    .summary("follow the changed file")
    .description(
      "Checks the file; when it is right, changes what runs to match, one instance after another, each " +
        "drained first, so that no request is lost. When it is wrong nothing changes. SIGHUP does the same.",
    )
    .action((options: PlaceOptions) => ended(actions.apply(options)));
  placed(nines.command("scale"))
    .summary("run more or fewer instances of a service")
    .description("Sets the number of instances, within `replicas`, until the next apply.")
    .argument("<service>", "a service with a command")
    .argument("<replicas>", "how many", replicaCount)
    .action((service: string, replicas: number, options: PlaceOptions) =>
      ended(actions.scale(service, replicas, options)),
    );
  placed(nines.command("restart"))
    .summary("end and start a service or an instance, one instance at a time")
    .description(
      "Each instance is drained, ended and ready again before the next; no request is lost. It waits " +
        "while another instance of the service is not well.",
    )
    .argument("<target>", "a service or an instance")
    .option("--force", "do not wait for the others, and for each other")
    .action((target: string, options: RestartOptions) => ended(actions.restart(target, options)));
  placed(nines.command("drain"))
    .summary("send an instance no new traffic")
    .description("What is under way ends in its own time. Kept until `nines undrain`.")
    .argument("<instance>", "such as web-2; `nines status` lists them")
    .action((instance: string, options: PlaceOptions) => ended(actions.drain(instance, options)));
  placed(nines.command("undrain"))
    .summary("send a drained instance traffic again")
    .argument("<instance>", "such as web-2; `nines status` lists them")
    .action((instance: string, options: PlaceOptions) => ended(actions.undrain(instance, options)));
  const control = nines.command("control").summary("Nines' own control process");
  placed(control.command("restart"))
    .summary("restart control only; what it started goes on and is adopted")
    .action((options: PlaceOptions) => ended(actions.controlRestart(options)));
  const gateway = nines.command("gateway").summary("Nines' own gateway processes");
  placed(gateway.command("restart"))
    .summary("replace the gateway's workers, each by one that serves before the old one drains")
    .action((options: PlaceOptions) => ended(actions.gatewayRestart(options)));
}

function replicaCount(text: string): number {
  return wholeNumber(text, 1_000);
}
