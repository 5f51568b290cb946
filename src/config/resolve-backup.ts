// `backup` as it is written, as the program uses it.

import { type DutyKind, dutyKinds } from "../core/vault/duties.ts";
import type { Geometry } from "../core/vault/shard.ts";
import type { WrittenBackup } from "./backup-schema.ts";
import type { BackupConfig } from "./config.ts";

type ResolvePath = (path: string) => string;

export function resolveBackup(written: WrittenBackup, resolvePath: ResolvePath): BackupConfig {
  const { keyFile, passphraseFile, targets, sources, keep, grace, packSize } = written;
  return {
    ...(keyFile === undefined ? {} : { keyFile: resolvePath(keyFile) }),
    ...(passphraseFile === undefined ? {} : { passphraseFile: resolvePath(passphraseFile) }),
    targets: Object.entries(targets).map(([name, { path, domain, retire }]) => {
      return { name, path: resolvePath(path), domain: domain ?? name, retire };
    }),
    geometry: geometryOf(written),
    shareDomains: written.shareDomains,
    sources: Object.entries(sources).map(([name, source]) => ({
      name,
      path: resolvePath(source.path),
      service: source.service ?? name,
      exclude: source.exclude,
      ...(source.subjects === undefined ? {} : { subjects: source.subjects }),
    })),
    keep,
    graceMs: grace,
    packBytes: packSize,
    ...resolveDuties(written, resolvePath),
  };
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
