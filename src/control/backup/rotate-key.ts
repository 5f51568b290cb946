// Another master key. Domain keys are wrapped anew; nothing that they seal is touched.
//
// A header for a master key says that all keys are wrapped with it. So: first all new wraps, then
// the new header; then the old headers go, and at last the old wraps. At any point of a crash at
// least one of the two keys opens the vault whole, and the same call again goes on from there. No
// backup runs meanwhile, for it could make a key that only the old master key opens.

import { sayCount } from "../../core/base/count.ts";
import { NinesError } from "../../core/base/errors.ts";
import { headerName, type PassphraseCost } from "../../core/vault/header.ts";
import { masterIdOf } from "../../core/vault/keys.ts";
import { withLease } from "./leases.ts";
import type { Roll } from "./roll.ts";
import { openVault, readHeaders, spreadHeader, type Vault } from "./vault.ts";
import type { VaultSettings, VaultWorld } from "./world.ts";

export interface RotateOptions {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  /** How `to` was made from a passphrase, if it was. */
  readonly passphrase?: PassphraseCost;
}

export async function rotateKey(
  world: VaultWorld,
  settings: VaultSettings,
  options: RotateOptions,
): Promise<{ readonly sentence: string }> {
  const kept = world.targets.find(({ isAppendOnly }) => isAppendOnly);
  if (kept !== undefined) {
    const what = `The old key would go on opening the vault: ${kept.name} is append-only.`;
    throw new NinesError("NINES_VAULT_TARGETS", what);
  }
  return withLease(world, "rotate", async () => {
    const { found, failed, roll } = await readHeaders(world);
    if (failed.length > 0) {
      const what = `A key is changed only with all targets at hand: ${failed.join("; ")}.`;
      throw new NinesError("NINES_VAULT_TARGETS", what);
    }
    const fromId = masterIdOf(world.crypto, options.from);
    const toId = masterIdOf(world.crypto, options.to);
    const has = (id: string) => found.some(({ header }) => header.masterId === id);
    const open = (master: Uint8Array) =>
      openVault(world, settings, { master, create: false, withIndex: false });
    if (has(fromId) && fromId !== toId) {
      await addKey(await open(options.from), roll, options);
    }
    for (const { target, header } of found) {
      if (header.masterId === fromId && fromId !== toId) await target.remove(headerName(fromId));
    }
    const vault = await open(options.to);
    const left: string[] = [];
    for (const id of vault.keys.others) left.push(...(await vault.store.remove("key", id)));
    const count = vault.keys.domains.length;
    const remains = left.length === 0 ? "" : `; old wraps are left on ${left.join("; ")}`;
    const sentence = `${sayCount(count, "key is", "keys are")} wrapped with master key ${toId} only${remains}.`;
    world.events.record({ kind: "vault.key-rotated", level: "info", sentence });
    return { sentence };
  });
}

async function addKey(vault: Vault, roll: Roll, { to, passphrase }: RotateOptions): Promise<void> {
  const { world } = vault;
  if (vault.keys.unreadable.size > 0) {
    const [first] = vault.keys.unreadable;
    const what = `Key ${first?.[0]} cannot be read and would be lost: ${first?.[1]}.`;
    throw new NinesError("NINES_VAULT_LOST", what);
  }
  await vault.keys.wrapAll(to);
  const { vault: id, chunks } = vault.header;
  const masterId = masterIdOf(world.crypto, to);
  const header = {
    vault: id,
    masterId,
    chunks,
    ...(passphrase === undefined ? {} : { passphrase }),
  };
  const missing = await spreadHeader(world, header, [], roll);
  if (missing.length === 0) return;
  throw new NinesError("NINES_VAULT_TARGETS", `The new header is not on ${missing.join(", ")}.`);
}
