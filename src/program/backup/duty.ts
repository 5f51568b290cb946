// One duty of the vault, in a process of its own: opens the vault that the configuration in force
// describes, does what it was started for, leaves a report, and ends.
//
// It works at a low priority, for it competes with the services that it keeps safe. Two never work
// at once, whoever started them: each holds an office of the state directory. SIGTERM is taken at
// the next file or object, so that leases are given back; a kill costs nothing that was done.

import { setPriority } from "node:os";
import { parseArgs } from "node:util";
import type { BackupConfig } from "../../config/config.ts";
import { messageOf } from "../../control/backup/catalog.ts";
import { lookAtSources, redundancyOf } from "../../control/backup/look.ts";
import { openVault, prune, scrub, type Vault } from "../../control/backup/operations.ts";
import { NinesError } from "../../core/base/errors.ts";
import { type DutyKind, dutyKinds } from "../../core/vault/duties.ts";
import type { DutyReport } from "../../ports/duty-programs.ts";
import type { EventEntry } from "../../ports/events.ts";
import { findStateDirectory, type StateDirectory } from "../../state/directory.ts";
import { saidMax, writeDutyReport } from "../../state/duty-reports.ts";
import { createRecords } from "../../state/records.ts";
import { report, say } from "../cli/say.ts";
import { keptConfig } from "../roles/last-config.ts";
import { officesOf } from "../roles/offices.ts";
import { openVaultPlace, type VaultPlace } from "./place.ts";
import { backUp, drillIn } from "./work.ts";

const lowPriority = 10;
/** A scrub looks anew what there is after so long. */
const sliceMs = 3_600_000;

export interface Duty {
  readonly place: VaultPlace;
  readonly cursor: string | undefined;
  readonly drillFolder: string;
  /** Whether to end soon. */
  readonly isAsked: () => boolean;
}

type Outcome = Omit<DutyReport, "said">;

const duties: Readonly<Record<DutyKind, (duty: Duty) => Promise<Outcome>>> = {
  run: runAll,
  look: lookNow,
  drill: drillAll,
  prune: pruneNow,
  scrub: scrubOn,
};

export async function runBackupDuty([path = "", ...words]: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: { id: { type: "string" }, kind: { type: "string" }, cursor: { type: "string" } },
  });
  const kind = dutyKinds.find((one) => one === values.kind);
  if (kind === undefined || values.id === undefined) return 1;
  const state = findStateDirectory(path);
  let isAsked = false;
  process.on("SIGTERM", () => {
    isAsked = true;
  });
  setPriority(lowPriority);
  const said: EventEntry[] = [];
  const record = (entry: EventEntry) => {
    say(entry.sentence);
    if (said.length < saidMax) said.push(entry);
  };
  const order = { kind, cursor: values.cursor, isAsked: () => isAsked };
  const outcome = await attempt(state, order, record);
  say(outcome.sentence);
  writeDutyReport(state.backup, values.id, { ...outcome, said });
  return 0;
}

interface Order extends Pick<Duty, "cursor" | "isAsked"> {
  readonly kind: DutyKind;
}

async function attempt(
  state: StateDirectory,
  order: Order,
  record: (entry: EventEntry) => void,
): Promise<Outcome> {
  try {
    if (officesOf(state).backup.claim() === undefined) {
      throw new NinesError("NINES_VAULT_BUSY", "Another duty of this state directory is at work.");
    }
    const config = configOf(state);
    const place = await openVaultPlace(config, state.path, record);
    try {
      const drillFolder = config.drillFolder ?? state.backup;
      return await duties[order.kind]({ ...order, place, drillFolder });
    } finally {
      await place.close();
    }
  } catch (error) {
    const sentence = `${messageOf(error)}.`;
    if (isStop(error)) return { outcome: "unfinished", sentence };
    // Whatever it is, somebody hears of it; the log has the stack of what is a bug.
    report(error);
    return { outcome: "failed", sentence };
  }
}

function configOf(state: StateDirectory): BackupConfig {
  const backup = keptConfig(createRecords(state.records))?.backup;
  if (backup !== undefined) return backup;
  throw new NinesError("NINES_BACKUP_NONE", "The configuration in force says nothing of a backup.");
}

function endIfAsked({ isAsked }: Duty): void {
  if (isAsked())
    throw new NinesError("NINES_BACKUP_STOPPED", "It was asked to end, and goes on later.");
}

