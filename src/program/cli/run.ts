// Runs one command line: reads it, calls the command, turns what comes of it into an exit code.
// Each command's own file is loaded when it is the one that runs.

import { type Command, CommanderError } from "commander";
import { readVersion } from "../version.ts";
import type { Actions } from "./actions.ts";
import { buildCommandLine } from "./command-line.ts";
import { exitCode, report, say } from "./say.ts";

const operations = async () => (await import("./operate.ts")).operations;
const steering = async () => (await import("./steer.ts")).steeringCommands;
const failovers = async () => (await import("./failover.ts")).failoverCommands;
const deploying = async () => (await import("./deploy.ts")).deploying;
const journals = async () => (await import("./journal.ts")).journalCommands;
const backups = async () => (await import("./backup.ts")).backupCommands;
const files = async () => (await import("./files.ts")).fileCommands;

const actions: Actions = {
  up: async (options) => (await import("./up.ts")).up(options),
  down: async (options) => (await import("./down.ts")).down(options),
  status: async (options) => (await import("./status.ts")).status(options),
  logs: async (names, options) => (await import("./tail.ts")).logs(names, options),
  incidents: async (...words) => (await import("./incidents.ts")).incidents(...words),
  incident: async (...words) => (await import("./incidents.ts")).incident(...words),
  events: async (options) => (await import("./tail.ts")).events(options),
  metrics: async (options) => (await operations()).metrics(options),
  stats: async (options) => (await operations()).stats(options),
  model: async (...words) => (await import("./model.ts")).model(...words),
  simulate: async (...words) => (await import("./simulate.ts")).simulate(...words),
  plan: async (...words) => (await import("./plan.ts")).plan(...words),
  load: async (...words) => (await import("./load.ts")).load(...words),
  apply: async (options) => (await operations()).apply(options),
  deploy: async (...words) => (await deploying()).deploy(...words),
  rollback: async (...words) => (await deploying()).rollback(...words),
  deploys: async (...words) => (await deploying()).deploys(...words),
  scale: async (...words) => (await operations()).scale(...words),
  restart: async (...words) => (await operations()).restart(...words),
  drain: async (...words) => (await operations()).drain(...words),
  undrain: async (...words) => (await operations()).undrain(...words),
  weight: async (...words) => (await steering()).weight(...words),
  force: async (...words) => (await steering()).force(...words),
  close: async (...words) => (await steering()).close(...words),
  addEndpoint: async (...words) => (await steering()).addEndpoint(...words),
  removeEndpoint: async (...words) => (await steering()).removeEndpoint(...words),
  failover: async (...words) => (await failovers()).failover(...words),
  failback: async (...words) => (await failovers()).failback(...words),
  maintenance: async (...words) => (await failovers()).maintenance(...words),
  explainFailover: async (...words) => (await failovers()).explainFailover(...words),
  controlRestart: async (options) => (await operations()).controlRestart(options),
  gatewayRestart: async (options) => (await operations()).gatewayRestart(options),
  journalVerify: async (...words) => (await journals()).journalVerify(...words),
  journalRepair: async (...words) => (await journals()).journalRepair(...words),
  journalDump: async (...words) => (await journals()).journalDump(...words),
  backupRun: async (...words) => (await backups()).backupRun(...words),
  backupList: async (options) => (await backups()).backupList(options),
  backupStatus: async (options) => (await backups()).backupStatus(options),
  backupDrill: async (...words) => (await backups()).backupDrill(...words),
  backupBrowse: async (...words) => (await backups()).backupBrowse(...words),
  backupDiff: async (...words) => (await backups()).backupDiff(...words),
  backupRestore: async (...words) => (await backups()).backupRestore(...words),
  backupVerify: async (options) => (await backups()).backupVerify(options),
  backupScrub: async (options) => (await backups()).backupScrub(options),
  backupRebalance: async (options) => (await backups()).backupRebalance(options),
  backupPrune: async (options) => (await backups()).backupPrune(options),
  backupTargetAdopt: async (...words) => (await backups()).backupTargetAdopt(...words),
  backupKeyRotate: async (options) => (await backups()).backupKeyRotate(options),
  backupErase: async (...words) => (await backups()).backupErase(...words),
  init: async (options) => (await files()).init(options),
  check: async (options) => (await files()).check(options),
  completion: async (...words) => (await import("./completion.ts")).completion(...words),
  schema: async () => (await files()).schema(),
  version: async () => {
    say(readVersion());
    return exitCode.done;
  },
};

export async function runCommandLine(words: readonly string[]): Promise<number> {
  let ended: Promise<number> = Promise.resolve(exitCode.usage);
  const line = buildCommandLine(actions, readVersion(), (result) => {
    ended = result;
  });
  try {
    line.parse(helpInPlace(line, words), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCode.done : exitCode.usage;
  }
  try {
    return await ended;
  } catch (error) {
    return report(error);
  }
}

/** `help` goes before a command of any depth: `nines help control restart`. */
function helpInPlace(line: Command, words: readonly string[]): string[] {
  if (words.length === 0) return ["--help"];
  if (words[0] !== "help") return [...words];
  const named = words.slice(1);
  const path: string[] = [];
  let command = line;
  for (const name of named) {
    const next = command.commands.find((one) => one.name() === name);
    if (next === undefined) break;
    path.push(name);
    command = next;
  }
  const unknown = named[path.length];
  // A word too many after a command is no order to run it; one that is no command is explained.
  if (unknown === undefined || command.commands.length === 0) return [...path, "--help"];
  return [...path, unknown];
}
