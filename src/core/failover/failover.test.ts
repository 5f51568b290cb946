// Who is primary: the table is complete, its moves read as stories, and whatever happens, and
// wherever control is killed, nobody is promoted while somebody else may get traffic.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PlantedFault, randomInputsFind } from "../../../test/planted.fixture.ts";
import {
  bornFailover,
  candidateOf,
  type FailoverRules,
  type FailoverState,
  type KeptFailover,
  mayStart,
  nextEpoch,
  pendingEvents,
  readKeptFailover,
  type Situation,
  sayEpoch,
  step,
} from "./failover.ts";
import {
  failoverEventKinds,
  failoverPhases,
  failoverTable,
  impossible,
  withoutEffect,
} from "./failover-table.ts";

const rules: FailoverRules = {
  failback: "automatic",
  minimumHealthyMs: 30_000,
  drainMs: 2_000,
  fenceMs: 500,
  unfenced: "wait",
};

test("every pair of phase and event is decided, once", () => {
  for (const phase of failoverPhases) {
    for (const kind of failoverEventKinds) {
      const rows = failoverTable.filter((row) => row.from === phase && row.on === kind);
      const said = [
        rows.length > 0,
        withoutEffect[phase].includes(kind),
        impossible[phase].includes(kind),
      ];
      assert.equal(said.filter(Boolean).length, 1, `${phase} on ${kind}`);
      if (rows.length === 0) continue;
      assert.equal(rows.at(-1)?.when, undefined, `${phase} on ${kind} ends with all other cases`);
      const guards = rows.map((row) => row.when);
      assert.equal(new Set(guards).size, guards.length, `${phase} on ${kind} asks each once`);
    }
  }
});

test("every row that moves says so, and only a promotion makes a primary", () => {
  for (const row of failoverTable) {
    const toServing = row.to === "serving" && (row.from === "vacant" || row.from === "fencing");
    if (row.from !== row.to && row.when !== "nobody was primary") assert.ok(row.says, row.on);
    if (row.from === "vacant" && toServing) assert.equal(row.command, "promote");
    if (row.command === "promote") assert.equal(row.to, "serving");
  }
});

/** A service driven by hand: the test says what the world is like. */
class Story {
  state: FailoverState;
  nowMs = 0;
  rules = rules;
  readonly sentences: string[] = [];
  readonly commands: string[] = [];
  world: Situation = {
    nowMs: 0,
    starting: [],
    settled: false,
    heard: true,
    primary: "well",
    why: "",
    fit: ["web-1", "web-2"],
    preferred: "web-1",
    fenced: false,
    killable: true,
    maintenance: false,
  };

  constructor(kept: KeptFailover | "lost" = { epoch: 1_000_001, primary: "web-1", pinned: false }) {
    this.state = bornFailover(kept === "lost" ? undefined : kept, 0, rules);
  }

  /** The world changes; everything that follows at once. */
  see(world: Partial<Situation>, afterMs = 0): this {
    this.nowMs += afterMs;
    this.world = { ...this.world, ...world, nowMs: this.nowMs };
    for (let round = 0; round < 8; round++) {
      const before = this.state;
      for (const event of pendingEvents(this.state, this.world, this.rules)) {
        this.#step(event);
        if (this.state !== before) break;
      }
      if (this.state === before) return this;
      if (this.state.primary !== before.primary) this.world = { ...this.world, primary: "well" };
    }
    assert.fail("it settles");
  }

  order(kind: "order-failover" | "order-failback", to?: string): this {
    const target = to ?? candidateOf(this.state, this.world);
    this.#step({ kind, target, cause: "an operator asked for it" });
    return this;
  }

  #step(event: Parameters<typeof step>[1]): void {
    const { state, command, said } = step(this.state, event, {
      service: "web",
      rules: this.rules,
      situation: this.world,
      nextEpoch: nextEpoch(this.state.epoch, 1),
    });
    this.state = state;
    if (said !== undefined) this.sentences.push(said.sentence);
    if (command !== undefined) this.commands.push(command);
  }

  get now(): string {
    return `${this.state.phase} ${this.state.primary ?? "-"}`;
  }
}

