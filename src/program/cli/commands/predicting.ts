// How many nines a service will have, and what it can take.

import { type Command, Option } from "commander";
import type {
  Actions,
  LoadOptions,
  ModelOptions,
  PlanOptions,
  SimulateOptions,
} from "../actions.ts";
import {
  countOfMost,
  replayPoint,
  seedOf,
  yearsOf,
  yearsOrNone,
  durationBetween,
  growth,
  latencyGoal,
  requestLoad,
  requestPath,
  requestRate,
  shareBelowAll,
} from "../amounts.ts";
import { type Ended, placed } from "./placed.ts";

export function addLoad(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("load"))
    .summary("find out how much a running service takes")
    .description(
      "Sends more and more requests a second, as clients do who do not wait for each other, until they " +
        "fail, wait too long, or are not answered as fast as they come. Latency counts from when a " +
        "request was due. Goes to services of the file in force and nowhere else, says before the first " +
        "request what it will send, and ends at Ctrl-C. What it finds out is kept for `nines model`, " +
        "`nines simulate` and `nines plan`.",
    )
    .argument("<service>", "a service that runs")
    .addOption(
      new Option("--from <rate>", "requests a second of the first step")
        .argParser(requestRate)
        .default(10),
    )
    .addOption(
      new Option("--to <rate>", "requests a second of the last step")
        .argParser(requestRate)
        .default(10_000),
    )
    .addOption(
      new Option("--step <step>", "from one step to the next: `100` adds, `x1.5` multiplies")
        .argParser(growth)
        .default({ kind: "multiply", factor: 1.4 }, "x1.4"),
    )
    .addOption(
      new Option("--duration <time>", "of one step, a fifth of it (2s at most) to warm up")
        .argParser(durationBetween(500, 600_000))
        .default(10_000, "10s"),
    )
    .option(
      "--path <path>",
      "what is asked for (default: that of the service's route)",
      requestPath,
    )
    .addOption(new Option("--method <method>", "how").default("GET").choices(loadMethods))
    .option("--direct", "to the instances, past the gateway")
    .addOption(
      new Option("--latency <goal>", "the most that a step may take, such as `250ms at 99%`")
        .argParser(latencyGoal)
        .default({ limitMs: 1000, ratio: 0.99 }, "1s at 99%"),
    )
    .addOption(
      new Option("--errors <share>", "the most of a step that may fail: answers 4xx, 5xx or none")
        .argParser(shareBelowAll)
        .default(0.01, "1%"),
    )
    .addOption(
      new Option("--timeout <time>", "a request without an answer after this has failed")
        .argParser(durationBetween(10, 60_000))
        .default(10_000, "10s"),
    )
    .addOption(
      new Option("--connections <count>", "the most that are open at once")
        .argParser(countOfMost(10_000))
        .default(256),
    )
    .option("--json", "stable fields for programs: docs/reference/load.md")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nines load web\n  $ nines load web --from 100 --to 2000 --step 100 --latency 250ms",
    )
    .action((service: string, options: LoadOptions) => ended(actions.load(service, options)));
}

const loadMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

export function addPredicting(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("model"))
    .summary("how available each service will be, and what would make it better")
    .description(
      "Builds an availability model of the file: instances, machines, zones, modes, checks and restarts, with " +
        "failure rates as the file says, as measured from kept incidents, or as assumed. Says what takes " +
        "availability away, what each change would buy, how certain that is, and where each rate comes " +
        "from. Nothing needs to run.",
    )
    .argument("[service]", "one service (default: all)")
    .option("--json", "stable fields for programs: docs/reference/predict.md")
    .addHelpText("after", "\nExamples:\n  $ nines model\n  $ nines model web --json")
    .action((service: string | undefined, options: ModelOptions) =>
      ended(actions.model(service, options)),
    );
}

export function addSimulate(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("simulate"))
    .summary("how available each service was in a thousand simulated years, and its worst outages")
    .description(
      "Lives through years of the file with the control that runs it, on simulated machines, with the " +
        "failure rates of `nines model`. Says how available each service was and how certain that is, how " +
        "fast failures were found and mended, what was to blame, the worst outages, and the model's figure " +
        "beside it. The same seed gives the same years. Nothing needs to run.",
    )
    .argument("[service]", "one service (default: all)")
    .addOption(new Option("--years <years>", "how many").argParser(yearsOf).default(1000))
    .addOption(new Option("--seed <number>", "of all chance in it").argParser(seedOf).default(1))
    .addOption(
      new Option("--replay <seed@hours>", "shows one moment, as a worst outage names it").argParser(
        replayPoint,
      ),
    )
    .option("--json", "stable fields for programs: docs/reference/simulate.md")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nines simulate\n  $ nines simulate web --years 10000 --seed 7\n" +
        "  $ nines simulate --replay 538571045@2660.51",
    )
    .action((service: string | undefined, options: SimulateOptions) =>
      ended(actions.simulate(service, options)),
    );
}

export function addPlan(nines: Command, actions: Actions, ended: Ended): void {
  placed(nines.command("plan"))
    .summary("the cheapest way to run a service that is available and quick enough")
    .description(
      "Looks at every number of instances, machines, zones and checks within bounds, in the order of " +
        "their cost (`costs` in the file), and takes the first that meets the target by the availability " +
        "model. Says why nothing cheaper does, what more would buy, and what to write into the file; " +
        "where nothing meets the target, what stands in the way. Nothing needs to run.",
    )
    .argument("[service]", "which service (default: the only one)")
    .addOption(
      new Option("--target <share>", "the availability that is wanted, such as 99.99%")
        .argParser(shareBelowAll)
        .makeOptionMandatory(),
    )
    .option("--load <rate>", "requests a second (default: `load` in the file)", requestLoad)
    .option("--latency <goal>", "the latency that is wanted, such as `250ms at 99%`", latencyGoal)
    .option(
      "--instances <count>",
      "the most (default: twice the needed, at least eight more)",
      countOfMost(200),
    )
    .addOption(new Option("--machines <count>", "the most").argParser(countOfMost(20)).default(6))
    .addOption(new Option("--zones <count>", "the most").argParser(countOfMost(10)).default(3))
    .option(
      "--gateways <count>",
      "the most machines with a gateway (default: as many as there are)",
      countOfMost(20),
    )
    .addOption(
      new Option("--years <years>", "simulate the plan for so long; 0: not at all")
        .argParser(yearsOrNone)
        .default(100),
    )
    .addOption(new Option("--seed <number>", "of the simulation").argParser(seedOf).default(1))
    .option("--json", "stable fields for programs: docs/reference/plan.md")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nines plan --target 99.95% --load 500\n" +
        "  $ nines plan web --target 99.99% --load 2000 --latency '250ms at 99%' --gateways 2",
    )
    .action((service: string | undefined, options: PlanOptions) =>
      ended(actions.plan(service, options)),
    );
}
