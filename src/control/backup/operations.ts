// What one does with a vault, in one place: the door of this folder.

export { erase, type ErasureRecord } from "./erase.ts";
export { createFolderTarget } from "./folder-target.ts";
export { prune, type PruneOutcome } from "./prune.ts";
export { rebalance } from "./rebalance.ts";
export { adoptTarget } from "./roll.ts";
export { rotateKey } from "./rotate-key.ts";
export { entriesAt, restore, type RestoreOutcome, type RestoreProgress } from "./restore.ts";
export { type BackupOutcome, runBackup } from "./run-backup.ts";
export { scrub, type ScrubOutcome, verify, type VerifyOutcome } from "./scrub.ts";
export { openVault, type Vault } from "./vault.ts";