test("a primary whose process ended is replaced at once: nothing is left to fence", () => {
  const story = new Story().see({ primary: "ended", why: "its process has ended", fit: ["web-2"] });
  assert.equal(story.now, "serving web-2");
  assert.deepEqual(story.sentences, ["web-2 is primary of web (epoch 1.2): its process has ended"]);
  story.see({ primary: "well", fit: ["web-1", "web-2"] });
  assert.equal(story.now, "holding web-2");
  assert.equal(story.state.cause, "its process has ended", "it still serves for that reason");
});

test("without time for the workers' word a hung primary is killed, whatever they have said", () => {
  const story = new Story();
  story.rules = { ...rules, fenceMs: 0 };
  // Drained of all that workers know of, then it hangs: its sockets may hold more.
  story.order("order-failover", "web-2");
  story.see({ primary: "failing", why: "no answer in 500 ms", fenced: true });
  assert.deepEqual(story.commands, ["kill", "promote"]);
  assert.equal(story.now, "serving web-2");
});

test("without that time a planned move that takes longer than its drain is given up", () => {
  const story = new Story();
  story.rules = { ...rules, fenceMs: 0 };
  story.order("order-failover", "web-2").see({}, rules.drainMs);
  assert.equal(story.now, "serving web-1");
  assert.match(story.sentences.at(-1) ?? "", /web-1 stays primary.*something under way there/);
  assert.deepEqual(story.commands, []);
});

test("a primary that runs and fails its checks is fenced first", () => {
  const story = new Story().see({ primary: "failing", why: "no answer in 500 ms", fit: ["web-2"] });
  assert.equal(story.now, "fencing web-1");
  story.see({ fenced: true }, 12);
  assert.equal(story.now, "serving web-2");
  assert.deepEqual(story.commands, ["promote"]);
});

test("a worker that does not answer for the fence: the old primary is killed, then replaced", () => {
  const story = new Story().see({ primary: "failing", why: "no answer", fit: ["web-2"] });
  story.see({}, 499);
  assert.deepEqual(story.commands, []);
  story.see({}, 1);
  assert.deepEqual(story.commands, ["kill"]);
  story.see({ primary: "ended", why: "SIGKILL" });
  assert.equal(story.now, "serving web-2");
});

test("killed at once by default, and again when it does not end: never twice in one moment", () => {
  const story = new Story();
  story.rules = { ...rules, fenceMs: 0 };
  story.see({ primary: "failing", why: "no answer", fit: ["web-2"] });
  assert.equal(story.now, "fencing web-1");
  assert.deepEqual(story.see({}, 0.001).see({}, 0.001).commands, ["kill"]);
  assert.deepEqual(story.see({}, 500).commands, ["kill", "kill"]);
  assert.equal(story.see({ primary: "ended", why: "SIGKILL" }).now, "serving web-2");
});

test("what cannot be killed is waited for, or not, as the file says", () => {
  const failing = {
    primary: "failing",
    why: "no answer",
    fit: ["web-2"],
    killable: false,
  } as const;
  const waits = new Story().see(failing).see({}, 500).see({}, 500);
  assert.equal(waits.now, "fencing web-1");
  assert.equal(waits.sentences.length, 2, "said once");
  const promotes = new Story();
  promotes.rules = { ...rules, unfenced: "promote" };
  assert.equal(promotes.see(failing).see({}, 500).now, "serving web-2");
});

test("failback: after its hold, by a planned move; a relapse begins the hold anew", () => {
  const story = new Story({ epoch: 5, primary: "web-2", pinned: false });
  story.see({ fit: ["web-1", "web-2"] });
  assert.equal(story.now, "holding web-2");
  story.see({ fit: ["web-2"] }, 29_000).see({ fit: ["web-1", "web-2"] }, 500);
  assert.equal(story.see({}, 29_999).now, "holding web-2");
  assert.equal(story.see({}, 1).now, "switching web-2");
  assert.equal(story.see({ fenced: true }, 30).now, "serving web-1");
  assert.equal(story.sentences.at(-2)?.includes("web-1 has been well for 30 s"), true);
});

