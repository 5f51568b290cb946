// `nines backup …`: each command opens the vault that the file describes, does one thing, and says
// what came of it. Nothing needs to run.

import { resolve } from "node:path";
import type { BackupConfig, BackupSourceConfig } from "../../config/config.ts";
import { compare } from "../../control/backup/compare.ts";
import { namedMax } from "../../control/backup/named.ts";
import {
  adoptTarget,
  entriesAt,
  erase,
  openVault,
  prune,
  rebalance,
  restore,
  type RestoreOutcome,
  type RestoreProgress,
  rotateKey,
  scrub,
  type ScrubOutcome,
  type Vault,
  verify,
} from "../../control/backup/operations.ts";
import { sayBytes } from "../../core/base/bytes.ts";
import { sayCount } from "../../core/base/count.ts";
import { NinesError } from "../../core/base/errors.ts";
import { type ByteName, readName, sayName } from "../../core/vault/entry.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import type { EventEntry } from "../../ports/events.ts";
import type { TreePlace } from "../../ports/tree-place.ts";
import { createFileTreePlace } from "../../runtime/file-tree-place.ts";
import { lookFromHere } from "../backup/look-from-here.ts";
import { openVaultPlace, type VaultPlace } from "../backup/place.ts";
import { readKeyFile } from "../backup/secrets.ts";
import { backUp, drillIn } from "../backup/work.ts";
import { loadConfigApart } from "../config-apart.ts";
import type { Actions, PlaceOptions } from "./actions.ts";
import { describeVault, vaultReport } from "../status/vault.ts";
import { findConfigFile, stateDirectoryOf } from "./place.ts";
import { complain, exitCode, say } from "./say.ts";

type BackupActions = Pick<Actions, Extract<keyof Actions, `backup${string}`>>;

const progressEveryMs = 1_000;
/** As short as a file's `backup` can be; docs/reference/backup.md has all of it. */
const example = `backup:
  keyFile: backup.key          # openssl rand -hex 32 > backup.key; chmod 600 backup.key
  targets:                     # folders that are there, each on a disk of its own
    disk-a: { path: /mnt/a/vault }
    disk-b: { path: /mnt/b/vault }
  copies: 2
  sources:
    data: { path: /srv/data }
`;

