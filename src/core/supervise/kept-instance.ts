// What is kept on disk of each instance that has a process: enough for a new control to adopt it,
// for `nines status` and `nines down` without control, and no more.
//
// Written when the process exists and before its program runs, so that a control killed at any
// point leaves no process that nobody knows; removed when the process has ended. A process is never
// started without it: two of one instance would share a data folder. Monotonic readings are
// comparable for as long as the process can live: until the machine's boot.

import { isObject } from "../base/objects.ts";

export interface KeptInstance {
  readonly service: string;
  readonly ordinal: number;
  readonly process: { readonly pid: number; readonly startTime: string };
  readonly port: number;
  readonly restarts: number;
  /** See fingerprint.ts: what the process was started with; empty when that is not known. */
  readonly fingerprint: Readonly<Record<string, string>>;
  /** Monotonic. */
  readonly startedAtMs: number;
  /** Monotonic; absent until it was ready. */
  readonly readyAtMs?: number;
  /** Kept, because the file may no longer name its service when it is to be ended. */
  readonly stopGraceMs: number;
}

/** Prefix of the keys; the instance's name follows. */
export const keptInstances = "instances/";

/** The value read back, or undefined when it is not one that we wrote. */
export function readKeptInstance(value: unknown): KeptInstance | undefined {
  if (!isObject(value)) return undefined;
  const numbers = ["ordinal", "port", "restarts", "startedAtMs", "stopGraceMs"];
  if (!numbers.every((name) => Number.isFinite(value[name]))) return undefined;
  if (typeof value["service"] !== "string" || !isFingerprint(value["fingerprint"]))
    return undefined;
  if (!isIdentity(value["process"])) return undefined;
  const readyAtMs = value["readyAtMs"];
  if (readyAtMs !== undefined && !Number.isFinite(readyAtMs)) return undefined;
  return value as unknown as KeptInstance;
}

function isIdentity(value: unknown): boolean {
  return (
    isObject(value) && Number.isInteger(value["pid"]) && typeof value["startTime"] === "string"
  );
}

function isFingerprint(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((part) => typeof part === "string");
}
