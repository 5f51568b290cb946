// Versions of a service, forth and back.

import { type Command, InvalidArgumentError } from "commander";
import { parsePercent } from "../../../config/units.ts";
import type { Actions, DeployOptions, DeploysOptions, RollbackOptions } from "../actions.ts";
import { wholeNumber } from "../amounts.ts";
import { type Ended, placed } from "./placed.ts";

export function addDeploying(nines: Command, actions: Actions, ended: Ended): void {
  const waits = (command: Command): Command =>
    command
      .option("--wait", "say each step, and return when it is over (the default)")
      .option("--no-wait", "return at once; `nines deploys` says how it goes");
  waits(placed(nines.command("deploy")))
    .summary("bring a new version of one service, and go back if it fails")
    .description(
      "Takes what the service is started with (command, env, workingDirectory, user, limits, port) " +
        "as the file says it, and replaces its instances as its `deploy` says: drained first, each well for a while " +
        "before the next. When a new one ends, does not get ready, fails its checks or answers clearly " +
        "more errors than the old ones, all go back, and the exit code is 1. Nothing else of the file " +
        "is followed: that is `nines apply`.",
    )
    .argument("<service>", "a service with a command")
    .option("--canary <shares>", "shares of the traffic to try it with first: 10%,50%", shares)
    .option("--replace", "take the place of a deploy that is under way")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nines deploy web\n  $ nines deploy web --canary 5%,25% --no-wait",
    )
    .action((service: string, options: DeployOptions) => ended(actions.deploy(service, options)));
  waits(placed(nines.command("rollback")))
    .summary("go back to an earlier version of a service")
    .description(
      "Turns a deploy round that is under way; else goes back to the version that was in force before. " +
        "The file still says what it said: it counts again when it changes, or with `nines deploy`.",
    )
    .argument("<service>", "a service with a command")
    .option("--to <version>", "a version that `nines deploys` lists", versionNumber)
    .action((service: string, options: RollbackOptions) =>
      ended(actions.rollback(service, options)),
    );
  placed(nines.command("deploys"))
    .summary("the versions of a service, what changed in each, and what came of it")
    .description("Lists the last ten versions. What changed is named; values are never shown.")
    .argument("<service>", "a service with a command")
    .option("--json", "stable fields for programs")
    .action((service: string, options: DeploysOptions) => ended(actions.deploys(service, options)));
}

function versionNumber(text: string): number {
  return wholeNumber(text, Number.MAX_SAFE_INTEGER);
}

function shares(text: string): readonly number[] {
  const ratios = text.split(",").map((part) => parsePercent(part.trim()) ?? Number.NaN);
  const grow = ratios.every((ratio, index) => ratio > (ratios[index - 1] ?? 0) && ratio < 1);
  if (!grow) throw new InvalidArgumentError("It is a list of growing shares such as 10%,50%.");
  return ratios;
}