export const backupCommands: BackupActions = {
  backupRun: (names, options) =>
    inPlace(options, async (place) => {
      let isWhole = true;
      for (const source of chosen(place.config.sources, names)) {
        const outcome = await runSource(place, source);
        say(outcome.sentence);
        complainOf("not kept: ", outcome.left, outcome.leftCount);
        isWhole &&= outcome.degradedObjects === 0;
      }
      return isWhole ? exitCode.done : exitCode.failed;
    }),

  backupList: (options) =>
    inVault(options, true, async (vault, place) => {
      if (options.json === true)
        say(JSON.stringify(vault.snapshots.map(snapshotJson), undefined, 2));
      else for (const snapshot of vault.snapshots) say(snapshotLine(vault, snapshot));
      for (const why of vault.unreadable.values()) complain(`${why}.`);
      const { sources } = await lookFromHere(place, vault);
      const stale = sources.filter(({ isStale }) => isStale);
      for (const { sentence } of stale) complain(`STALE: ${sentence}`);
      return stale.length === 0 && isComplete(vault) ? exitCode.done : exitCode.failed;
    }),

  backupStatus: (options) =>
    inVault(options, true, async (vault, place) => {
      const state = await lookFromHere(place, vault);
      const report = vaultReport(state);
      if (options.json === true) say(JSON.stringify(report, undefined, 2));
      else for (const line of describeVault(report, Date.now())) say(line);
      const isStale = state.sources.some((source) => source.isStale);
      const isWhole = state.redundancy?.unreadable === 0;
      return !isStale && isWhole && isComplete(vault) ? exitCode.done : exitCode.failed;
    }),

  backupDrill: (wanted, options) =>
    throughVault(options, async (vault, { config, state }) => {
      const snapshots =
        wanted === undefined ? newestOfEach(config, vault) : [findSnapshot(vault, wanted)];
      const folder = config.drillFolder ?? state.backup;
      let isRight = snapshots.length > 0;
      if (!isRight) complain("There is no snapshot yet that could be restored.");
      for (const snapshot of snapshots) {
        const outcome = await drillIn(folder, vault, snapshot, () => undefined);
        say(outcome.sentence);
        complainOf("WRONG: ", outcome.wrong, outcome.wrongCount);
        complainOf("AWAY: ", outcome.away, outcome.awayCount);
        isRight &&= outcome.wrongCount + outcome.awayCount === 0;
      }
      return isRight ? exitCode.done : exitCode.failed;
    }),

  backupBrowse: (wanted, path, options) =>
    inVault(options, true, async (vault) => {
      const lacks: string[] = [];
      const lacking = ({ message }: NinesError) => void lacks.push(message);
      const parts = partsOf(path ?? "");
      for await (const entry of entriesAt(vault, findSnapshot(vault, wanted), parts, lacking)) {
        const size = entry.kind === "file" ? sayBytes(entry.content.bytes) : entry.kind;
        const time = new Date(Number(entry.facts.modifiedNs / 1_000_000n)).toISOString();
        say(`${size.padStart(9)}  ${time}  ${sayName(entry.name)}`);
      }
      complainOf("", lacks, lacks.length);
      return lacks.length === 0 ? exitCode.done : exitCode.failed;
    }),

  backupDiff: (before, after, options) =>
    inVault(options, true, async (vault) => {
      const signs = { added: "+", removed: "-", changed: "~", unknown: "?" } as const;
      const [old, now] = [findSnapshot(vault, before), findSnapshot(vault, after)];
      let isKnown = true;
      for await (const { kind, path, what } of compare(vault, old, now)) {
        const where = path === "" ? "the root" : sayName(path);
        say(`${signs[kind]} ${where}${what === "" ? "" : `: ${what}`}`);
        isKnown &&= kind !== "unknown";
      }
      return isKnown ? exitCode.done : exitCode.failed;
    }),

  backupRestore: (wanted, to, options) =>
    throughVault(options, async (vault) => {
      const snapshot = findSnapshot(vault, wanted);
      const mayHold = options.resume === true;
      const { bulk } = vault.world.crypto;
      const target = await createFileTreePlace({ root: resolve(to), mayHold, bulk });
      const outcome = await restoreTo(target, vault, snapshot, partsOf(options.path ?? ""));
      const { lost, lostCount, away, awayCount, erased, erasedCount } = outcome;
      say(`Restored ${restored(outcome, snapshot)} to ${resolve(to)}.`);
      complainOf("LOST: ", lost, lostCount);
      complainOf("AWAY: ", away, awayCount);
      complainOf("ERASED: ", erased, erasedCount);
      for (const what of target.leftOut()) complain(`Not restored: ${what}.`);
      return lostCount + awayCount === 0 ? exitCode.done : exitCode.failed;
    }),

  backupVerify: (options) =>
    throughVault(options, async (vault) => {
      const outcome = await verify(vault, { progress: scrubProgress(vault) });
      const { missing, missingCount, verdict } = outcome;
      const code = sayScrubbed(vault, outcome);
      const named = missing.map(({ snapshot, path, reason, isAway }) => {
        const where = `${snapshot.id.slice(0, 8)} ${path === "" ? "its root" : sayName(path)}`;
        return `${isAway ? "AWAY" : "LOST"}: ${where}: ${reason}`;
      });
      complainOf("", named, missingCount);
      if (missingCount > 0) complain(verdict);
      else say(verdict);
      return missingCount > 0 ? exitCode.failed : code;
    }),

  backupScrub: (options) =>
    throughVault(options, async (vault) => {
      const rate = options.rate === undefined ? {} : { bytesPerSecond: options.rate };
      const outcome = await scrub(vault, { ...rate, progress: scrubProgress(vault) });
      return sayScrubbed(vault, outcome);
    }),

  backupRebalance: (options) =>
    inPlace(options, async ({ world, settings, key }) => {
      const { sentence, refused } = await rebalance(world, settings, key.master);
      say(sentence);
      return refused.length === 0 ? exitCode.done : exitCode.failed;
    }),

  backupPrune: (options) =>
    inPlace(options, async (place) => {
      const { world, settings, key, config } = place;
      const wanted = options.forget ?? [];
      const forget = wanted.length === 0 ? [] : await snapshotIds(place, wanted);
      const { master } = key;
      const isRehearsal = options.dryRun === true;
      const pruning = { master, keep: config.keep, forget, isRehearsal };
      const pruned = await prune(world, settings, pruning);
      const { condemnedSnapshots, condemnedUnread, sentence } = pruned;
      for (const one of condemnedSnapshots) say(`lets go  ${snapshotWords(one)}`);
      for (const id of condemnedUnread) say(`lets go  ${id}, which cannot be read`);
      say(sentence);
      return exitCode.done;
    }),

  backupTargetAdopt: (name, options) =>
    inVault(options, false, async ({ world, header }) => {
      say((await adoptTarget(world, header.vault, name)).sentence);
      return exitCode.done;
    }),

  backupKeyRotate: (options) =>
    inPlace(options, async ({ world, settings, key }) => {
      const to = readKeyFile(resolve(options.to));
      say((await rotateKey(world, settings, { from: key.master, to })).sentence);
      say(`Write \`keyFile: ${options.to}\` in the file, and destroy the old key.`);
      return exitCode.done;
    }),

  backupErase: (service, subject, options) =>
    inPlace(options, async ({ world, settings, key }) => {
      const { master } = key;
      const record = await erase(world, settings, { master, service, subject: readName(subject) });
      say(JSON.stringify(record, undefined, 2));
      if (record.pending.length === 0) return exitCode.done;
      const where = record.pending.join(", ");
      complain(`A copy of the key may be left on ${where}; it is destroyed when that is back.`);
      return exitCode.failed;
    }),
};

