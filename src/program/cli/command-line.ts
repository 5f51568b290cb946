// Every command and option of `nines`, with the text that teaches them, and nothing of what they
// do.
//
// Pure description, so that `--help`, docs/reference/cli.md and the parser can never disagree: the
// page is generated from this (scripts/docs.ts). What a command does comes in as `actions`, one
// function a command, each returning the exit code.

import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { parsePercent, parseSize } from "../../config/units.ts";
import type { Growth } from "../load/steps.ts";
import {
  type LatencyGoal,
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
} from "./amounts.ts";

export const exitCodes = [
  [0, "Done; for `status`, Nines runs here."],
  [1, "Failed; the message says what happened and what to do."],
  [2, "The command line or the configuration file is wrong; nothing was changed."],
  [3, "Nothing runs here: no control process for this file or state directory."],
] as const;

type ExitCode = (typeof exitCodes)[number][0];

/** Where a command's exit code says something of its own. */
export const exitCodeNotes: Readonly<Record<string, readonly (readonly [ExitCode, string])[]>> = {
  up: [[1, "with --detach: not everything is ready in time; it goes on in the background"]],
  down: [
    [0, "also when nothing ran"],
    [1, "something is left running, and is named"],
  ],
  status: [[3, "control does not run or does not answer; what is left is shown all the same"]],
  deploy: [[1, "the new version failed and all went back, or something else came in between"]],
  plan: [[1, "nothing within the bounds meets the target; what stands in the way is printed"]],
  check: [[2, "the file is wrong; what is wrong is printed"]],
  "backup run": [[1, "objects lack shards, for a target was away or full"]],
  "backup restore": [[1, "something is lost; the rest is restored"]],
  "backup verify": [[1, "something is lost"]],
  "journal verify": [[1, "something is damaged"]],
  "journal dump": [[1, "something is damaged; the rest is printed"]],
};

export interface PlaceOptions {
  readonly file?: string;
  readonly stateDir?: string;
  /** Of another machine's Nines, or another folder's: its `admin.listen`. */
  readonly admin?: URL;
  readonly tokenFile?: string;
}
export interface UpOptions extends PlaceOptions {
  readonly detach?: true;
  readonly nextFreePort?: true;
}
export interface StatusOptions extends PlaceOptions {
  readonly watch?: true;
  readonly json?: true;
}
export interface LogsOptions extends PlaceOptions {
  readonly follow?: true;
  readonly lines: number;
}
export interface EventsOptions extends LogsOptions {
  readonly json?: true;
}
export interface FailoverOptions extends PlaceOptions {
  readonly to?: string;
}
export interface PlanOptions extends PlaceOptions {
  readonly target: number;
  readonly load?: number;
  readonly latency?: LatencyGoal;
  readonly instances?: number;
  readonly machines: number;
  readonly zones: number;
  readonly gateways?: number;
  readonly years: number;
  readonly seed: number;
  readonly json?: true;
}
export interface ModelOptions extends PlaceOptions {
  readonly json?: true;
}
export interface SimulateOptions extends PlaceOptions {
  readonly years: number;
  readonly seed: number;
  readonly replay?: ReplayPoint;
  readonly json?: true;
}
/** A moment of one simulated lifetime. */
export interface ReplayPoint {
  readonly seed: number;
  readonly atMs: number;
}
export interface IncidentsOptions extends PlaceOptions {
  readonly json?: true;
  readonly last: number;
}
export interface LoadOptions extends PlaceOptions {
  readonly from: number;
  readonly to: number;
  readonly step: Growth;
  readonly duration: number;
  readonly path?: string;
  readonly method: string;
  readonly direct?: true;
  readonly latency: LatencyGoal;
  readonly errors: number;
  readonly timeout: number;
  readonly connections: number;
  readonly json?: true;
}
export interface JournalOptions {
  readonly json?: true;
}
export interface JournalDumpOptions extends JournalOptions {
  readonly from?: number;
  readonly through?: number;
}
export interface JournalRepairOptions {
  readonly write?: true;
}
export interface BackupListOptions extends PlaceOptions {
  readonly json?: true;
}
export interface BackupRestoreOptions extends PlaceOptions {
  readonly path?: string;
  readonly resume?: true;
}
export interface BackupScrubOptions extends PlaceOptions {
  /** Bytes a second. */
  readonly rate?: number;
}
export interface BackupPruneOptions extends PlaceOptions {
  readonly forget?: readonly string[];
}
export interface BackupKeyOptions extends PlaceOptions {
  readonly to: string;
}
export interface RestartOptions extends PlaceOptions {
  readonly force?: true;
}
export interface WaitOptions extends PlaceOptions {
  /** Absent: yes. */
  readonly wait?: boolean;
}
export interface DeployOptions extends WaitOptions {
  readonly canary?: readonly number[];
  readonly replace?: true;
}
export interface RollbackOptions extends WaitOptions {
  readonly to?: number;
}
export interface DeploysOptions extends PlaceOptions {
  readonly json?: true;
}
export interface CompletionOptions extends PlaceOptions {
  readonly names?: "service" | "instance" | "any";
}
export interface InitOptions {
  readonly file: string;
}
export interface CheckOptions {
  readonly file?: string;
  readonly json?: true;
}