test("manual failback and an operator's choice stay until a word", () => {
  const manual = new Story({ epoch: 5, primary: "web-2", pinned: false });
  manual.rules = { ...rules, failback: "manual" };
  assert.equal(manual.see({}, 1e9).now, "serving web-2");
  manual.order("order-failback", "web-1").see({ fenced: true });
  assert.equal(manual.now, "serving web-1");
  const chosen = new Story().order("order-failover").see({ fenced: true });
  chosen.see({ fenced: false }).see({}, 1e9);
  assert.equal(chosen.now, "serving web-2", "a person moved it away, it stays away");
  assert.equal(chosen.state.pinned, true);
  assert.equal(chosen.see({ primary: "ended", fit: ["web-1"] }).state.pinned, false);
});

test("a planned move that cannot be finished is given up, nobody well is killed", () => {
  const lost = new Story().order("order-failover").see({ fit: ["web-1"] });
  assert.equal(lost.now, "serving web-1");
  const stale = new Story().order("order-failover").see({}, 2_000);
  assert.equal(stale.now, "fencing web-1");
  assert.equal(stale.see({}, 500).now, "serving web-1");
  assert.deepEqual(stale.commands, []);
});

test("in maintenance nothing moves by itself, a person may", () => {
  const story = new Story().see({ maintenance: true });
  story.see({ primary: "failing", why: "no answer", fit: ["web-2"] }).see({}, 60_000);
  assert.equal(story.now, "serving web-1");
  assert.deepEqual(story.sentences, ["nobody takes over from web-1, in maintenance: no answer"]);
  story.see({ primary: "ended", why: "exit code 0" });
  assert.equal(story.now, "vacant web-1");
  assert.equal(story.see({ primary: "well", fit: ["web-1", "web-2"] }).now, "serving web-1");
  assert.equal(story.order("order-failover").see({ fenced: true }).now, "serving web-2");
});

test("without a record nobody is promoted before all workers have said that they send to none", () => {
  const story = new Story("lost").see({ fenced: false }, 400);
  assert.equal(story.now, "fencing -");
  story.see({ fenced: true });
  assert.equal(story.now, "serving web-1");
  assert.equal(story.state.epoch, nextEpoch(0, 1));
});

test("a lost primary that comes back before anybody else may: it alone is promoted", () => {
  const gone = { primary: "ended", why: "exit code 1", fit: [] } as const;
  const story = new Story().see(gone);
  assert.equal(story.now, "vacant web-1");
  // It runs again, a worker may still send to it: nobody else before it is fenced.
  story.see({ primary: "unknown", fit: ["web-2"], fenced: false });
  assert.equal(story.now, "vacant web-1");
  assert.equal(story.see({ fenced: true }).now, "serving web-2");
});

test("a service that starts waits a little for the one whose place it is", () => {
  const story = new Story("lost");
  story.see({ fenced: true, fit: ["web-2"], starting: ["web-1"] });
  assert.equal(story.now, "vacant -");
  assert.equal(story.see({ fit: ["web-1", "web-2"], starting: [] }, 300).now, "serving web-1");
  const left = new Story({ epoch: 5, primary: "web-1", pinned: false });
  left.see({ primary: "ended", fit: [], why: "it ended" });
  left.see({ fit: ["web-2"], starting: ["web-1"], settled: true });
  assert.equal(left.now, "serving web-2", "it was there before");
  const slow = new Story("lost").see({ fenced: true, fit: ["web-2"], starting: ["web-1"] });
  assert.equal(slow.see({}, 1_999).now, "vacant -");
  assert.equal(slow.see({}, 1).now, "serving web-2");
});

test("nothing is moved by plan while a worker is not heard", () => {
  const kept = { epoch: 5, primary: "web-2", pinned: false };
  assert.equal(new Story(kept).see({ heard: false }).now, "serving web-2");
  const held = new Story(kept).see({}).see({ heard: false }, 100);
  assert.equal(held.now, "serving web-2");
  assert.match(held.sentences.at(-1) ?? "", /stays with web-2 for now: a worker .* is not heard/);
  const ordered = new Story().see({ heard: false }).order("order-failover");
  assert.match(ordered.sentences[0] ?? "", /a worker of the gateway is not heard/);
});

