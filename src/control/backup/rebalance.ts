// After targets have come or gone: every shard to where it should lie.
//
// What is short of shards is made whole first; then each shard that lies elsewhere is copied, and
// taken away from where it was once the copy is durable.

import { sayCount } from "../../core/base/count.ts";
import { withLease } from "./leases.ts";
import { objectKinds } from "../../core/vault/names.ts";
import { openVault } from "./vault.ts";
import type { VaultSettings, VaultWorld } from "./world.ts";

export interface RebalanceOutcome {
  readonly moved: number;
  readonly mended: number;
  /** Targets that could not do their part, each with why. */
  readonly refused: readonly string[];
  readonly sentence: string;
}

export async function rebalance(
  world: VaultWorld,
  settings: VaultSettings,
  master: Uint8Array,
): Promise<RebalanceOutcome> {
  return withLease(world, "upkeep", async (lease) => {
    const vault = await openVault(world, settings, { master, create: false, withIndex: false });
    const { store, catalog } = vault;
    let moved = 0;
    for (const kind of objectKinds) {
      for (const id of catalog.ids(kind)) {
        await lease.keep();
        const object = catalog.find(kind, id);
        if (object === undefined) continue;
        const here = catalog.shardsHere(object);
        const isShort = here < object.dataShards + object.parityShards;
        if (isShort && here >= object.dataShards) await store.examine(kind, id);
        moved += await store.settle(kind, id);
      }
    }
    const refused = [...store.refused].map(([{ name }, why]) => `${name}: ${why}`);
    const mended = store.mendedShards;
    const hindered = refused.length === 0 ? "" : `; ${refused.join("; ")}`;
    const shards = sayCount(moved, "shard was", "shards were");
    const sentence = `${shards} moved and ${mended} made anew${hindered}.`;
    world.events.record({ kind: "vault.rebalanced", level: "info", sentence });
    return { moved, mended, refused, sentence };
  });
}
