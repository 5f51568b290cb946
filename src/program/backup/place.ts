// The vault that a file describes, ready to work on: its targets, its key, what this machine
// remembers of it.

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import type { BackupConfig, BackupSourceConfig } from "../../config/config.ts";
import { defaultChunkSizes } from "../../core/vault/chunker.ts";
import { withDeadline } from "../../control/backup/deadline.ts";
import { createFolderTarget } from "../../control/backup/folder-target.ts";
import { type MasterKey, masterOfPassphrase } from "../../control/backup/master-key.ts";
import type { VaultSettings, VaultWorld } from "../../control/backup/world.ts";
import { NinesError } from "../../core/base/errors.ts";
import { bytesOfHex } from "../../core/vault/wire.ts";
import type { EventEntry } from "../../ports/events.ts";
import { createClock } from "../../runtime/clock.ts";
import { createDisk } from "../../runtime/disk.ts";
import { createVaultCrypto } from "../../runtime/vault-crypto.ts";
import { openStateDirectory, type StateDirectory } from "../../state/directory.ts";
import { readVaultMark, writeVaultMark } from "../../state/vault-mark.ts";

const targetTimeoutMs = 120_000;

export interface VaultPlace {
  readonly state: StateDirectory;
  readonly config: BackupConfig;
  readonly world: VaultWorld;
  readonly settings: VaultSettings;
  readonly key: MasterKey;
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
  const disk = createDisk();
  const targets = config.targets.map(({ name, domain, path }) => {
    const freeBytes = async () => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    };
    return withDeadline(
      createFolderTarget(disk, { name, domain, path, freeBytes }),
      clock,
      targetTimeoutMs,
    );
  });
  const world: VaultWorld = {
    crypto: createVaultCrypto(),
    clock,
    events: { record },
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
    close: async () => void (await Promise.allSettled(targets.map((target) => target.close()))),
  };
}

function settingsOf(config: BackupConfig): VaultSettings {
  const { geometry, shareDomains, targets, packBytes, graceMs } = config;
  const retiring = targets.filter(({ retire }) => retire).map(({ name }) => name);
  return { geometry, shareDomains, retiring, chunks: defaultChunkSizes, packBytes, graceMs };
}

/** Which subject's folder a path of the source is, if any. */
export function subjectOf({ subjects }: BackupSourceConfig) {
  return (path: readonly string[]): string | undefined => {
    const isOne =
      subjects !== undefined &&
      path.length === subjects.length &&
      subjects.every((part, at) => part === "*" || part === path[at]);
    return isOne ? path.at(-1) : undefined;
  };
}

async function readKey(config: BackupConfig, world: VaultWorld): Promise<MasterKey> {
  if (config.keyFile !== undefined) return { master: readKeyFile(config.keyFile) };
  const file = config.passphraseFile ?? "";
  const passphrase = readPrivate(file).trimEnd();
  if (passphrase.length < 12) throw unusable(file, "holds a passphrase of under 12 characters");
  return masterOfPassphrase(world, new TextEncoder().encode(passphrase));
}

/** Throws NINES_VAULT_KEY_FILE. */
export function readKeyFile(file: string): Uint8Array {
  const text = readPrivate(file).trim();
  if (!/^[0-9a-f]{64}$/.test(text)) throw unusable(file, "does not hold 64 hexadecimal digits");
  return bytesOfHex(text);
}

/** The text of a file that nobody else can read or change. */
function readPrivate(file: string): string {
  let descriptor: number | undefined;
  try {
    // Opening a pipe would wait for its writer.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const { mode, size } = fstatSync(descriptor);
    if ((mode & 0o077) !== 0) throw unusable(file, `has mode ${(mode & 0o777).toString(8)}`);
    if (size > 4_096) throw unusable(file, "is over 4 KiB");
    return readFileSync(descriptor, "utf8");
  } catch (cause) {
    if (cause instanceof NinesError) throw cause;
    throw unusable(file, cause instanceof Error ? cause.message : String(cause));
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function unusable(file: string, why: string): NinesError {
  return new NinesError("NINES_VAULT_KEY_FILE", `The key's file ${file} cannot be used: ${why}.`);
}
