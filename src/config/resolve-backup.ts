// `backup` as it is written, as the program uses it.

import { type DutyKind, dutyKinds } from "../core/vault/duties.ts";
import type { Geometry } from "../core/vault/shard.ts";
import type { WrittenBackup } from "./backup-schema.ts";
import type { BackupConfig, BackupFrom, BackupKeyConfig, BackupTargetConfig } from "./config.ts";
import { shellCommand } from "./shell-command.ts";

type ResolvePath = (path: string) => string;

export function resolveBackup(written: WrittenBackup, resolvePath: ResolvePath): BackupConfig {
  const { targets, sources, keep, grace, packSize } = written;
  return {
    key: resolveKey(written, resolvePath),
    targets: Object.entries(targets).map(
      ([name, { domain = name, retire, appendOnly, ...place }]) => {
        return { name, domain, retire, appendOnly, place: resolvePlace(place, resolvePath) };
      },
    ),
    geometry: geometryOf(written),
    shareDomains: written.shareDomains,
    sources: Object.entries(sources).map(([name, source]) => ({
      name,
      service: source.service ?? name,
      from: resolveSource(source, resolvePath),
    })),
    keep,
    graceMs: grace,
    packBytes: packSize,
    ...resolveDuties(written, resolvePath),
  };
}

/** One of the three is there: see backup-checks.ts. */
function resolveSource(
  source: WrittenBackup["sources"][string],
  resolvePath: ResolvePath,
): BackupFrom {
  const { path = "", command, journal, timeout, maxSize, exclude, subjects } = source;
  if (journal !== undefined) return { kind: "journal", path: resolvePath(journal) };
  if (command !== undefined) {
    return {
      kind: "command",
      command: shellCommand(command),
      workingDirectory: resolvePath("."),
      timeoutMs: timeout,
      bytesMax: maxSize,
    };
  }
  const files = { kind: "files", path: resolvePath(path), exclude } as const;
  return subjects === undefined ? files : { ...files, subjects };
}

type DutiesConfig = Pick<
  BackupConfig,
  "schedule" | "scrubBytesPerSecond" | "staleAfterMs" | "drillFolder"
>;

function resolveDuties(written: WrittenBackup, resolvePath: ResolvePath): DutiesConfig {
  const { staleAfter, drillFolder } = written;
  const { scrubRate, ...intervals } = written.schedule;
  const { run } = intervals;
  const staleAfterMs = staleAfter ?? (run === "off" ? undefined : 2 * run);
  const schedule: Partial<Record<DutyKind, number>> = {};
  for (const kind of dutyKinds) {
    const everyMs = intervals[kind];
    if (everyMs !== "off") schedule[kind] = everyMs;
  }
  return {
    schedule,
    scrubBytesPerSecond: scrubRate,
    ...(staleAfterMs === undefined ? {} : { staleAfterMs }),
    ...(drillFolder === undefined ? {} : { drillFolder: resolvePath(drillFolder) }),
  };
}

/** That exactly one is written is checked (backup-checks.ts). */
function resolveKey(
  { keyFile, passphraseFile, keyCommand }: WrittenBackup,
  resolvePath: ResolvePath,
): BackupKeyConfig {
  if (keyFile !== undefined) return { kind: "file", file: resolvePath(keyFile) };
  if (passphraseFile !== undefined) {
    return { kind: "passphrase", file: resolvePath(passphraseFile) };
  }
  const written = keyCommand ?? [];
  const command = typeof written === "string" ? ["/bin/sh", "-c", written] : written;
  return { kind: "command", command, workingDirectory: resolvePath(".") };
}

type WrittenTarget = WrittenBackup["targets"][string];

function resolvePlace(
  { path = "", s3 }: Pick<WrittenTarget, "path" | "s3">,
  resolvePath: ResolvePath,
): BackupTargetConfig["place"] {
  if (s3 === undefined) return { kind: "folder", path: resolvePath(path) };
  const { endpoint, region, bucket, prefix, addressing, credentialsFile } = s3;
  const isAmazon = /\.amazonaws\.com(\.cn)?(:\d+)?$/.test(endpoint);
  // A certificate for all buckets does not fit a name with dots.
  const usual = isAmazon && !bucket.includes(".") ? "virtual-host" : "path";
  return {
    kind: "bucket",
    endpoint,
    region,
    bucket,
    virtualHost: (addressing ?? usual) === "virtual-host",
    prefix,
    ...(credentialsFile === undefined ? {} : { credentialsFile: resolvePath(credentialsFile) }),
  };
}

/** Whole copies and one parity shard need no Reed-Solomon. */
export function geometryOf({
  copies = 2,
  data,
  parity,
}: Pick<WrittenBackup, "copies" | "data" | "parity">): Geometry {
  if (data === undefined || parity === undefined) {
    return { codec: "rs-vand", dataShards: 1, parityShards: copies - 1 };
  }
  return { codec: parity === 1 ? "xor" : "rs-xor", dataShards: data, parityShards: parity };
}
