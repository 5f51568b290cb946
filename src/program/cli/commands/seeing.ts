// Looking at what runs and at what happened.

import { type Command, Option } from "commander";
import type {
  Actions,
  EventsOptions,
  IncidentsOptions,
  LogsOptions,
  PlaceOptions,
  StatsOptions,
  StatusOptions,
} from "../actions.ts";
import { wholeNumber } from "../amounts.ts";
import { type Ended, placed } from "./placed.ts";

export function addSeeing(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("status"))
    .summary("what runs, in what state, and why")
    .description(
      "One line a service and an instance: its state, since when, requests a second, latencies, errors, " +
        "restarts, and the reason for its state. Works from the state directory when control is gone.",
    )
    .option("-w, --watch", "go on, refreshed each second, until Ctrl-C")
    .option("--json", "stable fields for programs: docs/reference/status.md")
    .action((options: StatusOptions) => ended(actions.status(options)));
  placed(nines.command("logs"), "--file <file>")
    .summary("what the instances wrote")
    .description("Prints the last lines of the instances' output, oldest first.")
    .argument("[names...]", "services or instances (default: all); `gateway` is Nines' own gateway")
    .option("-f, --follow", "go on with each new line, until Ctrl-C")
    .option("-n, --lines <count>", "last lines of each instance", lineCount, 20)
    .addHelpText("after", "\nExamples:\n  $ nines logs web -f\n  $ nines logs web-2 -n 100")
    .action((names: string[], options: LogsOptions) => ended(actions.logs(names, options)));
  placed(nines.command("events"), "--file <file>")
    .summary("what happened, one sentence each with its cause")
    .description("Prints the latest state changes: starts, ends, ejections, replacements, and why.")
    .option("-f, --follow", "go on with each new event, until Ctrl-C")
    .option("-n, --lines <count>", "latest events", lineCount, 20)
    .option("--json", "one JSON object a line")
    .action((options: EventsOptions) => ended(actions.events(options)));
  placed(nines.command("metrics"))
    .summary("counters and histograms, as Prometheus reads them")
    .description("Prints what GET /metrics on the admin socket answers.")
    .action((options: PlaceOptions) => ended(actions.metrics(options)));
  placed(nines.command("stats"))
    .summary("every instance and service with what it did, in HAProxy's columns")
    .description(
      "Prints CSV as HAProxy's `show stat` does: one row for the gateway, each instance and each service; " +
        "what Nines has no value for is empty. GET /stats on the admin API is the same as a page.",
    )
    .option("--json", "the same as JSON, by column")
    .addOption(new Option("--html", "the page").conflicts("json"))
    .addHelpText("after", "\nExample:\n  $ nines stats --html > stats.html")
    .action((options: StatsOptions) => ended(actions.stats(options)));
}

export function addIncidents(nines: Command, actions: Actions, ended: Ended): void {
  const incidents = nines
    .command("incidents")
    .summary("what was wrong, how long each step took, and what clients lost");
  placed(incidents.command("list", { isDefault: true }))
    .summary("the latest incidents, a line each; `list` may be left out")
    .description(
      "From the first failed request or missed check to full strength: detect, transfer, recover, what " +
        "was lost, and why. Works from the state directory when control is gone.",
    )
    .argument("[service]", "only those of this service")
    .option("-n, --last <count>", "latest incidents", incidentCount, 20)
    .option("--json", "stable fields for programs: docs/reference/incidents.md")
    .addHelpText("after", "\nExamples:\n  $ nines incidents\n  $ nines incidents web --json -n 5")
    .action((service: string | undefined, options: IncidentsOptions) =>
      ended(actions.incidents(service, options)),
    );
  placed(incidents.command("show"))
    .summary("the whole account of one, line by line")
    .description(
      "Its times, what clients lost, and each thing that happened with its moment after the first sign.",
    )
    .argument("<id>", "such as 3-1; `nines incidents` lists them")
    .option("--json", "the same as JSON")
    .action((id: string, options: Omit<IncidentsOptions, "last">) =>
      ended(actions.incident(id, options)),
    );
}

function lineCount(text: string): number {
  return wholeNumber(text, 100_000);
}

function incidentCount(text: string): number {
  return wholeNumber(text, 10_000, 1);
}
