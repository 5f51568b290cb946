// The dispatcher's slow, obvious twin: an object an instance, sets and filters, no slots, no
// caches. It says which instances may be chosen; the real one must choose among them. `play` drives
// both with the same commands and throws where they part.

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type BalanceAlgorithm,
  balanceAlgorithms,
  plainService,
  type TableInstance,
} from "../route/table.ts";
import type { createDispatcher } from "./create-dispatcher.ts";
import { ALL_BUSY, type Dispatcher, NO_INSTANCE, type Outcome, outcome } from "./dispatcher.ts";

const BASE_MS = 1000;
const MAX_MS = 8000;

interface Ejected {
  lengthMs: number;
  dueMs: number;
  sinceMs: number;
  probeMs: number;
  byVerdict: boolean;
}

interface Known {
  table: TableInstance;
  ejected: Ejected | undefined;
  unansweredInRow: number;
}

interface Attempt {
  readonly id: string;
  readonly slot: number;
  readonly beganMs: number;
}

class Twin {
  readonly known = new Map<string, Known>();
  readonly attempts: Attempt[] = [];
  listed = new Set<string>();
  controlAlive = true;
  maxConnections = 0;
  readonly notices: string[] = [];

  /** Ids that may be chosen, or why none. */
  allowed(nowMs: number, tried: ReadonlySet<string>): ReadonlySet<string> | number {
    const all = [...this.listed].filter((id) => this.#mayTakeTraffic(id));
    const [own, backups] = [
      all.filter((id) => !this.#backup(id)),
      all.filter((id) => this.#backup(id)),
    ];
    const usable = (ids: string[]) => ids.filter((id) => this.#of(id).ejected === undefined);
    const ejected = (ids: string[]) => ids.filter((id) => this.#of(id).ejected !== undefined);
    if (tried.size === 0) {
      const isDue = (id: string) => nowMs >= (this.#of(id).ejected?.dueMs ?? Infinity);
      const probes = (ids: string[]) => ids.filter((id) => isDue(id) && !this.#busy(id));
      if (probes(own).length > 0) return new Set(probes(own));
      if (usable(own).length === 0 && probes(backups).length > 0) return new Set(probes(backups));
    }
    const tiers = [usable(own), usable(backups), ejected(own), ejected(backups)];
    for (const without of [tried, new Set<string>()]) {
      for (const tier of tiers) {
        const left = tier.filter((id) => !without.has(id));
        const free = left.filter((id) => !this.#busy(id));
        if (free.length > 0) return new Set(free);
        if (left.length > 0) return ALL_BUSY;
      }
    }
    return NO_INSTANCE;
  }

  begin(id: string, slot: number, nowMs: number): void {
    this.attempts.push({ id, slot, beganMs: nowMs });
    const { ejected } = this.#of(id);
    if (ejected === undefined || nowMs < ejected.dueMs) return;
    ejected.lengthMs = Math.min(2 * ejected.lengthMs, MAX_MS);
    ejected.dueMs = nowMs + ejected.lengthMs;
    ejected.probeMs = nowMs;
  }

  head(attempt: Attempt): void {
    const known = this.#of(attempt.id);
    if (known.ejected !== undefined && attempt.beganMs >= known.ejected.sinceMs) {
      this.#readmit(attempt.id);
    }
  }

  end(attempt: Attempt, nowMs: number, result: Outcome): void {
    this.attempts.splice(this.attempts.indexOf(attempt), 1);
    const known = this.#of(attempt.id);
    const { ejected } = known;
    const answered = result === outcome.answered || result === outcome.serverError;
    if (ejected === undefined) {
      if (answered) known.unansweredInRow = 0;
      if (result === outcome.timedOut) known.unansweredInRow++;
      const broke = result === outcome.connectFailed || result === outcome.reset;
      if (broke || (result === outcome.timedOut && known.unansweredInRow >= 3)) {
        known.ejected = ejection(nowMs, false);
        this.notices.push(`${attempt.id} ejected`);
      }
    } else if (answered) {
      this.head(attempt);
    } else if (attempt.beganMs >= ejected.probeMs) {
      ejected.probeMs = Infinity;
      if (result === outcome.abandoned) {
        ejected.lengthMs = Math.max(ejected.lengthMs / 2, BASE_MS);
        ejected.dueMs = nowMs;
      } else {
        ejected.sinceMs = nowMs;
        ejected.dueMs = nowMs + ejected.lengthMs;
        this.notices.push(`${attempt.id} ejected`);
      }
    }
    this.#forgetGone();
  }

  update(instances: readonly TableInstance[], nowMs: number): void {
    this.listed = new Set(instances.map((table) => table.id));
    for (const table of instances) {
      const before = this.known.get(table.id);
      const known = before ?? { table, ejected: undefined, unansweredInRow: 0 };
      const renewed = table.generation > known.table.generation;
      const turned = table.verdict !== known.table.verdict;
      known.table = table;
      this.known.set(table.id, known);
      if (renewed) this.#renew(known);
      if (before === undefined || renewed || turned) this.#suspectIfDown(known, nowMs);
    }
    this.#forgetGone();
  }

  setControlAlive(alive: boolean, nowMs: number): void {
    if (alive === this.controlAlive) return;
    this.controlAlive = alive;
    for (const known of this.known.values()) {
      if (!alive) this.#suspectIfDown(known, nowMs);
      else if (known.ejected?.byVerdict) this.#pardon(known);
    }
  }

  ejectedIds(): string[] {
    return [...this.listed].filter((id) => this.#of(id).ejected !== undefined).sort();
  }

  #renew(known: Known): void {
    const wasEjected = known.ejected !== undefined;
    this.#pardon(known);
    if (wasEjected && this.#mayTakeTraffic(known.table.id)) {
      this.notices.push(`${known.table.id} readmitted`);
    }
  }

  #readmit(id: string): void {
    this.#pardon(this.#of(id));
    this.notices.push(`${id} readmitted`);
  }

  #pardon(known: Known): void {
    known.ejected = undefined;
    known.unansweredInRow = 0;
  }

  #suspectIfDown(known: Known, nowMs: number): void {
    const down = known.table.verdict === "down" && this.listed.has(known.table.id);
    if (down && !this.controlAlive) known.ejected ??= ejection(nowMs, true);
  }

  #mayTakeTraffic(id: string): boolean {
    const { verdict } = this.#of(id).table;
    return verdict === "up" || (verdict === "down" && !this.controlAlive);
  }

  #backup(id: string): boolean {
    return this.#of(id).table.backup;
  }

  #busy(id: string): boolean {
    const active = this.attempts.filter((attempt) => attempt.id === id).length;
    return this.maxConnections > 0 && active >= this.maxConnections;
  }

  #of(id: string): Known {
    const known = this.known.get(id);
    assert.ok(known !== undefined, `${id} is known`);
    return known;
  }

  /** What left the table is remembered for as long as an attempt on it is under way. */
  #forgetGone(): void {
    for (const id of this.known.keys()) {
      const active = this.attempts.some((attempt) => attempt.id === id);
      if (!active && !this.listed.has(id)) this.known.delete(id);
    }
  }
}

