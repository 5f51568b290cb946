// What this machine remembers of its vault (core/vault/high-water.ts): one small file in the state
// directory, replaced atomically. It is as little of a secret as the vault's own listing.

import { join } from "node:path";
import { NinesError } from "../core/base/errors.ts";
import type { HighWater } from "../core/vault/high-water.ts";
import { readIfThere, replaceFile } from "./files.ts";

export const vaultMarkFile = "vault-mark.json";

/** Throws NINES_VAULT_MARK for a file that is none: to go on without it would be no check. */
export function readVaultMark(directory: string): HighWater | undefined {
  const path = join(directory, vaultMarkFile);
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  const mark = parse(text);
  if (mark !== undefined) return mark;
  throw new NinesError("NINES_VAULT_MARK", `${path} is not what Nines has written there.`);
}

export function writeVaultMark(directory: string, mark: HighWater): void {
  replaceFile(join(directory, vaultMarkFile), `${JSON.stringify(mark)}\n`);
}

function parse(text: string): HighWater | undefined {
  try {
    const { vault, sequence, snapshot, erased } = JSON.parse(text) as Partial<HighWater>;
    const isMark =
      typeof vault === "string" &&
      typeof snapshot === "string" &&
      Number.isSafeInteger(sequence) &&
      Array.isArray(erased) &&
      erased.every((id) => typeof id === "string");
    return isMark ? { vault, sequence: sequence ?? 0, snapshot, erased } : undefined;
  } catch {
    return undefined;
  }
}