/** What each command does. Resolves to the exit code; a NinesError is printed and mapped to one. */
export interface Actions {
  up(options: UpOptions): Promise<number>;
  down(options: PlaceOptions): Promise<number>;
  status(options: StatusOptions): Promise<number>;
  logs(names: readonly string[], options: LogsOptions): Promise<number>;
  events(options: EventsOptions): Promise<number>;
  incidents(service: string | undefined, options: IncidentsOptions): Promise<number>;
  incident(id: string, options: Omit<IncidentsOptions, "last">): Promise<number>;
  metrics(options: PlaceOptions): Promise<number>;
  load(service: string, options: LoadOptions): Promise<number>;
  model(service: string | undefined, options: ModelOptions): Promise<number>;
  simulate(service: string | undefined, options: SimulateOptions): Promise<number>;
  plan(service: string | undefined, options: PlanOptions): Promise<number>;
  apply(options: PlaceOptions): Promise<number>;
  scale(service: string, replicas: number, options: PlaceOptions): Promise<number>;
  deploy(service: string, options: DeployOptions): Promise<number>;
  rollback(service: string, options: RollbackOptions): Promise<number>;
  deploys(service: string, options: DeploysOptions): Promise<number>;
  restart(target: string, options: RestartOptions): Promise<number>;
  drain(instance: string, options: PlaceOptions): Promise<number>;
  undrain(instance: string, options: PlaceOptions): Promise<number>;
  failover(service: string, options: FailoverOptions): Promise<number>;
  failback(service: string, options: PlaceOptions): Promise<number>;
  maintenance(on: boolean, service: string | undefined, options: PlaceOptions): Promise<number>;
  explainFailover(service: string | undefined, options: PlaceOptions): Promise<number>;
  controlRestart(options: PlaceOptions): Promise<number>;
  gatewayRestart(options: PlaceOptions): Promise<number>;
  journalVerify(folder: string, options: JournalOptions): Promise<number>;
  journalRepair(folder: string, options: JournalRepairOptions): Promise<number>;
  journalDump(folder: string, options: JournalDumpOptions): Promise<number>;
  backupRun(sources: readonly string[], options: PlaceOptions): Promise<number>;
  backupList(options: BackupListOptions): Promise<number>;
  backupBrowse(snapshot: string, path: string | undefined, options: PlaceOptions): Promise<number>;
  backupDiff(before: string, after: string, options: PlaceOptions): Promise<number>;
  backupRestore(snapshot: string, to: string, options: BackupRestoreOptions): Promise<number>;
  backupVerify(options: PlaceOptions): Promise<number>;
  backupScrub(options: BackupScrubOptions): Promise<number>;
  backupRebalance(options: PlaceOptions): Promise<number>;
  backupPrune(options: BackupPruneOptions): Promise<number>;
  backupKeyRotate(options: BackupKeyOptions): Promise<number>;
  backupErase(service: string, subject: string, options: PlaceOptions): Promise<number>;
  init(options: InitOptions): Promise<number>;
  check(options: CheckOptions): Promise<number>;
  schema(): Promise<number>;
  completion(
    shell: "bash" | "zsh" | "fish" | undefined,
    options: CompletionOptions,
  ): Promise<number>;
  version(): Promise<number>;
}

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
    .configureOutput({ getOutHelpWidth: () => process.stdout.columns ?? HELP_WIDTH })
    .exitOverride();
  addRunning(nines, actions, ended);
  addSeeing(nines, actions, ended);
  addIncidents(nines, actions, ended);
  addLoad(nines, actions, ended);
  addPredicting(nines, actions, ended);
  addSimulate(nines, actions, ended);
  addPlan(nines, actions, ended);
  addOperating(nines, actions, ended);
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
  "incidents list",
  "incidents show",
  "apply",
  "scale",
  "restart",
  "drain",
  "undrain",
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

