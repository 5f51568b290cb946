// The vault that a file describes, ready to work on: its targets, its key, what this machine
// remembers of it.

import { hostname } from "node:os";
import type { BackupConfig, BackupSourceConfig } from "../../config/config.ts";
import { defaultChunkSizes } from "../../core/vault/chunker.ts";
import { type ByteName, readName } from "../../core/vault/entry.ts";
import { type MasterKey, masterOfPassphrase } from "../../control/backup/master-key.ts";
import type { VaultSettings, VaultWorld } from "../../control/backup/world.ts";
import type { EventEntry } from "../../ports/events.ts";
import { createBulkThreads } from "../../runtime/bulk-threads.ts";
import { createClock } from "../../runtime/clock.ts";
import { createVaultCrypto } from "../../runtime/vault-crypto.ts";
import { openStateDirectory, type StateDirectory } from "../../state/directory.ts";
import { readVaultMark, writeVaultMark } from "../../state/vault-mark.ts";
import { readKeyFile, readPassphrase, runKeyCommand } from "./secrets.ts";
import { createTargets } from "./targets.ts";

export interface VaultPlace {
  readonly state: StateDirectory;
  readonly config: BackupConfig;
  readonly world: VaultWorld;
  readonly settings: VaultSettings;
  readonly key: MasterKey;
  /** Gets ready for much work, while there is little to do. */
  startThreads(): void;
  close(): Promise<void>;
}

export async function openVaultPlace(
  config: BackupConfig,
  stateDirectory: string,
  record: (entry: EventEntry) => void,
): Promise<VaultPlace> {
  const state = openStateDirectory(stateDirectory);
  // A command waits for its own timers, such as the pace of a scrub.
  const clock = createClock({ keepAlive: true });
  const targets = await createTargets(config.targets, clock);
  const workers = createBulkThreads();
  const world: VaultWorld = {
    crypto: createVaultCrypto(workers.bulk),
    clock,
    events: { record: onceOfTargets(record) },
    mark: {
      read: () => readVaultMark(state.path),
      write: (mark) => writeVaultMark(state.path, mark),
    },
    holder: `${hostname()}, pid ${process.pid}`,
    host: hostname(),
    targets,
  };
  const key = await readKey(config, world);
  return {
    state,
    config,
    world,
    settings: settingsOf(config),
    key,
    startThreads: () => workers.start(),
    close: async () => {
      await Promise.allSettled([...targets, workers].map((each) => each.close()));
    },
  };
}

/** A vault is opened several times for one errand; what ails a target is said once. */
function onceOfTargets(record: (entry: EventEntry) => void): (entry: EventEntry) => void {
  const said = new Set<string>();
  return (entry) => {
    if (said.has(entry.sentence)) return;
    if (entry.kind.startsWith("target.")) said.add(entry.sentence);
    record(entry);
  };
}

function settingsOf(config: BackupConfig): VaultSettings {
  const { geometry, shareDomains, targets, packBytes, graceMs } = config;
  const retiring = targets.filter(({ retire }) => retire).map(({ name }) => name);
  return { geometry, shareDomains, retiring, chunks: defaultChunkSizes, packBytes, graceMs };
}

/** Which subject's folder a path of the source is, if any. */
export function subjectOf({ from }: BackupSourceConfig) {
  const any = undefined;
  // A folder that is called `*` is written `\x2a`.
  const nameOf = (part: string) => (part === "*" ? any : readName(part));
  const subjects = from.kind === "files" ? from.subjects?.map(nameOf) : undefined;
  return (path: readonly ByteName[]): ByteName | undefined => {
    const isOne =
      subjects !== undefined &&
      path.length === subjects.length &&
      subjects.every((part, at) => part === any || part === path[at]);
    return isOne ? path.at(-1) : undefined;
  };
}

async function readKey({ key }: BackupConfig, world: VaultWorld): Promise<MasterKey> {
  switch (key.kind) {
    case "file":
      return { master: readKeyFile(key.file) };
    case "passphrase":
      return masterOfPassphrase(world, readPassphrase(key.file));
    case "command":
      return { master: await runKeyCommand(key.command, key.workingDirectory) };
  }
}
