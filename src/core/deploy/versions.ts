// The versions of one service: what its instances were ever started with, numbered, and which of
// them is in force.
//
// The file alone does not say what runs: after a rollback it still names what has failed. So the
// ledger keeps what the file said last, too. While it says the same, the version in force stays;
// when it says something else, that is a newer word. Versions are told apart by their fingerprints
// (core/supervise/fingerprint.ts): what was there before gets its old number back.
//
// What a version is made of (its environment holds passwords) is kept beside the ledger, and never
// shown; of the ledger everything may be.

import { isObject } from "../base/objects.ts";
import { present } from "../base/assert.ts";
import { changedParts, type Fingerprint } from "../supervise/fingerprint.ts";
import { type Deploy, isOver } from "./deploy.ts";

/** Versions that are remembered. */
export const versionsKept = 10;

export interface Version {
  readonly number: number;
  readonly fingerprint: Fingerprint;
  /** When it was first wanted. */
  readonly wallMs: number;
  readonly by: string;
  /** "start", "apply" or "deploy". */
  readonly how: VersionOrigin;
  /** What is not as in the version before it. */
  readonly changed: readonly string[];
  /** Whether it was ever in force: what only failed is nothing to go back to. */
  readonly proven: boolean;
  /** What came of its last deploy, a sentence; "" while nothing did. */
  readonly outcome: string;
}

export const versionOrigins = ["start", "apply", "deploy"] as const;
export type VersionOrigin = (typeof versionOrigins)[number];

export interface Ledger {
  /** What the file said last. */
  readonly file: Fingerprint;
  /** The version that everything is at, or goes back to. */
  readonly inForce: number;
  readonly latest: number;
  /** Oldest first. */
  readonly versions: readonly Version[];
  /** The one under way, or the last one. */
  readonly deploy: Deploy | undefined;
}

export interface Wish {
  readonly fingerprint: Fingerprint;
  readonly how: VersionOrigin;
  readonly by: string;
  readonly wallMs: number;
}

export function firstLedger({ fingerprint, how, by, wallMs }: Wish): Ledger {
  const version = {
    number: 1,
    fingerprint,
    wallMs,
    by,
    how,
    changed: [],
    proven: true,
    outcome: "",
  };
  return { file: fingerprint, inForce: 1, latest: 1, versions: [version], deploy: undefined };
}

export function versionAt(ledger: Ledger, number: number): Version | undefined {
  return ledger.versions.find((version) => version.number === number);
}

export function versionOf(ledger: Ledger, fingerprint: Fingerprint): Version | undefined {
  return ledger.versions.findLast((version) => same(version.fingerprint, fingerprint));
}

export function same(a: Fingerprint, b: Fingerprint): boolean {
  return changedParts(a, b).length === 0;
}

/** The ledger with this version in it, and its number; what falls off the end is forgotten. */
export function withVersion(
  ledger: Ledger,
  { fingerprint, how, by, wallMs }: Wish,
): { readonly ledger: Ledger; readonly number: number } {
  const known = versionOf(ledger, fingerprint);
  if (known !== undefined) return { ledger, number: known.number };
  const number = ledger.latest + 1;
  const before = versionAt(ledger, ledger.inForce);
  const changed = before === undefined ? [] : changedParts(before.fingerprint, fingerprint);
  const version = { number, fingerprint, wallMs, by, how, changed, proven: false, outcome: "" };
  const versions = pruned([...ledger.versions, version], ledger);
  return { ledger: { ...ledger, latest: number, versions }, number };
}

/** What is in force, and what a deploy goes between, is never forgotten. */
function pruned(versions: readonly Version[], ledger: Ledger): readonly Version[] {
  const needed = new Set([ledger.inForce]);
  if (ledger.deploy !== undefined && !isOver(ledger.deploy)) {
    needed.add(ledger.deploy.from).add(ledger.deploy.to);
  }
  const surplus = versions.length - versionsKept;
  const oldest = versions
    .filter(({ number }) => !needed.has(number))
    .slice(0, Math.max(0, surplus));
  return versions.filter((version) => !oldest.includes(version));
}

/** The ledger with this version in force. */
export function inForce(ledger: Ledger, number: number): Ledger {
  const versions = ledger.versions.map((version) =>
    version.number === number ? { ...version, proven: true } : version,
  );
  return { ...ledger, inForce: number, versions };
}

export function withOutcome(ledger: Ledger, number: number, outcome: string): Ledger {
  const versions = ledger.versions.map((version) =>
    version.number === number ? { ...version, outcome } : version,
  );
  return { ...ledger, versions };
}

/** The last one before the version in force that was in force itself. */
export function previousVersion(ledger: Ledger): Version | undefined {
  return ledger.versions.findLast(({ number, proven }) => proven && number < ledger.inForce);
}

/** The deploy that is under way. */
export function underWay(ledger: Ledger): Deploy | undefined {
  return ledger.deploy === undefined || isOver(ledger.deploy) ? undefined : ledger.deploy;
}

/**
 * The ledger read back, or undefined when it is not one that we wrote. What it names must be there:
 * everything else about it is only told.
 */
export function readLedger(value: unknown): Ledger | undefined {
  if (!isObject(value) || !Array.isArray(value["versions"])) return undefined;
  const ledger = value as unknown as Ledger;
  if (!ledger.versions.every(isVersion) || !isObject(ledger.file)) return undefined;
  const numbers = new Set(ledger.versions.map(({ number }) => number));
  const { deploy, inForce, latest } = ledger;
  if (!numbers.has(inForce) || !Number.isSafeInteger(latest)) return undefined;
  if (deploy === undefined || isOver(deploy)) return ledger;
  const whole = isObject(deploy.settings) && numbers.has(deploy.from) && numbers.has(deploy.to);
  return whole ? ledger : { ...ledger, deploy: undefined };
}

function isVersion(value: unknown): value is Version {
  return isObject(value) && Number.isSafeInteger(value["number"]) && isObject(value["fingerprint"]);
}

/** The version in force. */
export function currentVersion(ledger: Ledger): Version {
  return present(versionAt(ledger, ledger.inForce), "the version in force");
}