function ejection(nowMs: number, byVerdict: boolean): Ejected {
  const dueMs = nowMs + BASE_MS;
  return { lengthMs: BASE_MS, dueMs, sinceMs: nowMs, probeMs: Infinity, byVerdict };
}

export type Command =
  | { readonly kind: "request"; readonly balance: BalanceAlgorithm; readonly triedBits: number }
  | { readonly kind: "head" | "end"; readonly which: number; readonly result: Outcome }
  | { readonly kind: "pass"; readonly durationMs: number }
  | { readonly kind: "control"; readonly alive: boolean }
  | {
      readonly kind: "table";
      readonly maxConnections: number;
      readonly instances: readonly (TableInstance | undefined)[];
    };

const IDS = ["web-1", "web-2", "web-3", "web-4", "web-5"];

/** Long scripts: an instance must fail, be probed and fail again before some promises are met. */
export function commands(): fc.Arbitrary<readonly Command[]> {
  const balance = fc.constantFrom(...balanceAlgorithms);
  const result = fc.constantFrom(...Object.values(outcome));
  const which = fc.oneof(fc.constant(0), fc.nat(20));
  const request = fc.record({
    kind: fc.constant("request" as const),
    balance,
    triedBits: fc.oneof(fc.constant(0), fc.nat(31)),
  });
  const end = fc.record({
    kind: fc.constantFrom("end" as const, "end" as const, "head" as const),
    which,
    result,
  });
  const pass = fc.record({
    kind: fc.constant("pass" as const),
    durationMs: fc.oneof(fc.nat(50), fc.constantFrom(999, 1000, 2000, 4000)),
  });
  const control = fc.record({ kind: fc.constant("control" as const), alive: fc.boolean() });
  const one = fc.oneof(
    { arbitrary: request, weight: 12 },
    { arbitrary: end, weight: 12 },
    { arbitrary: pass, weight: 4 },
    { arbitrary: control, weight: 1 },
    { arbitrary: table(), weight: 1 },
  );
  const rest = fc.array(one, { maxLength: 150, size: "max" });
  return fc.tuple(table(), rest).map(([first, others]) => [first, ...others]);
}