test("an order that cannot be followed says why", () => {
  const story = new Story().order("order-failover", "web-9");
  assert.equal(story.now, "serving web-1");
  assert.match(story.sentences[0] ?? "", /web stays as it is: web-9 is not fit/);
  assert.match(new Story().order("order-failover", "web-1").sentences[0] ?? "", /primary already/);
  const busy = new Story().order("order-failover").order("order-failback", "web-1");
  assert.match(busy.sentences[1] ?? "", /it is being moved already/);
});

test("epochs grow from control to control, also when the record was lost", () => {
  assert.equal(sayEpoch(nextEpoch(0, 3)), "3.1");
  assert.ok(nextEpoch(0, 4) > nextEpoch(nextEpoch(0, 3), 3));
  assert.ok(nextEpoch(5_000_007, 4) > 5_000_007);
});

test("a record is read back, and nothing else is", () => {
  const kept = { epoch: 3, primary: "web-1", pinned: true };
  assert.deepEqual(readKeptFailover(JSON.parse(JSON.stringify(kept))), kept);
  for (const other of [undefined, 1, {}, { epoch: 1 }, { epoch: "1", primary: "web-1" }]) {
    assert.equal(readKeptFailover(other), undefined);
  }
});

const real = { bornFailover, mayStart, nextEpoch, pendingEvents, step };
type Core = typeof real;

/**
 * Three instances, workers that hear late, and a control that is killed: what it keeps is the
 * record alone. `reachable` is the truth: a worker may send there now.
 */
class Machine {
  readonly core: Core;
  kept: KeptFailover | undefined;
  state: FailoverState;
  nowMs = 0;
  term = 1;
  readonly process = new Map([1, 2, 3].map((each) => [`web-${each}`, true]));
  readonly well = new Map([1, 2, 3].map((each) => [`web-${each}`, true]));
  readonly reachable = new Set<string>();
  readonly epochs: number[] = [0];

  constructor(core: Core) {
    this.core = core;
    this.state = core.bornFailover(undefined, 0, rules);
  }

  does([what, which]: readonly [string, number]): void {
    const id = `web-${which}`;
    const { primary } = this.state;
    const takesTraffic = this.state.phase === "serving" || this.state.phase === "holding";
    if (what === "crash") this.process.set(id, false);
    if (what === "sick") this.well.set(id, false);
    if (what === "cured") this.well.set(id, true);
    if (what === "wait") this.nowMs += which * 400;
    if (what === "wait long") this.nowMs += 40_000;
    if (what === "start" && this.core.mayStart(this.state, id, !this.reachable.has(id))) {
      this.process.set(id, true);
    }
    if (what === "workers hear" && !(takesTraffic && id === primary)) this.reachable.delete(id);
    if (what === "kill control" || what === "lose record") {
      if (what === "lose record") this.kept = undefined;
      this.term++;
      this.state = this.core.bornFailover(this.kept, this.nowMs, rules);
    }
    if (what === "order") {
      const order = { kind: "order-failover", target: id, cause: "a word" } as const;
      this.step(order);
    }
    this.settle();
    this.onePrimary();
  }

  /** Whoever else could get traffic has no process. */
  onePrimary(): void {
    const { primary } = this.state;
    for (const other of primary === undefined ? [] : this.reachable) {
      const harmless = other === primary || this.process.get(other) !== true;
      assert.ok(harmless, `workers may send to ${other}, and ${primary} is primary`);
    }
  }

  get situation(): Situation {
    const { primary } = this.state;
    const ids = [...this.process.keys()];
    const fit = ids.filter((each) => this.process.get(each) && this.well.get(each));
    const alive = primary !== undefined && this.process.get(primary) === true;
    const sick = alive && !fit.includes(primary);
    return {
      nowMs: this.nowMs,
      starting: [],
      settled: false,
      heard: true,
      primary: alive ? (sick ? "failing" : "well") : "ended",
      why: "so it is",
      fit,
      preferred: "web-1",
      fenced: primary === undefined ? this.reachable.size === 0 : !this.reachable.has(primary),
      killable: true,
      maintenance: false,
    };
  }

