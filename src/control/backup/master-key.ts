// The master key from a passphrase: by scrypt, with the salt and the cost that the vault's header
// says; for a vault that is yet to be made, with new ones.

import { NinesError } from "../../core/base/errors.ts";
import type { PassphraseCost, VaultHeader } from "../../core/vault/header.ts";
import { masterIdOf } from "../../core/vault/keys.ts";
import { hexOf } from "../../core/vault/wire.ts";
import { readHeaders } from "./vault.ts";
import type { VaultWorld } from "./world.ts";

export interface MasterKey {
  readonly master: Uint8Array;
  /** How it was made, if from a passphrase. */
  readonly passphrase?: PassphraseCost;
}

const saltBytes = 16;
/** 128 MiB and some 0.4 s: what OWASP recommends for scrypt. */
const cost = { n: 131_072, r: 8, p: 1 };

/** Throws NINES_VAULT_KEY when the vault was made with another passphrase. */
export async function masterOfPassphrase(
  world: VaultWorld,
  passphrase: Uint8Array,
): Promise<MasterKey> {
  const { found } = await readHeaders(world);
  // One target may say a wrong salt: each that is said is tried, once.
  const headers = new Map(found.map(({ header }) => [sayingOf(header), header]));
  for (const { masterId, passphrase: known } of headers.values()) {
    if (known === undefined) continue;
    const master = await world.crypto.scrypt(passphrase, known.salt, known);
    if (masterIdOf(world.crypto, master) === masterId) return { master, passphrase: known };
  }
  if (headers.size > 0) {
    const what = `None of the vault's master keys comes from this passphrase.`;
    throw new NinesError("NINES_VAULT_KEY", what);
  }
  return newMaster(world, passphrase);
}

function sayingOf({ masterId, passphrase }: VaultHeader): string {
  if (passphrase === undefined) return masterId;
  const { n, r, p, salt } = passphrase;
  return [masterId, n, r, p, hexOf(salt)].join(" ");
}

export async function newMaster(world: VaultWorld, passphrase: Uint8Array): Promise<MasterKey> {
  const made = { ...cost, salt: world.crypto.randomBytes(saltBytes) };
  return { master: await world.crypto.scrypt(passphrase, made.salt, made), passphrase: made };
}