function table(): fc.Arbitrary<Command> {
  const instances = IDS.map((id, index) =>
    fc.option(
      fc.record({
        id: fc.constant(id),
        host: fc.constant("127.0.0.1"),
        port: fc.constant(9000 + index),
        weight: fc.integer({ min: 1, max: 3 }),
        backup: fc.constant(index >= 3),
        verdict: fc.constantFrom(
          "up" as const,
          "up" as const,
          "draining" as const,
          "down" as const,
        ),
        generation: fc.constantFrom(1, 1, 1, 2, 3),
        share: fc.constant(1),
      }),
      { nil: undefined },
    ),
  );
  return fc.record({
    kind: fc.constant("table" as const),
    maxConnections: fc.constantFrom(0, 0, 1, 3),
    instances: fc.tuple(...instances),
  });
}

/** Plays the commands to a new dispatcher and to its twin; throws where they part. */
export function play(create: typeof createDispatcher, script: readonly Command[]): void {
  new Play(create).run(script);
}

class Play {
  readonly #twin = new Twin();
  readonly #notices: string[] = [];
  readonly #dispatcher: Dispatcher;
  readonly #slotOf = new Map<string, number>();
  #nowMs = 5000;
  #draws = 0;

  constructor(create: typeof createDispatcher) {
    const nothing = { ...plainService, name: "web", instances: [] };
    this.#dispatcher = create(nothing, this.#nowMs, {
      ejectionBaseMs: BASE_MS,
      ejectionMaxMs: MAX_MS,
      random: () => (this.#draws++ * 0.618) % 1,
      onEjection: ({ instance, kind }) => this.#notices.push(`${instance} ${kind}`),
    });
  }

  run(script: readonly Command[]): void {
    for (const command of script) {
      this.#step(command);
      this.#compare();
    }
  }

  #step(command: Command): void {
    const [twin, dispatcher, nowMs] = [this.#twin, this.#dispatcher, this.#nowMs];
    if (command.kind === "pass") {
      this.#nowMs += command.durationMs;
    } else if (command.kind === "control") {
      dispatcher.setControlAlive(command.alive, nowMs);
      twin.setControlAlive(command.alive, nowMs);
    } else if (command.kind === "table") {
      const { maxConnections } = command;
      const instances = command.instances.filter((each) => each !== undefined);
      dispatcher.update({ ...plainService, name: "web", instances, maxConnections }, nowMs);
      twin.maxConnections = maxConnections;
      twin.update(instances, nowMs);
    } else if (command.kind === "request") {
      this.#request(command.balance, command.triedBits);
    } else {
      // 0 is the latest: often a probe.
      const attempt = twin.attempts.at(-1 - (command.which % Math.max(1, twin.attempts.length)));
      if (attempt === undefined) return;
      const latencyMs = nowMs - attempt.beganMs;
      if (command.kind === "head") {
        dispatcher.answering(attempt.slot, nowMs, latencyMs);
        twin.head(attempt);
      } else {
        dispatcher.finished(attempt.slot, nowMs, command.result, latencyMs);
        twin.end(attempt, nowMs, command.result);
      }
    }
  }

  #request(balance: BalanceAlgorithm, triedBits: number): void {
    const triedIds = IDS.filter((id, bit) => (triedBits >> bit) & 1 && this.#slotOf.has(id));
    const tried = Int32Array.from(triedIds, (id) => this.#slotOf.get(id) ?? -1);
    const slot = this.#dispatcher.choose(balance, this.#nowMs, 7, tried, tried.length);
    const allowed = this.#twin.allowed(this.#nowMs, new Set(triedIds));
    if (typeof allowed === "number" || slot < 0) {
      assert.equal(slot, allowed);
      return;
    }
    const { id } = this.#dispatcher.instance(slot);
    assert.ok(allowed.has(id), `${id} is one of ${[...allowed].join(", ")}`);
    this.#slotOf.set(id, slot);
    this.#dispatcher.started(slot, this.#nowMs);
    this.#twin.begin(id, slot, this.#nowMs);
  }

  #compare(): void {
    for (const { slot, id } of this.#twin.attempts) {
      assert.equal(this.#dispatcher.instance(slot).id, id, "a slot under way keeps its instance");
    }
    for (const id of this.#slotOf.keys()) if (!this.#twin.known.has(id)) this.#slotOf.delete(id);
    assert.deepEqual([...this.#dispatcher.ejected(this.#nowMs)].sort(), this.#twin.ejectedIds());
    assert.deepEqual(this.#notices, this.#twin.notices);
  }
}
