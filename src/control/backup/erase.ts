// Erasing a subject: its key is destroyed, and with it all that was ever sealed with it, in every
// snapshot, on every target and in every copy of them.
//
// The tombstone is durable before the first copy of the key goes, so that no crash leaves a subject
// that is half erased and could be given a new key. A target that cannot be reached may keep a copy
// of the wrapped key: it is destroyed when the target is seen again, and until then it is named as
// pending, by the tombstone too. The packs themselves go with the next prune.
//
// The record says what was done, and carries a code that only who holds the vault's key can make.

import type { ByteName } from "../../core/vault/entry.ts";
import { deriveKey } from "../../core/vault/keys.ts";
import { withErased } from "../../core/vault/high-water.ts";
import { bytesOf, hexOf, utf8Of } from "../../core/vault/wire.ts";
import { openVault } from "./vault.ts";
import type { VaultSettings, VaultWorld } from "./world.ts";

export interface ErasureRecord {
  readonly vault: string;
  /** The subject's name by HMAC, so that the record itself names nobody. */
  readonly subject: string;
  readonly keyDomains: readonly string[];
  readonly erasedAtMs: number;
  /** Targets that may still have a copy of the wrapped key. */
  readonly pending: readonly string[];
  /** HMAC-SHA-256 over the rest, in this order, as JSON, with a key of the vault's. */
  readonly code: string;
}

export interface EraseOptions {
  readonly master: Uint8Array;
  readonly service: string;
  readonly subject: ByteName;
}

/** Throws NINES_SUBJECT_UNKNOWN, and NINES_VAULT_ERASED the second time. */
export async function erase(
  world: VaultWorld,
  settings: VaultSettings,
  { master, service, subject: wanted }: EraseOptions,
): Promise<ErasureRecord> {
  const vault = await openVault(world, settings, { master, create: false, withIndex: false });
  const name = `${service}/${wanted}`;
  const erasedAtMs = world.clock.wallMs();
  const tombstones = await vault.keys.erase(name, erasedAtMs);
  const keyDomains = tombstones.map(({ domainId }) => domainId);
  world.mark.write(withErased(world.mark.read(), vault.header.vault, keyDomains));
  const pending = [...new Set(tombstones.flatMap((each) => each.pending))];
  const subject = hexOf(tombstones[0]?.subjectHash ?? new Uint8Array(0));
  const said = { vault: vault.header.vault, subject, keyDomains, erasedAtMs, pending };
  const key = deriveKey(world.crypto, vault.keys.vault.key, "records of erasures");
  const code = hexOf(world.crypto.mac(key, bytesOf(utf8Of(JSON.stringify(said)))));
  const where = pending.length === 0 ? "on every target" : `but for ${pending.join(", ")}`;
  world.events.record({
    kind: "vault.subject-erased",
    level: pending.length === 0 ? "info" : "warning",
    sentence: `Subject ${said.subject.slice(0, 16)} was erased: its key is destroyed ${where}.`,
  });
  return { ...said, code };
}
