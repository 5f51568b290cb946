// The loop of a vault's duties, on a clock, processes and a disk of the test's own.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackupConfig } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { DutySchedule } from "../../core/vault/duties.ts";
import type { DutyOrder, DutyReport } from "../../ports/duty-programs.ts";
import type { EventEntry } from "../../ports/events.ts";
import type { ExitReport, ProcessIdentity, StartRequest } from "../../ports/processes.ts";
import { VaultDuties } from "./duties.ts";

const hourMs = 3_600_000;

class Timers {
  nowMs = 1_800_000_000_000;
  #next: { readonly atMs: number; readonly run: () => void }[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, run: () => void): Disposable {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.#next.push(timer);
    return {
      [Symbol.dispose]: () => {
        this.#next = this.#next.filter((one) => one !== timer);
      },
    };
  }

  async advance(byMs: number): Promise<void> {
    const untilMs = this.nowMs + byMs;
    await settled();
    for (;;) {
      const due = this.#next.filter(({ atMs }) => atMs <= untilMs);
      const first = due.sort((a, b) => a.atMs - b.atMs)[0];
      if (first === undefined) break;
      this.#next = this.#next.filter((one) => one !== first);
      this.nowMs = first.atMs;
      first.run();
      await settled();
    }
    this.nowMs = untilMs;
  }
}

/** What has begun goes on to its next wait. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

/** What outlives control: processes and the disk. */
class Machine {
  readonly clock = new Timers();
  readonly recorded: EventEntry[] = [];
  readonly kept = new Map<string, unknown>();
  readonly orders: DutyOrder[] = [];
  readonly reports = new Map<string, DutyReport>();
  readonly signals: string[] = [];
  running: { readonly pid: number; listeners: ((report: ExitReport) => void)[] } | undefined;
  refusesStarts = false;
  /** How long a start takes. */
  startMs = 0;
  #pid = 100;

