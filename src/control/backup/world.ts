// What the vault's loops need, and how a vault is set up.

import type { ChunkSizes } from "../../core/vault/chunker.ts";
import type { VaultCrypto } from "../../core/vault/crypto.ts";
import type { HighWater } from "../../core/vault/high-water.ts";
import type { Geometry } from "../../core/vault/shard.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { Target } from "../../ports/target.ts";

/** What this machine remembers of a vault beside the vault itself (core/vault/high-water.ts). */
export interface LocalMark {
  read(): HighWater | undefined;
  /** Durable when it returns. */
  write(mark: HighWater): void;
}

export interface VaultWorld {
  readonly crypto: VaultCrypto;
  readonly clock: Clock;
  readonly events: Events;
  readonly mark: LocalMark;
  /** "host, pid 17": who holds a lease, for people. */
  readonly holder: string;
  readonly host: string;
  readonly targets: readonly Target[];
}

export interface VaultSettings {
  readonly geometry: Geometry;
  /** Whether two shards of an object may lie in one failure domain. */
  readonly shareDomains: boolean;
  /** Targets that are to be emptied: they are read, and take nothing new. */
  readonly retiring: readonly string[];
  /** For a vault that is yet to be made; afterwards its header says. */
  readonly chunks: ChunkSizes;
  /** Packs are closed at this size. */
  readonly packBytes: number;
  /** What nobody needs is destroyed so long after it was condemned. */
  readonly graceMs: number;
}

/** A target that has not answered for so long is away for the rest of the run. */
export const answerMs = 120_000;

/**
 * A lease that is not renewed for so long is void. Its holder renews it after an eighth and trusts
 * it for a half: one call that hangs meanwhile fits between.
 */
export const leaseMs = 420_000;
