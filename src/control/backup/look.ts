// Looking at a vault as who wants to restore would: which snapshot of each source is whole, and how
// much may still be lost.
//
// Only listings and the chunks of folders are read, so that it costs little and can be done often:
// a pack counts as there when enough of its shards are listed. Whether their bytes are right is the
// scrub's to find, and whether all of it makes files again is the drill's.

import { sayName } from "../../core/vault/entry.ts";
import type { SourceFreshness } from "../../core/vault/freshness.ts";
import { objectKinds } from "../../core/vault/names.ts";
import { hexOf } from "../../core/vault/wire.ts";
import type { Redundancy } from "../../ports/duty-programs.ts";
import { type Missing, markNeeded } from "./tree-walk.ts";
import type { Vault } from "./vault.ts";

/** Snapshots that are looked at for one that is whole. */
const looksMax = 5;

/** The vault is opened with its index. */
export async function lookAtSources(
  vault: Vault,
  sources: readonly string[],
): Promise<readonly SourceFreshness[]> {
  const found: SourceFreshness[] = [];
  for (const source of sources) found.push(await lookAt(vault, source));
  return found;
}

async function lookAt(vault: Vault, source: string): Promise<SourceFreshness> {
  const newestFirst = vault.snapshots.filter((each) => each.source === source).reverse();
  let reason = "";
  for (const [broken, snapshot] of newestFirst.slice(0, looksMax).entries()) {
    let first: Missing | undefined;
    await markNeeded(vault, [snapshot], (missing) => {
      first ??= missing;
    });
    if (first === undefined) {
      const { id, startedMs } = snapshot;
      return { source, restorable: { snapshot: id, startedMs }, broken, reason };
    }
    const where = first.path === "" ? "its root" : `"${sayName(first.path)}"`;
    if (reason === "") reason = `${snapshot.id.slice(0, 8)} lacks ${where}: ${first.reason}`;
  }
  return { source, broken: Math.min(looksMax, newestFirst.length), reason };
}

export function redundancyOf(vault: Vault): Redundancy {
  const { catalog } = vault;
  const counts = { objects: 0, whole: 0, unreadable: 0 };
  let spareMin = Number.POSITIVE_INFINITY;
  for (const kind of objectKinds) {
    for (const id of catalog.ids(kind)) {
      const object = catalog.find(kind, id);
      if (object === undefined) continue;
      const isDamaged = kind === "pack" && vault.isDamaged(id);
      // It goes with the next prunes, and nobody needs it.
      if (isDamaged && vault.isCondemned(id)) continue;
      const spare = isDamaged ? -1 : catalog.shardsHere(object) - object.dataShards;
      counts.objects++;
      if (spare < 0) counts.unreadable++;
      else spareMin = Math.min(spareMin, spare);
      if (spare >= object.parityShards) counts.whole++;
    }
  }
  const { away } = catalog;
  const erasures = vault.keys.tombstones.flatMap(({ subjectHash, atMs, pending }) =>
    pending.length === 0 ? [] : [{ subject: hexOf(subjectHash).slice(0, 16), atMs, pending }],
  );
  return { ...counts, spareMin: Number.isFinite(spareMin) ? spareMin : 0, away, erasures };
}