function isStop(error: unknown): boolean {
  return error instanceof NinesError && error.code === "NINES_BACKUP_STOPPED";
}

function open({ world, settings, key }: VaultPlace): Promise<Vault> {
  return openVault(world, settings, { ...key, create: false, withIndex: true });
}

/** A source that fails keeps no other from its snapshot. */
async function runAll(duty: Duty): Promise<Outcome> {
  const { sources } = duty.place.config;
  const failures: string[] = [];
  const sentences: string[] = [];
  for (const source of sources) {
    try {
      endIfAsked(duty);
      const outcome = await backUp(duty.place, source, () => endIfAsked(duty));
      sentences.push(outcome.sentence);
    } catch (error) {
      if (isStop(error)) throw error;
      failures.push(`${source.name}: ${messageOf(error)}.`);
    }
  }
  // A vault that does not open has failed above already.
  if (failures.length === sources.length) {
    return { outcome: "failed", sentence: failures.join(" ") };
  }
  const seen = await lookNow(duty);
  const sentence = [...failures, ...sentences].join(" ");
  return { ...seen, outcome: failures.length === 0 ? "done" : "failed", sentence };
}

async function lookNow({ place }: Duty): Promise<Outcome> {
  const vault = await open(place);
  const names = place.config.sources.map(({ name }) => name);
  const freshness = await lookAtSources(vault, names);
  const broken = freshness.filter(({ reason }) => reason !== "");
  const sentence =
    broken.length === 0
      ? `Every source has its newest snapshot whole.`
      : broken.map(({ reason }) => `Snapshot ${reason}.`).join(" ");
  return { outcome: "done", sentence, freshness, redundancy: redundancyOf(vault) };
}

/**
 * What was found before one could not be tried, for targets that are away too, or before it was
 * asked to end, is told as well.
 */
export async function drillAll(duty: Duty): Promise<Outcome> {
  const vault = await open(duty.place);
  const [failed, passed]: [string[], string[]] = [[], []];
  const drilled = { failed, passed };
  const sentences: string[] = [];
  const untried: string[] = [];
  for (const { name } of duty.place.config.sources) {
    const snapshot = vault.snapshots.findLast(({ source }) => source === name);
    if (snapshot === undefined) continue;
    try {
      const outcome = await drillIn(duty.drillFolder, vault, snapshot, () => endIfAsked(duty));
      const { wrongCount, awayCount, sentence } = outcome;
      if (wrongCount === 0 && awayCount > 0) {
        untried.push(sentence);
        continue;
      }
      (wrongCount === 0 ? passed : failed).push(snapshot.id);
      sentences.push(sentence);
    } catch (error) {
      const sentence = `${messageOf(error)}.`;
      if (isStop(error)) return { outcome: "unfinished", sentence, drilled };
      untried.push(`${name}: ${sentence}`);
    }
  }
  const seen = await lookNow(duty);
  if (failed.length + untried.length > 0) {
    const count = `${failed.length} of ${failed.length + passed.length}`;
    const what = `${count} snapshots cannot be restored as they were backed up.`;
    const sentence = [...(failed.length > 0 ? [what] : []), ...untried].join(" ");
    return { ...seen, outcome: "failed", sentence, drilled };
  }
  const sentence = sentences.join(" ") || "There is no snapshot yet that could be restored.";
  return { ...seen, outcome: "done", sentence, drilled };
}

async function pruneNow({ place }: Duty): Promise<Outcome> {
  const { world, settings, key, config } = place;
  const { master } = key;
  const { sentence } = await prune(world, settings, { master, keep: config.keep, forget: [] });
  return { outcome: "done", sentence };
}

async function scrubOn({ place, cursor, isAsked }: Duty): Promise<Outcome> {
  const vault = await open(place);
  const untilMs = place.world.clock.monotonicMs() + sliceMs;
  const outcome = await scrub(vault, {
    bytesPerSecond: place.config.scrubBytesPerSecond,
    stop: () => isAsked() || place.world.clock.monotonicMs() > untilMs,
    ...(cursor === undefined ? {} : { after: cursor }),
  });
  const { sentence } = outcome;
  const redundancy = redundancyOf(vault);
  if (outcome.cursor === undefined) return { outcome: "done", sentence, redundancy };
  return { outcome: "unfinished", sentence, redundancy, cursor: outcome.cursor };
}
