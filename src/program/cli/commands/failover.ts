// Who of a service takes traffic.

import type { Command } from "commander";
import type { Actions, FailoverOptions, PlaceOptions } from "../actions.ts";
import { type Ended, placed } from "./placed.ts";

export function addFailover(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("failover"))
    .summary("make another instance of a service its primary, by plan")
    .description(
      "The primary finishes what it has while new requests wait in the gateway; then the other one " +
        "takes over. No request is lost. It stays so until `nines failback`, or until the new " +
        "primary is lost. For services with `failover: { mode: primary-standby }`.",
    )
    .argument("<service>", "a primary-standby service")
    .option("--to <instance>", "who is to be primary (default: the best of the others)")
    .addHelpText("after", "\nExamples:\n  $ nines failover db\n  $ nines failover db --to db-3")
    .action((service: string, options: FailoverOptions) =>
      ended(actions.failover(service, options)),
    );
  placed(nines.command("failback"))
    .summary("give the preferred instance its place as primary back")
    .description("Moves it as `nines failover` does, to the first of `failover.order`.")
    .argument("<service>", "a primary-standby service")
    .action((service: string, options: PlaceOptions) => ended(actions.failback(service, options)));
  const maintenance = nines
    .command("maintenance")
    .summary("whether instances may take over by themselves");
  for (const [word, on, summary, description] of maintenanceWords) {
    placed(maintenance.command(word))
      .summary(summary)
      .description(description)
      .argument("[service]", "only this primary-standby service (default: all of them)")
      .action((service: string | undefined, options: PlaceOptions) =>
        ended(actions.maintenance(on, service, options)),
      );
  }
  const explain = nines.command("explain").summary("what Nines does when, and why");
  placed(explain.command("failover"))
    .summary("who takes over when a primary is lost: every case with its sentence")
    .description(
      "Without a service: what leads from one state to the next, as docs/reference/failover.md has it. " +
        "With one: who is its primary and why, who would be next, and what would follow.",
    )
    .argument("[service]", "what this service would do now (default: the table of all cases)")
    .action((service: string | undefined, options: PlaceOptions) =>
      ended(actions.explainFailover(service, options)),
    );
}

const maintenanceWords = [
  [
    "on",
    true,
    "from now on, no standby takes over by itself",
    "Primaries stay where they are, whatever happens to them; `nines failover` still moves them. Kept " +
      "across restarts of Nines; `nines status` shows it. Backups of hot-standby services are not held: " +
      "each worker chooses them by itself.",
  ],
  [
    "off",
    false,
    "standbys take over by themselves again",
    "Ends what `nines maintenance on` began: for one service that it was on for, or everywhere.",
  ],
] as const;
