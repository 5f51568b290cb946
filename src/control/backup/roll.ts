// Which targets are the ones that they were.
//
// A disk that is not mounted leaves an empty folder in its place, which would take a vault's shards
// just as well: onto another disk, in another failure domain. So each target gets a marker at its
// first use, under its own name, and every other target a note that there is one. A target that
// others know of and that has no marker is away or new: nothing is put there until somebody says
// that it is new. Disks that have changed places keep their markers, and are as good as before; one
// disk in two places counts once.
//
// All of it is in the names of objects, so that one listing a target tells, and nothing can rot:
//   target/<vault's id>.<hex of the target's name>.here    on the target itself
//   target/<vault's id>.<hex of the target's name>.known   on every other
//
// Rejected: remembering targets on this machine alone, for a new machine is the one that restores.

import { NinesError } from "../../core/base/errors.ts";
import { bytesOf, hexOf, utf8Of } from "../../core/vault/wire.ts";
import type { Target } from "../../ports/target.ts";
import { listAll, messageOf } from "./catalog.ts";
import type { VaultWorld } from "./world.ts";

const pattern = /^target\/([0-9a-f]{32})\.((?:[0-9a-f]{2}){1,60})\.(here|known)$/;

interface Mark {
  readonly vault: string;
  /** The target's name, in hexadecimal digits. */
  readonly label: string;
  readonly isHere: boolean;
}

export interface Roll {
  /** Targets that are not to be used, each with why: nothing may be put there. */
  readonly absent: ReadonlyMap<Target, string>;
  /** What those say that could be asked, absent ones as well. */
  readonly marks: ReadonlyMap<Target, readonly Mark[]>;
}

export async function callRoll(targets: readonly Target[]): Promise<Roll> {
  const marks = new Map<Target, readonly Mark[]>();
  await Promise.all(
    targets.map(async (target) => {
      // Who cannot be asked is away for everybody who asks something of it.
      const own = await marksOn(target).catch(() => undefined);
      if (own !== undefined) marks.set(target, own);
    }),
  );
  const absent = new Map<Target, string>();
  for (const [target, own] of marks) {
    const why = whyAbsent(target, own, marks);
    if (why !== undefined) absent.set(target, why);
  }
  return { absent, marks };
}

async function marksOn(target: Target): Promise<readonly Mark[]> {
  const found: Mark[] = [];
  for await (const name of listAll(target, "target")) {
    const [, vault, label, role] = pattern.exec(name) ?? [];
    if (vault === undefined || label === undefined) continue;
    found.push({ vault, label, isHere: role === "here" });
  }
  return found;
}

function whyAbsent(
  target: Target,
  own: readonly Mark[],
  marks: ReadonlyMap<Target, readonly Mark[]>,
): string | undefined {
  const label = labelOf(target);
  const here = own.filter(({ isHere }) => isHere);
  if (here.some((mark) => mark.label === label)) return undefined;
  for (const [other, theirs] of marks) {
    if (other === target) continue;
    const same = theirs.find(
      (mark) => mark.isHere && here.some((each) => isSame(each, mark)) && isOwn(other, mark, marks),
    );
    if (same !== undefined) return `it is the place of ${other.name} once more`;
  }
  if (here.length > 0) return undefined;
  const isKnown = [...marks.values()].flat().some((mark) => mark.label === label);
  return isKnown
    ? "it is empty, or not the one that was here before; mount it, or say that it is new: " +
        `nines backup target adopt ${target.name}`
    : undefined;
}

/** Of several that show one marker it is the place of the one with that name, else of the first. */
function isOwn(target: Target, { vault, label }: Mark, marks: Roll["marks"]): boolean {
  if (labelOf(target) === label) return true;
  const showing = [...marks].filter(([, theirs]) =>
    theirs.some((each) => each.isHere && each.label === label && each.vault === vault),
  );
  return showing[0]?.[0] === target;
}

