// Every command and option of `nines`, with the text that teaches them, and nothing of what they
// do; one file a group of commands in commands/.
//
// Pure description, so that `--help`, docs/reference/cli.md and the parser can never disagree: the
// page is generated from this (scripts/docs.ts). What a command does comes in as `actions`, one
// function a command, each returning the exit code.
import { Command, InvalidArgumentError } from "commander";
import type { Actions, PlaceOptions } from "./actions.ts";
import { addBackup } from "./commands/backup.ts";
import { addDeploying } from "./commands/deploying.ts";
import { addFailover } from "./commands/failover.ts";
import { addJournal } from "./commands/journal.ts";
import { addOperating } from "./commands/operating.ts";
import type { Ended } from "./commands/placed.ts";
import { addLoad, addPlan, addPredicting, addSimulate } from "./commands/predicting.ts";
import { addRunning } from "./commands/running.ts";
import { addIncidents, addSeeing } from "./commands/seeing.ts";
import { addSteering } from "./commands/steering.ts";
import { addWriting } from "./commands/writing.ts";
import { exitCodes } from "./exit-codes.ts";

/** Where nobody says how wide the terminal is. */
const HELP_WIDTH = 100;

const description = `Keeps ordinary services up through failures.

Write a nines.yaml (\`nines init\` writes one to start from), then run \`nines up\`. \
Nines starts the services, checks them, sends traffic to those that are ready, restarts what ends, \
and goes on doing so when any process, its own included, is killed.`;

const closing = `
Examples:
  $ nines init && nines up            write a first file, run it
  $ nines up --detach                 run in the background; \`nines down\` ends it
  $ nines status --watch              what runs, in what state, and why
  $ nines scale web 5                 five instances of web, if its \`replicas\` allows that
  $ nines apply                       follow the changed file without losing a request

Exit codes:
${exitCodes.map(([code, meaning]) => `  ${code}  ${meaning}`).join("\n")}

Every error names its code (NINES_...) and the remedy; docs/reference/errors.md lists them all.`;

export function buildCommandLine(actions: Actions, version: string, ended: Ended): Command {
  const nines = new Command("nines")
    .description(description)
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help, or a command's")
    .helpCommand("help [command]", "print a command's help")
    .addHelpText("after", closing)
    .showHelpAfterError("Run `nines --help` for the commands and what they do.")
    .configureOutput({
      getOutHelpWidth: () => process.stdout.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => process.stderr.columns ?? HELP_WIDTH,
    })
    .exitOverride();
  addRunning(nines, actions, ended);
  addSeeing(nines, actions, ended);
  addIncidents(nines, actions, ended);
  addLoad(nines, actions, ended);
  addPredicting(nines, actions, ended);
  addSimulate(nines, actions, ended);
  addPlan(nines, actions, ended);
  addOperating(nines, actions, ended);
  addSteering(nines, actions, ended);
  addFailover(nines, actions, ended);
  addDeploying(nines, actions, ended);
  addBackup(nines, actions, ended);
  addJournal(nines, actions, ended);
  addWriting(nines, actions, ended);
  for (const command of nines.commands) inherit(command);
  addNetwork(nines);
  return nines;
}

/** The commands that the admin API answers; the others work on what lies here. */
export const overNetwork: readonly string[] = [
  "down",
  "status",
  "events",
  "metrics",
  "stats",
  "incidents list",
  "incidents show",
  "apply",
  "scale",
  "restart",
  "drain",
  "undrain",
  "weight",
  "force",
  "close",
  "add",
  "remove",
  "control restart",
  "gateway restart",
  "failover",
  "failback",
  "maintenance on",
  "maintenance off",
  "explain failover",
  "deploy",
  "rollback",
  "deploys",
];

function addNetwork(nines: Command): void {
  nines
    .option(
      "--admin <url>",
      "ask the Nines whose `admin.listen` this is, over the network",
      adminUrl,
    )
    .option("--token-file <file>", "the file with its token (default: $NINES_ADMIN_TOKEN)")
    .hook("preAction", (_nines, command) => {
      const { admin, tokenFile } = nines.opts<PlaceOptions>();
      if (admin === undefined) return;
      const path = pathOf(command);
      if (!overNetwork.includes(path)) {
        command.error(`error: \`nines ${path}\` works on what lies here, and takes no --admin`);
      }
      command.setOptionValue("admin", admin);
      if (tokenFile !== undefined) command.setOptionValue("tokenFile", tokenFile);
    });
}

/** A token in the address would be in the list of processes, and in the shell's history. */
function adminUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && url.pathname === "/" && url.search === "" && url.hash === "";
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  const isBare = url?.username === "" && url.password === "";
  if (url !== undefined && isPlain && isHttp && isBare) return url;
  throw new InvalidArgumentError("It is an address such as http://127.0.0.1:9190, and no more.");
}

/** What it does, in a sentence; then what else there is to know. */
function described(command: Command): string {
  const summary = command.summary();
  if (summary === "") return command.description();
  const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
  return [sentence, command.description()].filter(Boolean).join("\n\n");
}

function inherit(command: Command): void {
  command
    .configureHelp({ commandDescription: described })
    .exitOverride()
    .helpOption("-h, --help", "print this help")
    .showHelpAfterError(afterError(command));
  for (const child of command.commands) inherit(child);
}

function afterError(command: Command): string {
  const help = `Run \`nines ${pathOf(command)} --help\` for its options.`;
  const follows = command.options.some(({ long }) => long === "--follow");
  return follows ? `${help} Here -f is --follow; --file names the configuration file.` : help;
}

/** The commands that do something; a group such as `nines control` is only a name before them. */
export function leavesOf(command: Command): readonly Command[] {
  if (command.commands.length === 0) return [command];
  return command.commands.flatMap((child) => leavesOf(child));
}

export function pathOf(command: Command): string {
  const parent = command.parent;
  return parent?.parent ? `${pathOf(parent)} ${command.name()}` : command.name();
}