  settle(): void {
    for (let round = 0; round < 20; round++) {
      const before = this.state;
      for (const event of this.core.pendingEvents(before, this.situation, rules)) {
        this.step(event);
        if (this.state !== before) break;
      }
      if (this.state === before) return;
    }
    assert.fail(`it settles: ${JSON.stringify(this.state)}`);
  }

  step(event: Parameters<typeof step>[1]): void {
    const { state, command } = this.core.step(this.state, event, {
      service: "web",
      rules,
      situation: this.situation,
      nextEpoch: this.core.nextEpoch(this.state.epoch, this.term),
    });
    if (command === "kill") this.process.set(this.state.primary ?? "", false);
    if (command === "promote") this.promoted(state);
    this.state = state;
  }

  promoted({ primary = "", epoch, pinned }: FailoverState): void {
    assert.ok(epoch > Math.max(...this.epochs), "epochs grow");
    this.epochs.push(epoch);
    this.kept = { primary, epoch, pinned };
    this.reachable.add(primary);
    this.state = { ...this.state, primary };
    this.onePrimary();
  }
}

const WORDS: readonly string[] = [
  "crash",
  "sick",
  "cured",
  "start",
  "start",
  "workers hear",
  "workers hear",
  "kill control",
  "lose record",
  "wait",
  "wait long",
  "order",
];

const word = fc.tuple(fc.constantFrom(...WORDS), fc.integer({ min: 1, max: 3 }));

let promotions = 0;

const neverTwo = (core: Core) =>
  fc.property(fc.array(word, { maxLength: 80, size: "max" }), (words) => {
    const machine = new Machine(core);
    for (const one of words) machine.does(one);
    promotions += machine.epochs.length - 1;
  });

test("never two primaries, wherever control is killed and whatever it forgets", () => {
  fc.assert(neverTwo(real), { numRuns: 2_000 });
  assert.ok(promotions > 2_000, `${promotions} promotions were seen`);
});

test("when all is well and workers hear, the preferred one is primary in the end", () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60, size: "max" }), (words) => {
      const machine = new Machine(real);
      for (const one of words) machine.does(one);
      machine.state = bornFailover(machine.kept && { ...machine.kept, pinned: false }, 0, rules);
      machine.nowMs = 0;
      const all = (what: string) => [1, 2, 3].map((which) => [what, which] as const);
      const heal = [...all("cured"), ...all("workers hear"), ...all("start")];
      for (const each of heal) machine.does(each);
      for (const each of [["wait long", 1] as const, ...all("workers hear")]) machine.does(each);
      assert.equal(`${machine.state.phase} ${machine.state.primary}`, "serving web-1");
    }),
  );
});

const CORE = "src/core/failover/failover.js";
const TABLE = "src/core/failover/failover-table.js";
const planted: readonly PlantedFault[] = [
  {
    name: "a lost primary is forgotten when it is started again",
    file: CORE,
    find: 'if (fenced || primary === "ended")',
    replace: "if (fenced !== undefined)",
  },
  {
    name: "whoever ended is started again at once",
    file: CORE,
    find: "return sealed || id === state.primary;",
    replace: "return sealed || id !== undefined;",
  },
  {
    name: "without a record anybody is promoted",
    file: CORE,
    find: 'phase: kept === undefined ? "fencing" : "serving",',
    replace: 'phase: kept === undefined ? "vacant" : "serving",',
  },
  {
    name: "epochs begin anew with a lost record",
    file: CORE,
    find: "Math.max(epoch, term * epochsInTerm) + 1",
    replace: "Math.max(epoch, epochsInTerm) + 1",
  },
  {
    name: "a primary that fails its checks is replaced unfenced",
    file: TABLE,
    find: 'row(from, "primary-failing", "fencing", { when: "another is fit", ...fencing }),',
    replace: 'promoted(from, "primary-failing", { when: "another is fit" }),',
  },
  {
    name: "a planned move does not wait",
    file: TABLE,
    find: 'switching("holding", "deadline"),',
    replace: 'promoted("holding", "deadline"),',
  },
];

randomInputsFind<Core>(CORE, planted, neverTwo, 20_000);
