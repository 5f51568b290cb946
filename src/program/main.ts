#!/usr/bin/env node
// The one program of Nines, in all the roles that its processes play. Which part is loaded is
// decided here, so that a gateway worker starts without the configuration's schema, and `nines
// status` without the gateway. Each role is a file that names the parts it is made of, in the order
// they start.
//
//   nines COMMAND            cli/            what a person types; `up` becomes control itself
//   … control                roles/          control that a keeper keeps
//   … keeper                                 starts control again within two seconds
//   … gateway-parent                         holds the listening sockets, replaces workers
//   … gateway-worker                         accepts and forwards
//   … backup-duty            backup/         does one duty of the vault, and ends

import { outliveTheTerminal, report } from "./cli/say.ts";

type Role = (words: readonly string[]) => Promise<number>;

const roles: Readonly<Record<string, () => Promise<Role>>> = {
  control: async () => (await import("./roles/kept-control.ts")).runKeptControl,
  keeper: async () => (await import("./roles/keeper.ts")).runKeeper,
  "gateway-parent": async () => (await import("./roles/gateway.ts")).runGatewayParent,
  "gateway-worker": async () => (await import("./roles/gateway.ts")).runGatewayWorker,
  "backup-duty": async () => (await import("./backup/duty.ts")).runBackupDuty,
};

/** The hidden roles are words with an underscore before them: `nines control restart` is a command. */
const HIDDEN = "_";

async function main(words: readonly string[]): Promise<number> {
  const [first = "", ...rest] = words;
  const role = first.startsWith(HIDDEN) ? roles[first.slice(HIDDEN.length)] : undefined;
  if (role !== undefined) return (await role())(rest);
  if (first === "backup") await prepareBackup();
  return (await import("./cli/run.ts")).runCommandLine(words);
}

/** What reads the file is the longest part of these commands' start: it begins first. */
async function prepareBackup(): Promise<void> {
  (await import("../runtime/compiling.ts")).compileLate();
  (await import("../runtime/young-generation.ts")).keepYoungGenerationSmall();
  (await import("./config-apart.ts")).startReader();
}

/** A hung folder of a vault holds up no end either. */
async function end(words: readonly string[], code: number): Promise<never> {
  const [first = ""] = words;
  if (first !== "backup" && first !== `${HIDDEN}backup-duty`) process.exit(code);
  return (await import("./backup/end.ts")).endBackup(code);
}

outliveTheTerminal();
const words = process.argv.slice(2);
main(words).then(
  (code) => end(words, code),
  (error: unknown) => end(words, report(error)),
);
