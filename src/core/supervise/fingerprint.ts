// What makes a start differ: an instance is replaced when the file would start it otherwise now,
// and left alone when only its checks, its order or its replicas changed.
//
// A hash a part, not one of all: the sentence then says what changed. Hashes, not the values: these
// are kept on disk, and an environment holds passwords. 32 bits are enough to tell an edit from
// none; nobody gains by making two of his own commands collide.

import { fnv1a32 } from "../base/prng.ts";

export interface StartParts {
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly limits: { readonly memoryBytes: number; readonly openFiles: number };
  readonly portBase: number;
  /** What the process is told of heartbeats; absent when it is told nothing. */
  readonly health?: {
    readonly heartbeat?: { readonly everyMs: number; readonly file: string };
  };
}

export type Fingerprint = Readonly<Record<string, string>>;

/** Parts never change, and are asked about at every review of every instance. */
const known = new WeakMap<StartParts, Fingerprint>();

export function fingerprintOf(parts: StartParts): Fingerprint {
  const made = known.get(parts) ?? make(parts);
  known.set(parts, made);
  return made;
}

function make(parts: StartParts): Fingerprint {
  const heartbeat = parts.health?.heartbeat;
  const environment = Object.entries(parts.environment).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    command: hash(parts.command),
    workingDirectory: hash(parts.workingDirectory),
    env: hash(environment),
    user: hash(parts.user ?? ""),
    limits: hash([parts.limits.memoryBytes, parts.limits.openFiles]),
    port: hash(parts.portBase),
    // Only where there is one: what was started before there were any is not outdated by that.
    ...(heartbeat === undefined ? {} : { heartbeat: hash([heartbeat.everyMs, heartbeat.file]) }),
  };
}

/** Names of the parts that differ, in a fixed order; none when a start would be the same. */
export function changedParts(before: Fingerprint, after: Fingerprint): readonly string[] {
  if (before === after || (isWithin(before, after) && isWithin(after, before))) return [];
  const names = new Set([...Object.keys(after), ...Object.keys(before)]);
  return [...names].filter((name) => before[name] !== after[name]);
}

/** All of its parts are the same there: without an array of names, for it is asked all the time. */
function isWithin(some: Fingerprint, all: Fingerprint): boolean {
  for (const name in some) if (some[name] !== all[name]) return false;
  return true;
}

function hash(value: unknown): string {
  return fnv1a32(JSON.stringify(value)).toString(16).padStart(8, "0");
}