function runSource(place: VaultPlace, source: BackupSourceConfig) {
  const { clock } = place.world;
  const progress = createProgress(undefined, clock.monotonicMs());
  return backUp(place, source, (bytes) => progress(bytes, clock.monotonicMs()));
}

function newestOfEach({ sources }: BackupConfig, { snapshots }: Vault): readonly Snapshot[] {
  return sources.flatMap(({ name }) => snapshots.findLast(({ source }) => source === name) ?? []);
}

async function restoreTo(
  target: TreePlace,
  vault: Vault,
  snapshot: Snapshot,
  path: readonly string[],
): Promise<RestoreOutcome> {
  const { clock } = vault.world;
  const report = createProgress(snapshot.counts.contentBytes, clock.monotonicMs());
  const progress = ({ bytes }: RestoreProgress) => report(bytes, clock.monotonicMs());
  try {
    return await restore(vault, snapshot, target, { path, progress });
  } finally {
    await target.close();
  }
}

async function inPlace(
  options: PlaceOptions,
  run: (place: VaultPlace) => Promise<number>,
): Promise<number> {
  const file = findFile(options);
  const { config, warnings } = await loadConfigApart(file);
  if (warnings !== "") complain(warnings.trimEnd());
  if (config.backup === undefined) throw noBackup(`${file} says nothing of a backup`);
  const place = await openVaultPlace(config.backup, stateDirectoryOf({ ...options, file }), record);
  try {
    return await run(place);
  } finally {
    await place.close();
  }
}

/** What there is not, and what would do: the first thing that somebody new here is told. */
function noBackup(what: string): NinesError {
  const much = "It takes this much, with your own folders:";
  return new NinesError("NINES_BACKUP_NONE", `${what}. ${much}\n\n${example}`);
}

function findFile({ file }: PlaceOptions): string {
  try {
    return findConfigFile(file);
  } catch (error) {
    const isNone = error instanceof NinesError && error.code === "NINES_CONFIG_NOT_FOUND";
    throw isNone && file === undefined ? noBackup("There is no nines.yaml here") : error;
  }
}

const results: readonly string[] = [
  "backup.finished",
  "vault.scrubbed",
  "backup.drill-failed",
  "backup.drill-untried",
];

/** What the command prints as its result is not said twice. */
function record({ level, sentence, kind }: EventEntry): void {
  if (level !== "info" && !results.includes(kind)) complain(sentence);
}

/** Whether every target was looked at; which was not has been said. */
function isComplete({ catalog }: Vault): boolean {
  return catalog.unreachable.size === 0;
}

function restored(outcome: RestoreOutcome, { id }: Snapshot): string {
  const { files, bytes, folders, links, passedOver } = outcome;
  const some = `${sayCount(files, "file")} of ${sayBytes(bytes)}, ${sayCount(folders, "folder")}`;
  const there = passedOver === 0 ? "" : `, ${sayCount(passedOver, "was", "were")} there,`;
  return `${some} and ${sayCount(links, "link")} of snapshot ${id.slice(0, 8)}${there}`;
}

function inVault(
  options: PlaceOptions,
  withIndex: boolean,
  run: (vault: Vault, place: VaultPlace) => Promise<number>,
): Promise<number> {
  return inPlace(options, async (place) => run(await openIn(place, withIndex), place));
}

/** The same for what goes through much of a vault: the threads start while it is opened. */
function throughVault(
  options: PlaceOptions,
  run: (vault: Vault, place: VaultPlace) => Promise<number>,
): Promise<number> {
  return inPlace(options, async (place) => {
    place.startThreads();
    return run(await openIn(place, true), place);
  });
}

function openIn({ world, settings, key }: VaultPlace, withIndex: boolean): Promise<Vault> {
  return openVault(world, settings, { ...key, create: false, withIndex });
}

