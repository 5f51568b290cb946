// Who is at work on a vault: a small object on every target that can be reached, with an end.
//
// Backups may run beside each other, for they only add. One upkeep runs at a time, and it destroys
// nothing that a backup at work could still refer to (prune.ts); who changes the master key is
// alone. For that each of them first puts its lease everywhere, and only then looks what is there:
// of two who begin together, each sees the other, or one of them looks before the other has put,
// and then the other sees the first. A target that one of them cannot reach is no hole: they meet
// on any target that both reach.
//
// Where nothing may be removed, a newer lease of the same id takes the older one's place, and one
// that says "ended" stands for none.
//
// A lease ends by the wall clocks of the machines, which may differ; so its holder stops well
// before the end, and the grace before anything is destroyed is far longer than any difference.

import { assert } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import {
  type Lease,
  leaseName,
  readLease,
  wholeBytesMax,
  writeLease,
} from "../../core/vault/header.ts";
import { newObjectId } from "../../core/vault/names.ts";
import { type Target, targetErrorKind } from "../../ports/target.ts";
import { listAll, messageOf } from "./catalog.ts";
import { callRoll } from "./roll.ts";
import { leaseMs, type VaultWorld } from "./world.ts";

export class HeldLease {
  readonly id: string;
  readonly #world: VaultWorld;
  readonly #kind: Lease["kind"];
  readonly #startedMs: number;
  #current: Lease | undefined;
  #renewedMs = 0;
  #renewing: Promise<void> | undefined;
  #isReleased = false;

  constructor(world: VaultWorld, kind: Lease["kind"]) {
    this.#world = world;
    this.#kind = kind;
    this.id = newObjectId((length) => world.crypto.randomBytes(length));
    this.#startedMs = world.clock.wallMs();
  }

  /** Whether nobody can have taken it for void. */
  get holds(): boolean {
    return this.#world.clock.monotonicMs() - this.#renewedMs < leaseMs / 2;
  }

  /** A target that hangs first of all takes much of its time: who has it can work for a while. */
  async take(): Promise<void> {
    await this.#put();
    await this.keep();
  }

  /**
   * To be called often, beside each other as well. Throws NINES_VAULT_BUSY when this process has
   * stood still for too long, and to work that goes on after the release.
   */
  async keep(): Promise<void> {
    if (this.#isReleased) throw new NinesError("NINES_VAULT_BUSY", "This run has ended.");
    if (!this.holds) {
      const what = "This process stood still for longer than its lease; others went on without it.";
      throw new NinesError("NINES_VAULT_BUSY", what);
    }
    if (this.#world.clock.monotonicMs() - this.#renewedMs <= leaseMs / 8) return;
    // Of two renewals at once, one would never be removed.
    this.#renewing ??= this.#put().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    await this.#renewing?.catch(() => {});
    const lease = this.#current;
    this.#current = undefined;
    if (lease === undefined) return;
    const { crypto, targets } = this.#world;
    const end: Lease = { ...lease, kind: "ended", untilMs: lease.untilMs + 1 };
    // What can be neither removed nor ended ends by itself.
    await Promise.allSettled(
      targets.map(async (target) => {
        try {
          await target.remove(leaseName(lease));
        } catch (error) {
          if (targetErrorKind(error) !== "not-allowed") throw error;
          await target.put(leaseName(end), [writeLease(end, crypto)]);
        }
      }),
    );
  }

  async #put(): Promise<void> {
    const { clock, crypto, holder, targets } = this.#world;
    const before = this.#current;
    const askedMs = clock.monotonicMs();
    const untilMs = clock.wallMs() + leaseMs;
    const lease = { id: this.id, kind: this.#kind, holder, startedMs: this.#startedMs, untilMs };
    // Two renewals within a millisecond would be one name.
    if (before?.untilMs === untilMs) return;
    const bytes = writeLease(lease, crypto);
    const failures = await Promise.all(
      targets.map((target) =>
        target.put(leaseName(lease), [bytes]).then(
          () => undefined,
          (error: unknown) => `${target.name}: ${messageOf(error)}`,
        ),
      ),
    );
    if (failures.every((failure) => failure !== undefined)) {
      const why = failures.join("; ") || "there is none";
      throw new NinesError("NINES_VAULT_TARGETS", `No target can be written to: ${why}.`);
    }
    this.#current = lease;
    this.#renewedMs = askedMs;
    if (before !== undefined) await this.#removeOld(before);
  }

  /** What cannot be removed ends by itself. */
  async #removeOld(lease: Lease): Promise<void> {
    await Promise.allSettled(this.#world.targets.map((target) => target.remove(leaseName(lease))));
  }
}

/** Runs beside whoever may be beside it. Throws NINES_VAULT_BUSY when others may not. */
export async function withLease<T>(
  world: VaultWorld,
  kind: Lease["kind"],
  run: (lease: HeldLease, others: readonly Lease[]) => Promise<T>,
): Promise<T> {
  // Nothing is put where a mount is missing, be it for a moment.
  const { absent } = await callRoll(world.targets);
  const targets = world.targets.filter((target) => !absent.has(target));
  const lease = new HeldLease({ ...world, targets }, kind);
  await lease.take();
  try {
    const others = await liveLeases({ ...world, targets }, lease.id);
    const hindering = others.find((other) => !mayBeBeside(kind, other.kind));
    if (hindering === undefined) return await run(lease, others);
    const { kind: theirs, holder } = hindering;
    const what = `At work is ${work[theirs]} of ${holder}, and ${work[kind]} may not be beside it.`;
    throw new NinesError("NINES_VAULT_BUSY", what);
  } finally {
    await lease.release();
  }
}

const work: Record<Lease["kind"], string> = {
  backup: "a backup",
  upkeep: "a prune or a rebalance",
  rotate: "a key change",
  ended: "nothing",
};

function mayBeBeside(own: Lease["kind"], other: Lease["kind"]): boolean {
  if (own === "rotate" || other === "rotate") return false;
  return own === "backup" || other === "backup";
}

/**
 * Leases of others that have not ended, on any target; the latest of each. Ended ones are removed.
 */
async function liveLeases(world: VaultWorld, own: string): Promise<readonly Lease[]> {
  const nowMs = world.clock.wallMs();
  const live = new Map<string, Lease>();
  for (const target of world.targets) {
    for (const { name, lease } of await leasesOn(target, world)) {
      if (lease.id === own) continue;
      if (lease.untilMs + leaseMs < nowMs) await target.remove(name).catch(() => {});
      else if (lease.untilMs > (live.get(lease.id)?.untilMs ?? 0)) live.set(lease.id, lease);
    }
  }
  return [...live.values()].filter(({ kind, untilMs }) => kind !== "ended" && untilMs >= nowMs);
}

async function leasesOn(
  target: Target,
  { crypto }: VaultWorld,
): Promise<readonly { readonly name: string; readonly lease: Lease }[]> {
  const found: { readonly name: string; readonly lease: Lease }[] = [];
  try {
    for await (const name of listAll(target, "lease")) {
      const lease = readLease(await target.read(name, 0, wholeBytesMax), crypto);
      if (lease !== undefined) found.push({ name, lease });
    }
  } catch {
    // A target that cannot be asked has been named by the catalog; others hold the lease as well.
    assert(found.length >= 0, "what was read before counts");
  }
  return found;
}