/** Receives the promise of the exit code of the one command that runs. */
export type Ended = (exitCode: Promise<number>) => void;

function inherit(command: Command): void {
  command
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

const fileHelp = "the configuration file (default: nines.yaml, .yml, .json or .config.js here)";

/** The options that say which Nines is meant. Where -f is `--follow`, --file has no short form. */
function placed(command: Command, fileFlags = "-f, --file <file>"): Command {
  return command
    .option(fileFlags, fileHelp)
    .option("--state-dir <directory>", "where its state lies (default: .nines beside the file)");
}

function addRunning(nines: Command, actions: Actions, ended: Ended): void {
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

function addSeeing(nines: Command, actions: Actions, ended: Ended): void {
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
}

function addIncidents(nines: Command, actions: Actions, ended: Ended): void {
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

function addLoad(nines: Command, actions: Actions, ended: Ended): void {
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

function addPredicting(nines: Command, actions: Actions, ended: Ended): void {
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

function addSimulate(nines: Command, actions: Actions, ended: Ended): void {
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

function addPlan(nines: Command, actions: Actions, ended: Ended): void {
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

const loadMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

function addOperating(nines: Command, actions: Actions, ended: Ended): void {
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

function addFailover(nines: Command, actions: Actions, ended: Ended): void {
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

function addDeploying(nines: Command, actions: Actions, ended: Ended): void {
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

const snapshotHelp =
  "the beginning of its id, a time (the newest before it), or latest; of one source: SOURCE:…";

function addBackup(nines: Command, actions: Actions, ended: Ended): void {
  const backup = nines
    .command("backup")
    .summary("back up, look into backups, restore, and keep the vault whole");
  placed(backup.command("run"))
    .summary("make a snapshot of each source, or of some")
    .description(
      "Reads what has changed, and puts what the vault does not have yet. Cut off at any point, the " +
        "next run goes on. Exits with 1 when objects lack shards because a target was away.",
    )
    .argument("[sources...]", "sources of the file (default: all)")
    .action((sources: string[], options: PlaceOptions) =>
      ended(actions.backupRun(sources, options)),
    );
  placed(backup.command("list"))
    .summary("the snapshots, oldest first")
    .option("--json", "as JSON")
    .action((options: BackupListOptions) => ended(actions.backupList(options)));
  placed(backup.command("browse"))
    .summary("what is in a snapshot's folder")
    .argument("<snapshot>", snapshotHelp)
    .argument("[path]", "a folder below the source (default: the source)")
    .action((snapshot: string, path: string | undefined, options: PlaceOptions) =>
      ended(actions.backupBrowse(snapshot, path, options)),
    );
  placed(backup.command("diff"))
    .summary("what was added (+), removed (-) and changed (~) between two snapshots")
    .argument("<before>", snapshotHelp)
    .argument("<after>", "the other one")
    .action((before: string, after: string, options: PlaceOptions) =>
      ended(actions.backupDiff(before, after, options)),
    );
  placed(backup.command("restore"))
    .summary("a snapshot, or a part of it, into a new folder")
    .description(
      "Restores all that can be read, and names what is lost. What is damaged and can be made anew " +
        "is mended in the vault on the way. Exits with 1 when something is lost.",
    )
    .argument("<snapshot>", snapshotHelp)
    .argument("<to>", "a folder that is empty or not there")
    .option("--path <path>", "only this file or folder of it")
    .option("--resume", "go on where a restore was cut off; files that differ are replaced")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nines backup restore latest:shop /tmp/shop\n" +
        "  $ nines backup restore 2026-11-20T12:00Z /tmp/yesterday --path orders",
    )
    .action((snapshot: string, to: string, options: BackupRestoreOptions) =>
      ended(actions.backupRestore(snapshot, to, options)),
    );
  addBackupUpkeep(backup, actions, ended);
}

function addBackupUpkeep(backup: Command, actions: Actions, ended: Ended): void {
  placed(backup.command("verify"))
    .summary("read every shard, mend what is damaged, and look for every chunk of every snapshot")
    .action((options: PlaceOptions) => ended(actions.backupVerify(options)));
  placed(backup.command("scrub"))
    .summary("read every shard and mend what is damaged")
    .option("--rate <size>", "no more than this a second, such as 20MiB", byteRate)
    .action((options: BackupScrubOptions) => ended(actions.backupScrub(options)));
  placed(backup.command("rebalance"))
    .summary("move shards after targets have come, or are to retire")
    .action((options: PlaceOptions) => ended(actions.backupRebalance(options)));
  placed(backup.command("prune"))
    .summary("condemn what the keep rules let go, destroy what was condemned before the grace")
    .description(
      "Runs beside backups; needs every target. A snapshot that was condemned can be restored until " +
        "its grace is over.",
    )
    .option("--forget <snapshots...>", "let these go whatever the rules say")
    .action((options: BackupPruneOptions) => ended(actions.backupPrune(options)));
  const key = backup.command("key").summary("the vault's master key");
  placed(key.command("rotate"))
    .summary("wrap every key with another master key")
    .description("No backup may run meanwhile. Cut off, the same command goes on.")
    .requiredOption("--to <file>", "the new key: 64 hexadecimal digits, mode 0600")
    .action((options: BackupKeyOptions) => ended(actions.backupKeyRotate(options)));
  placed(backup.command("erase"))
    .summary("destroy a subject's key, and with it all that any snapshot holds of the subject")
    .description("Cannot be undone, by anybody. Prints a signed record of what was done.")
    .argument("<service>", "the service of the source")
    .argument("<subject>", "the name of the subject's folder")
    .action((service: string, subject: string, options: PlaceOptions) =>
      ended(actions.backupErase(service, subject, options)),
    );
}

function byteRate(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes < 1) throw new InvalidArgumentError("It is a size: 20MiB.");
  return bytes;
}

function addJournal(nines: Command, actions: Actions, ended: Ended): void {
  const journal = nines.command("journal").summary("look into a journal (nines/journal), mend it");
  journal
    .command("verify")
    .summary("read everything, and say what is damaged and where")
    .description(
      "Checks every byte of the log and of the snapshots. Changes nothing; may run while the journal " +
        "is in use. Exits with 1 when something is damaged.",
    )
    .argument("<folder>", "the journal's folder")
    .option("--json", "the report as JSON")
    .action((folder: string, options: JournalOptions) =>
      ended(actions.journalVerify(folder, options)),
    );
  journal
    .command("repair")
    .summary("make a damaged journal one that opens, with what is sound")
    .description(
      "Says what it would do and which records would be lost; with --write it does that. Restoring " +
        "the damaged file from a copy loses less: try that first. Damaged files are kept under " +
        "another name.",
    )
    .argument("<folder>", "the journal's folder")
    .option("--write", "do it, and not only say it")
    .action((folder: string, options: JournalRepairOptions) =>
      ended(actions.journalRepair(folder, options)),
    );
  journal
    .command("dump")
    .summary("print the records, and the damage between them")
    .description("One line a record: its number, when it was written, and its bytes.")
    .argument("<folder>", "the journal's folder")
    .option("--from <sequence>", "the first record", sequenceNumber)
    .option("--through <sequence>", "the last record", sequenceNumber)
    .option("--json", "one JSON object a line; the bytes in base64")
    .action((folder: string, options: JournalDumpOptions) =>
      ended(actions.journalDump(folder, options)),
    );
}

function addWriting(nines: Command, actions: Actions, ended: Ended): void {
  nines
    .command("init")
    .summary("write a commented nines.yaml to start from")
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

function lineCount(text: string): number {
  return wholeNumber(text, 100_000);
}

function incidentCount(text: string): number {
  return wholeNumber(text, 10_000, 1);
}

function sequenceNumber(text: string): number {
  return wholeNumber(text, Number.MAX_SAFE_INTEGER);
}

function replicaCount(text: string): number {
  return wholeNumber(text, 1_000);
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

function wholeNumber(text: string, most: number, least = 0): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`);
}