function chosen(
  sources: readonly BackupSourceConfig[],
  names: readonly string[],
): readonly BackupSourceConfig[] {
  const unknown = names.find((name) => !sources.some((source) => source.name === name));
  if (unknown !== undefined) {
    const all = sources.map(({ name }) => name).join(", ");
    throw new NinesError(
      "NINES_BACKUP_UNKNOWN",
      `There is no source ${unknown}; there are ${all}.`,
    );
  }
  return names.length === 0 ? sources : sources.filter(({ name }) => names.includes(name));
}

/** By the beginning of its id, by a time (the newest one before it), or `latest`; of SOURCE:… */
function findSnapshot({ snapshots }: Vault, wanted: string): Snapshot {
  const [, source, which = ""] = /^(?:([\w.-]+):)?(.+)$/.exec(wanted) ?? [];
  // A time has colons as well.
  const isSource = snapshots.some((snapshot) => snapshot.source === source);
  const own = isSource ? snapshots.filter((snapshot) => snapshot.source === source) : snapshots;
  const text = isSource ? which : wanted;
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  const matching = own.filter(({ id, startedMs }) =>
    Number.isNaN(time) ? text === "latest" || id.startsWith(text) : startedMs <= time,
  );
  const isAmbiguous = Number.isNaN(time) && text !== "latest" && matching.length > 1;
  const found = isAmbiguous ? undefined : matching.at(-1);
  if (found !== undefined) return found;
  const what = isAmbiguous
    ? `${matching.length} snapshots begin with "${text}".`
    : `No snapshot ${wanted}.`;
  throw new NinesError("NINES_SNAPSHOT_UNKNOWN", what);
}

/** One that cannot be read is named by the whole of its name. */
async function snapshotIds(
  place: VaultPlace,
  wanted: readonly string[],
): Promise<readonly string[]> {
  const vault = await openIn(place, false);
  const unread = vault.catalog.ids("snapshot").filter((id) => vault.unreadable.has(id));
  return wanted.map((one) => (unread.includes(one) ? one : findSnapshot(vault, one).id));
}

function snapshotLine(vault: Vault, snapshot: Snapshot): string {
  const isCondemned = vault.condemnations.some(({ snapshots }) => snapshots.includes(snapshot.id));
  return `${snapshotWords(snapshot)}${isCondemned ? ", condemned" : ""}`;
}

function snapshotWords({ id, source, startedMs, host, counts }: Snapshot): string {
  const size = `${sayBytes(counts.contentBytes)} in ${sayCount(counts.files, "file")}`;
  return `${id.slice(0, 8)}  ${moment(startedMs)}  ${source} on ${host}: ${size}`;
}

function snapshotJson({ id, sequence, source, host, startedMs, finishedMs, counts }: Snapshot) {
  const [started, finished] = [moment(startedMs), moment(finishedMs)];
  return { id, sequence, source, host, started, finished, ...counts };
}

function sayScrubbed(vault: Vault, { sentence, lost }: ScrubOutcome): number {
  say(sentence);
  complainOf("LOST: ", lost, lost.length);
  const isWell = lost.length === 0 && vault.store.refused.size === 0;
  return isWell && isComplete(vault) ? exitCode.done : exitCode.failed;
}

function partsOf(path: string): readonly ByteName[] {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .map(readName);
}

/** The first thousand of them, each on a line of its own, and how many more there are. */
function complainOf(what: string, named: readonly string[], count: number): void {
  const said = named.slice(0, namedMax);
  for (const line of said) complain(`${what}${oneLine(line)}`);
  if (count > said.length) complain(`and ${count - said.length} more`);
}

/** What others say of a file may have its name as it is. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, " ");
}

function moment(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** On a terminal, one line a second: how much, how fast, how long it will take. */
function createProgress(
  allBytes: number | undefined,
  startedMs: number,
): (bytes: number, nowMs: number) => void {
  let lastMs = startedMs;
  return (bytes, nowMs) => {
    if (!process.stderr.isTTY || nowMs - lastMs < progressEveryMs) return;
    lastMs = nowMs;
    const perSecond = (1000 * bytes) / (nowMs - startedMs);
    const leftSeconds = allBytes === undefined ? undefined : (allBytes - bytes) / perSecond;
    const left =
      leftSeconds === undefined ? "" : `, ${Math.max(0, Math.round(leftSeconds))} s left`;
    complain(`${sayBytes(bytes)}, ${sayBytes(perSecond)}/s${left}`);
  };
}

function scrubProgress({ world }: Vault): (done: number, all: number, bytes: number) => void {
  const progress = createProgress(undefined, world.clock.monotonicMs());
  return (_done, _all, bytes) => progress(bytes, world.clock.monotonicMs());
}