function isSame(a: Mark, b: Mark): boolean {
  return a.vault === b.vault && a.label === b.label;
}

/**
 * Marks the targets that are used for the first time, and tells the others of them. Who cannot take
 * it is asked again at the next opening.
 */
export async function spreadMarks(
  { targets }: Pick<VaultWorld, "targets">,
  { absent, marks }: Roll,
  vault: string,
): Promise<void> {
  const present = targets.filter((target) => marks.has(target) && !absent.has(target));
  const labels = new Set<string>();
  for (const target of present) {
    const own = (marks.get(target) ?? []).filter((mark) => mark.vault === vault);
    for (const { label } of own) labels.add(label);
    const label = labelOf(target);
    const isKnown = [...marks.values()].flat().some((mark) => mark.label === label);
    // A disk in another's place keeps its own marker.
    if (isKnown) continue;
    if (await isPut(target, vault, label, "here")) labels.add(label);
  }
  // Only now: who is known and has no marker would be taken for away.
  for (const target of present) {
    const own = marks.get(target) ?? [];
    for (const label of labels) {
      const isThere = own.some((mark) => mark.vault === vault && mark.label === label);
      if (!isThere && label !== labelOf(target)) await isPut(target, vault, label, "known");
    }
  }
}

/**
 * Takes an empty target for the one of this name. Throws NINES_BACKUP_UNKNOWN, NINES_VAULT_TARGETS.
 */
export async function adoptTarget(
  world: VaultWorld,
  vault: string,
  name: string,
): Promise<{ readonly sentence: string }> {
  const target = world.targets.find((each) => each.name === name);
  const { absent, marks } = await callRoll(world.targets);
  if (target === undefined) {
    const all = world.targets.map((each) => each.name).join(", ");
    throw new NinesError("NINES_BACKUP_UNKNOWN", `There is no target ${name}; there are ${all}.`);
  }
  if (!marks.has(target)) {
    const why = await marksOn(target).then(() => "it was away until now", messageOf);
    throw new NinesError("NINES_VAULT_TARGETS", `${name} cannot be asked: ${why}.`);
  }
  if (!absent.has(target)) return { sentence: `Target ${name} is in use already.` };
  if ((marks.get(target) ?? []).some(({ isHere }) => isHere)) {
    const what = `${name} is not new: ${absent.get(target)}.`;
    throw new NinesError("NINES_VAULT_TARGETS", what);
  }
  const label = freeLabel(target, world.targets, marks);
  await target.put(`target/${vault}.${label}.here`, [sentenceFor(vault, name)]);
  const sentence = `Target ${name} is new: a scrub or a rebalance brings its shards.`;
  world.events.record({ kind: "target.adopted", level: "info", sentence });
  return { sentence };
}

/**
 * Its own, or where disks have changed places that of the disk which is gone: with the marker of
 * one that is there, both would be taken for the same.
 */
function freeLabel(target: Target, targets: readonly Target[], marks: Roll["marks"]): string {
  const here = [...marks.values()].flat().filter(({ isHere }) => isHere);
  const taken = new Set(here.map((mark) => mark.label));
  const labels = [target, ...targets].map(labelOf);
  return labels.find((label) => !taken.has(label)) ?? labelOf(target);
}

async function isPut(
  target: Target,
  vault: string,
  label: string,
  role: "here" | "known",
): Promise<boolean> {
  const bytes = sentenceFor(vault, target.name);
  const putting = target.put(`target/${vault}.${label}.${role}`, [bytes]);
  return putting.then(
    () => true,
    () => false,
  );
}

/** For whoever finds it and wonders; nobody reads it here. */
function sentenceFor(vault: string, name: string): Uint8Array {
  return bytesOf(utf8Of(`Target ${name} of vault ${vault}.\n`));
}

function labelOf({ name }: Target): string {
  return hexOf(bytesOf(utf8Of(name)));
}