  control(schedule: DutySchedule, more: Partial<BackupConfig> = {}): VaultDuties {
    const duties = new VaultDuties({
      clock: this.clock,
      events: { record: (entry) => void this.recorded.push(entry) },
      records: {
        read: (key) => this.kept.get(key),
        list: () => [],
        write: (key, value) => void this.kept.set(key, JSON.parse(JSON.stringify(value))),
        remove: (key) => void this.kept.delete(key),
      },
      processes: {
        start: async ({ announce }: StartRequest) => {
          if (this.refusesStarts) throw new NinesError("NINES_PROCESS_START", "No memory.");
          await new Promise<void>((resolve) => void this.clock.after(this.startMs, resolve));
          assert.equal(this.running, undefined, "one duty at a time");
          this.running = { pid: ++this.#pid, listeners: [] };
          announce?.(identityOf(this.#pid));
          return this.#process(this.#pid);
        },
        adopt: ({ pid }) => (this.running?.pid === pid ? this.#process(pid) : undefined),
      },
      programs: {
        request: (order) => {
          this.orders.push(order);
          const { kind: name } = order;
          const command = ["nines"];
          return { command, workingDirectory: "/", environment: {}, logFile: "/log", name };
        },
        report: (id) => this.reports.get(id),
        forget: (id) => void this.reports.delete(id),
      },
    });
    const config = { sources: [{ name: "shop" }], schedule, ...more };
    duties.follow(config as BackupConfig);
    return duties;
  }

  /** The duty under way ends, with a last word or without. */
  end(report?: Partial<DutyReport>): void {
    const { id } = this.orders.at(-1) ?? { id: "" };
    const whole = { outcome: "done", sentence: "It was done.", said: [] } as const;
    if (report !== undefined) this.reports.set(id, { ...whole, ...report });
    const listeners = this.running?.listeners ?? [];
    this.running = undefined;
    for (const listener of listeners) listener({ kind: "exited", code: 0 });
  }

  kinds(): readonly string[] {
    return this.orders.map(({ kind }) => kind);
  }

  said(kind: string): readonly string[] {
    return this.recorded.filter((one) => one.kind === kind).map(({ sentence }) => sentence);
  }

  #process(pid: number) {
    let listener: (report: ExitReport) => void = () => undefined;
    return {
      identity: identityOf(pid),
      memoryEnforced: false,
      onExit: (run: (report: ExitReport) => void) => {
        listener = run;
        this.running?.listeners.push((report) => listener(report));
      },
      signal: (signal: string) => {
        this.signals.push(signal);
        return true;
      },
      residentBytes: () => undefined,
      release: () => {
        listener = () => undefined;
      },
    };
  }
}

function identityOf(pid: number): ProcessIdentity {
  return { pid, startTime: "boot 1" };
}

describe("the loop of a vault's duties", () => {
  it("does what is due, one after the other, and what failed again with the reason said", async () => {
    const machine = new Machine();
    machine.control({ run: hourMs, prune: hourMs });
    await machine.clock.advance(1_000);
    assert.deepEqual(machine.kinds(), ["run"]);
    await machine.clock.advance(hourMs);
    assert.deepEqual(machine.kinds(), ["run"], "nothing beside it");
    machine.end({});
    await machine.clock.advance(1_000);
    // It took longer than its interval: it is due again, and goes before.
    assert.deepEqual(machine.kinds(), ["run", "run"]);
    machine.end({});
    await machine.clock.advance(1_000);
    machine.end({ outcome: "failed", sentence: "Target b is away." });
    assert.deepEqual(machine.said("backup.duty-failed"), [
      "The prune has failed: Target b is away. It is tried again in 1 min.",
    ]);
    await machine.clock.advance(59_000);
    assert.deepEqual(machine.kinds(), ["run", "run", "prune"]);
    await machine.clock.advance(2_000);
    machine.end({});
    assert.deepEqual(machine.said("backup.duty-recovered"), [
      "The prune works again. It was done.",
    ]);
  });

  it("waits for a start that takes its time", async () => {
    const machine = new Machine();
    machine.startMs = 5_500;
    machine.control({ run: hourMs, prune: hourMs });
    await machine.clock.advance(10_000);
    assert.deepEqual(machine.kinds(), ["run"]);
  });

  it("counts a process that ends without a word, or does not start, as failed", async () => {
    const machine = new Machine();
    machine.control({ run: hourMs });
    await machine.clock.advance(1_000);
    machine.end();
    machine.refusesStarts = true;
    await machine.clock.advance(61_000);
    const [killed, refused] = machine.said("backup.duty-failed");
    assert.match(killed ?? "", /ended without a word: it was killed/);
    assert.match(refused ?? "", /No memory\. It is tried again in 2 min\./);
  });

  it("adopts the duty that an earlier control has started, and takes in its report", async () => {
    const machine = new Machine();
    const first = machine.control({ run: hourMs });
    await machine.clock.advance(1_000);
    first.release();
    const second = machine.control({ run: hourMs });
    assert.equal(second.state()?.running?.order.kind, "run");
    await machine.clock.advance(hourMs / 2);
    machine.end({ said: [{ kind: "backup.finished", level: "info", sentence: "Snapshot 1." }] });
    assert.deepEqual(machine.said("backup.finished"), ["Snapshot 1."]);
    await machine.clock.advance(hourMs / 2 - 5_000);
    assert.deepEqual(machine.kinds(), ["run"]);
  });

  it("takes in the report of a duty that has ended while no control was there", async () => {
    const machine = new Machine();
    machine.control({ run: hourMs }).release();
    await machine.clock.advance(1_000);
    machine.end({ outcome: "failed", sentence: "Target b is away." });
    machine.control({ run: hourMs });
    assert.match(machine.said("backup.duty-failed")[0] ?? "", /Target b is away/);
  });

  it("lets a scrub yield to what is due, and go on where it was", async () => {
    const machine = new Machine();
    machine.control({ run: hourMs, scrub: hourMs });
    await machine.clock.advance(1_000);
    machine.end({});
    await machine.clock.advance(2_000);
    assert.deepEqual(machine.kinds(), ["run", "scrub"]);
    await machine.clock.advance(hourMs);
    assert.deepEqual(machine.signals[0], "SIGTERM");
    machine.end({ outcome: "unfinished", cursor: "pack 17" });
    await machine.clock.advance(1_000);
    machine.end({});
    await machine.clock.advance(1_000);
    assert.deepEqual(
      machine.orders.slice(2).map(({ kind, cursor }) => ({ kind, cursor })),
      [
        { kind: "run", cursor: undefined },
        { kind: "scrub", cursor: "pack 17" },
      ],
    );
  });

  it("kills what does not end when it is asked to", async () => {
    const machine = new Machine();
    const duties = machine.control({ run: hourMs, scrub: hourMs });
    await machine.clock.advance(1_000);
    machine.end({});
    await machine.clock.advance(hourMs + 70_000);
    assert.deepEqual(new Set(machine.signals), new Set(["SIGTERM", "SIGKILL"]));
    machine.end();
    machine.signals.length = 0;
    await machine.clock.advance(1_000);
    const stopped = duties.stop(5_000);
    await machine.clock.advance(5_000);
    assert.deepEqual(machine.signals, ["SIGTERM", "SIGKILL"]);
    machine.end();
    await stopped;
    duties.follow({ sources: [], schedule: { run: hourMs } } as unknown as BackupConfig);
    await machine.clock.advance(2 * hourMs);
    assert.equal(machine.running, undefined, "nothing is started after a stop");
  });

  it("says once that a source has grown too old, and once that it is well again", async () => {
    const machine = new Machine();
    const more = { staleAfterMs: 2 * hourMs };
    const duties = machine.control({ run: 10 * hourMs }, more);
    await machine.clock.advance(hourMs);
    const restorable = { snapshot: "ab12", startedMs: machine.clock.nowMs };
    machine.end({ freshness: [{ source: "shop", restorable, broken: 0, reason: "" }] });
    await machine.clock.advance(2 * hourMs);
    assert.deepEqual(machine.said("backup.stale"), []);
    await machine.clock.advance(2 * hourMs);
    assert.equal(machine.said("backup.stale").length, 1);
    assert.equal(duties.state()?.sources[0]?.isStale, true);
    duties.release();
    machine.control({ run: 10 * hourMs }, more);
    await machine.clock.advance(6 * hourMs);
    assert.equal(machine.said("backup.stale").length, 1, "not again by the next control");
    const newer = { snapshot: "cd34", startedMs: machine.clock.nowMs };
    machine.end({ freshness: [{ source: "shop", restorable: newer, broken: 0, reason: "" }] });
    assert.equal(machine.said("backup.fresh").length, 1);
  });

  it("remembers what a drill could not restore until one could", async () => {
    const machine = new Machine();
    const duties = machine.control({ drill: hourMs });
    const restorable = { snapshot: "ab12", startedMs: machine.clock.nowMs };
    const freshness = [{ source: "shop", restorable, broken: 0, reason: "" }];
    await machine.clock.advance(1_000);
    machine.end({ outcome: "failed", freshness, drilled: { failed: ["ab12"], passed: [] } });
    assert.equal(duties.state()?.sources[0]?.isStale, true);
    await machine.clock.advance(70_000);
    machine.end({ drilled: { failed: [], passed: ["ab12"] } });
    assert.equal(duties.state()?.sources[0]?.isStale, false);
  });
});
