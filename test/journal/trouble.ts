// A disk that fails while a journal is at work: at any call, in any way, once or for ever.
//
// Whatever it is, the journal is then in one of two states. It goes on, because nothing that it had
// acknowledged was at stake; or it has failed, says so to every call, and touches the disk no more.
// And a start on the disk, mended, shows everything that was ever acknowledged.

import assert from "node:assert/strict";
import { createPrng } from "../../src/core/base/prng.ts";
import type { DiskErrorKind } from "../../src/ports/disk.ts";
import type { Journal } from "../../src/state/journal/journal.ts";
import { sample } from "../../sim/disk/choices.ts";
import { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import { BrokenPromise } from "../broken-promise.ts";
import { imageOf, startAndJudge } from "./crashes.ts";
import { Ledger } from "./ledger.ts";
import { Life, type OpenJournal, settled } from "./trace.ts";

export interface FailureAt {
  /** Of this operation alone, if it is named. */
  readonly operation?: string;
  /** Calls of the disk that succeed before. */
  readonly afterCalls: number;
  readonly forever: boolean;
  readonly kind: DiskErrorKind;
  readonly seed: number;
  /** Steps of the life; default 25. */
  readonly steps?: number;
}

export function codeOf(error: unknown): string {
  // By its field, not by its class: a planted journal has a copy of the class.
  return error instanceof Error && "code" in error
    ? String(error.code)
    : `no code: ${String(error)}`;
}

export async function outcomeOf(call: () => Promise<unknown>): Promise<string> {
  return settled(call(), "a call").then(() => "ok", codeOf);
}

/** Every call of a failed journal says the same, and none reaches the disk. */
async function expectFailed(journal: Journal, disk: SimulatedDisk): Promise<void> {
  const calls = disk.calls;
  const beyond = journal.durableThrough + 1;
  const request = { through: journal.durableThrough, chunks: [new Uint8Array(10)] };
  const outcomes = {
    append: await outcomeOf(() => journal.append(new Uint8Array(1))),
    buffered: await outcomeOf(() => journal.append(new Uint8Array(1), { durability: "buffered" })),
    offer: await outcomeOf(async () => journal.offer(new Uint8Array(1))),
    whenRoom: await outcomeOf(() => journal.whenRoom()),
    whenDurable: await outcomeOf(() => journal.whenDurable(beyond)),
    snapshot: await outcomeOf(() => journal.snapshot(request)),
    checkpoint: await outcomeOf(() => journal.checkpoint(request)),
    compact: await outcomeOf(() => journal.compact()),
  };
  for (const [call, outcome] of Object.entries(outcomes)) {
    assert.equal(outcome, "NINES_JOURNAL_FAILED", call);
  }
  assert.equal(disk.calls, calls, "a failed journal touches the disk no more");
}

/** What the steps of a life came to, until its journal failed; "ok" alone if all went well. */
async function liveWithFailure(life: Life, steps: number): Promise<Set<string>> {
  const codes = new Set<string>();
  const take = async (step: () => Promise<unknown>): Promise<void> => {
    codes.add(await step().then(() => "ok", codeOf));
  };
  await take(() => life.start());
  for (let step = 0; step < steps && life.journal !== undefined; step++) {
    await take(() => life.step());
    if (life.journal?.failure !== undefined) break;
  }
  if (life.journal !== undefined && life.journal.failure === undefined) {
    await take(() => life.close());
  }
  await life.abandon();
  return codes;
}

/** What the steps of a life came to when the disk failed at a call; throws what should not be. */
export async function failAt(open: OpenJournal, failure: FailureAt): Promise<ReadonlySet<string>> {
  try {
    return await liveAndJudge(open, failure);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BrokenPromise(`${JSON.stringify(failure)}: ${why}`, { cause });
  }
}

/** Fails every `stride`-th of the first so many calls, in lives of several seeds. */
export async function failAtEach(
  open: OpenJournal,
  failures: {
    readonly kind: DiskErrorKind;
    readonly forever: boolean;
    readonly calls: number;
    readonly stride: number;
  },
): Promise<ReadonlySet<string>> {
  const { kind, forever } = failures;
  const codes = new Set<string>();
  for (let afterCalls = 0; afterCalls < failures.calls; afterCalls += failures.stride) {
    const seed = (afterCalls / failures.stride) % 5;
    for (const code of await failAt(open, { afterCalls, forever, kind, seed })) codes.add(code);
  }
  return codes;
}

/** A segment or a snapshot cannot be removed, as on a file system that needs room to give room. */
export async function failAtRemovals(open: OpenJournal): Promise<void> {
  for (let seed = 0; seed < 20; seed++) {
    const removal = { operation: "remove", forever: false, kind: "full", steps: 80 } as const;
    await failAt(open, { ...removal, afterCalls: seed % 4, seed });
  }
}

async function liveAndJudge(open: OpenJournal, failure: FailureAt): Promise<Set<string>> {
  const { afterCalls, kind, seed } = failure;
  const disk = new SimulatedDisk();
  disk.failure = { ...failure };
  const life = new Life(disk, new Ledger(), open, { seed, serial: kind === "full" });
  const codes = await liveWithFailure(life, failure.steps ?? 25);
  const known = ["ok", "DISK", "FULL", "SNAPSHOT", "FAILED"].map((word) =>
    word === "ok" ? word : `NINES_JOURNAL_${word}`,
  );
  for (const code of codes) assert.ok(known.includes(code), code);
  const { journal } = life;
  if (journal?.failure !== undefined) {
    // What has failed may be the journal's own doing, and no call have met it yet.
    await expectFailed(journal, disk);
    codes.add("NINES_JOURNAL_FAILED");
  }
  const image = imageOf(life, "after the failure");
  const random = createPrng(seed + afterCalls);
  for (let outcome = 0; outcome < 4; outcome++) {
    const kept = { ...image.known, closed: false };
    const left =
      outcome === 0
        ? image.disk.afterKill()
        : image.disk.afterPowerLoss(sample(random), { stale: true });
    await startAndJudge(open, left, life.ledger, kept);
  }
  return codes;
}
