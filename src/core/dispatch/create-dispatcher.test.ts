// The dispatcher's promises as stories; then random scripts against its twin, and faults planted in
// the built code to see that those scripts find them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PlantedFault, randomInputsFind } from "../../../test/planted.fixture.ts";
import { createPrng } from "../base/prng.ts";
import {
  type BalanceAlgorithm,
  balanceAlgorithms,
  defaultDetection,
  type DetectionPolicy,
  plainRule,
  plainService,
  type TableInstance,
} from "../route/table.ts";
import { createDispatcher } from "./create-dispatcher.ts";
import { ALL_BUSY, type Dispatcher, NO_INSTANCE, type Outcome, outcome } from "./dispatcher.ts";
import { commands, play } from "./twin.fixture.ts";

const NONE_TRIED = new Int32Array(8);
const roundRobin = plainRule("round-robin");

function instance(number: number, fields: Partial<TableInstance> = {}): TableInstance {
  const id = `web-${number}`;
  const plain = { weight: 1, backup: false, verdict: "up" as const, generation: 1, share: 1 };
  return { id, host: "127.0.0.1", port: 9000 + number, ...plain, ...fields };
}

/** A dispatcher at work, told by the ids that it chooses. */
class Story {
  readonly sentences: string[] = [];
  readonly dispatcher: Dispatcher;
  nowMs = 0;

  constructor(instances: readonly TableInstance[], maxConnections = 0) {
    this.dispatcher = createDispatcher(service(instances, maxConnections), 0, {
      random: () => 0,
      onEjection: ({ sentence }) => this.sentences.push(sentence),
    });
  }

  choose(tried: readonly number[] = []): number {
    const list = Int32Array.from([...tried, 0]);
    return this.dispatcher.choose(roundRobin, this.nowMs, 0, list, tried.length, true);
  }

  /** One attempt, begun and ended now; the id of its instance. */
  attempt(result: Outcome, tried: readonly number[] = []): string {
    const slot = this.choose(tried);
    if (slot < 0) return String(slot);
    const { id } = this.dispatcher.instance(slot);
    this.dispatcher.started(slot, this.nowMs);
    this.dispatcher.finished(slot, this.nowMs, result, 0, false);
    return id;
  }

  attempts(count: number, result: Outcome = outcome.answered): string[] {
    return Array.from({ length: count }, () => this.attempt(result));
  }
}

function service(instances: readonly TableInstance[], maxConnections = 0) {
  return { ...plainService, name: "web", instances, maxConnections };
}

test("a connect failure ejects at once, and the others take the traffic", () => {
  const story = new Story([instance(1), instance(2), instance(3)]);
  assert.equal(story.attempt(outcome.connectFailed), "web-1");
  assert.deepEqual(story.attempts(4), ["web-2", "web-3", "web-2", "web-3"]);
  assert.deepEqual(story.dispatcher.ejected(0), ["web-1"]);
  assert.deepEqual(story.sentences, ["web-1 ejected for 1 s: the connection failed"]);
});

test("one that has a backup of its own is ejected, alone or not: the backup takes its place", () => {
  const story = new Story([instance(1), instance(2, { backupOf: "web-1" })]);
  assert.deepEqual(story.attempts(3, outcome.timedOut), ["web-1", "web-1", "web-1"]);
  assert.deepEqual(story.dispatcher.ejected(0), ["web-1"]);
  assert.deepEqual(story.attempts(3, outcome.timedOut), ["web-2", "web-2", "web-2"]);
  assert.deepEqual(story.dispatcher.ejected(0), ["web-1"], "nobody would take the backup's");
});

test("when the ejection is over, one request finds out; an answer readmits", () => {
  const story = new Story([instance(1), instance(2)]);
  story.attempt(outcome.reset);
  story.nowMs = 999;
  assert.deepEqual(story.attempts(2), ["web-2", "web-2"]);
  story.nowMs = 1000;
  const probe = story.choose();
  assert.equal(story.dispatcher.instance(probe).id, "web-1");
  story.dispatcher.started(probe, 1000);
  assert.deepEqual(story.attempts(3), ["web-2", "web-2", "web-2"], "one at a time");
  story.nowMs = 1010;
  story.dispatcher.finished(probe, 1010, outcome.answered, 10, false);
  assert.deepEqual(new Set(story.attempts(2)), new Set(["web-1", "web-2"]));
  assert.equal(story.sentences.at(-1), "web-1 readmitted: it answered a request");
});

test("each failed probe doubles the ejection, up to its longest", () => {
  const story = new Story([instance(1), instance(2)]);
  assert.equal(story.attempt(outcome.connectFailed), "web-1");
  for (const lengthMs of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    story.nowMs += lengthMs - 1;
    assert.equal(story.attempt(outcome.answered), "web-2");
    story.nowMs += 1;
    assert.equal(story.attempt(outcome.connectFailed), "web-1");
  }
});

test("a probe's answer need not end to readmit, and a probe without one blocks nothing", () => {
  const story = new Story([instance(1), instance(2)]);
  story.attempt(outcome.reset);
  story.nowMs = 1000;
  const hung = story.choose();
  story.dispatcher.started(hung, 1000);
  story.nowMs = 3000;
  const second = story.choose();
  assert.equal(second, hung, "the next probe's time has come");
  story.dispatcher.started(second, 3000);
  story.dispatcher.answering(second, 3050, 50, -1, true);
  assert.deepEqual(story.dispatcher.ejected(3050), []);
});

test("a request is refused only when there is nothing to try", () => {
  const story = new Story([instance(1), instance(2)]);
  story.attempts(2, outcome.connectFailed);
  assert.deepEqual(new Set(story.attempts(2, outcome.connectFailed)), new Set(["web-1", "web-2"]));
  const nobody = new Story([
    instance(1, { verdict: "down" }),
    instance(2, { verdict: "draining" }),
  ]);
  assert.equal(nobody.choose(), NO_INSTANCE);
  assert.equal(new Story([]).choose(), NO_INSTANCE);
});

test("without control, an instance called down is tried again by one real request", () => {
  const story = new Story([instance(1, { verdict: "down" }), instance(2)]);
  assert.deepEqual(story.attempts(2), ["web-2", "web-2"]);
  story.dispatcher.setControlAlive(false, 0);
  assert.deepEqual(story.attempts(2), ["web-2", "web-2"]);
  story.nowMs = 1000;
  assert.equal(story.attempt(outcome.answered), "web-1");
  assert.deepEqual(new Set(story.attempts(2)), new Set(["web-1", "web-2"]));
  story.dispatcher.setControlAlive(true, 1000);
  assert.deepEqual(story.attempts(2), ["web-2", "web-2"], "control's word is final again");
});

test("backups wait until nobody else is usable", () => {
  const story = new Story([instance(1), instance(2, { backup: true })]);
  assert.deepEqual(story.attempts(2), ["web-1", "web-1"]);
  story.attempt(outcome.connectFailed);
  assert.deepEqual(story.attempts(2), ["web-2", "web-2"]);
});

test("a retry goes elsewhere while anybody else is left", () => {
  const story = new Story([instance(1), instance(2, { backup: true })]);
  const first = story.choose();
  const second = story.choose([first]);
  assert.notEqual(second, first);
  assert.equal(story.choose([first, second]), first, "then it may as well begin again");
});

test("instances at their limit make a request wait, also when a backup is idle", () => {
  const story = new Story([instance(1), instance(2, { backup: true })], 1);
  const slot = story.choose();
  story.dispatcher.started(slot, 0);
  assert.equal(story.choose(), ALL_BUSY);
  story.dispatcher.finished(slot, 0, outcome.answered, 0, false);
  assert.equal(story.choose(), slot);
});

test("a newer generation clears the ejection, the same one does not", () => {
  const story = new Story([instance(1), instance(2)]);
  story.attempt(outcome.reset);
  story.dispatcher.update(service([instance(1), instance(2)]), 1);
  assert.deepEqual(story.dispatcher.ejected(1), ["web-1"]);
  story.dispatcher.update(service([instance(1, { generation: 2 }), instance(2)]), 2);
  assert.deepEqual(story.dispatcher.ejected(2), []);
});

test("three requests in a row without an answer eject, two and an answer do not", () => {
  const story = new Story([instance(1), instance(2)]);
  const { timedOut, answered } = outcome;
  const first = (result: Outcome) => story.attempt(result, [1]);
  for (const result of [timedOut, timedOut, answered, timedOut, timedOut]) first(result);
  assert.deepEqual(story.dispatcher.ejected(0), []);
  first(timedOut);
  assert.deepEqual(story.sentences, ["web-1 ejected for 1 s: 3 requests in a row went unanswered"]);
});

test("changes count together, whoever made them, and the fourth of a minute waits", () => {
  const story = new Story([instance(1), instance(2)]);
  const says = (verdict: "up" | "failing", generation: number): void => {
    const first = instance(1, { verdict, generation });
    story.dispatcher.update(service([first, instance(2)]), story.nowMs);
  };
  story.attempt(outcome.connectFailed);
  story.nowMs = 2_000;
  says("up", 2);
  story.nowMs = 4_000;
  says("failing", 2);
  story.nowMs = 6_000;
  says("up", 3);
  assert.deepEqual(story.dispatcher.ejected(6_000), ["web-1"]);
  assert.match(story.sentences.at(-1) ?? "", /^web-1 held back for 56 s: it came and went twice/);
  assert.deepEqual(new Set(story.attempts(4)), new Set(["web-2"]));
  story.nowMs = 62_000;
  assert.equal(story.attempt(outcome.answered), "web-1", "its probe");
  assert.deepEqual(story.dispatcher.ejected(62_000), []);
});

test("a drain is no change, and a hold ends when too few others are left", () => {
  const story = new Story([instance(1), instance(2)]);
  for (const generation of [2, 3, 4, 5]) {
    const drained = instance(1, { verdict: "draining" });
    story.dispatcher.update(service([drained, instance(2)]), story.nowMs++);
    story.dispatcher.update(service([instance(1, { generation }), instance(2)]), story.nowMs++);
  }
  for (const generation of [6, 7]) {
    story.attempt(outcome.connectFailed, [1]);
    story.dispatcher.update(service([instance(1, { generation }), instance(2)]), ++story.nowMs);
  }
  assert.deepEqual(story.dispatcher.ejected(story.nowMs), ["web-1"]);
  assert.equal(story.attempt(outcome.connectFailed), "web-2");
  assert.equal(story.attempt(outcome.answered), "web-1");
  assert.deepEqual(story.dispatcher.ejected(story.nowMs), ["web-2"]);
});

test("whom control holds back is taken when too few others are left, and stays", () => {
  const heldBack = instance(1, { verdict: "standby" });
  const story = new Story([heldBack, instance(2)]);
  assert.deepEqual(new Set(story.attempts(4)), new Set(["web-2"]));
  story.dispatcher.setControlAlive(false, 0);
  assert.equal(story.attempt(outcome.connectFailed), "web-2");
  assert.deepEqual(story.attempts(2), ["web-1", "web-1"]);
  assert.equal(
    story.sentences.at(-1),
    "web-1 readmitted: it was held back, and too few others take traffic",
  );
  story.nowMs = 1000;
  assert.equal(story.attempt(outcome.answered), "web-2", "its probe");
  story.dispatcher.setControlAlive(true, 1000);
  story.dispatcher.update(service([heldBack, instance(2)]), 1000);
  assert.deepEqual(new Set(story.attempts(4)), new Set(["web-1", "web-2"]));
  story.dispatcher.update(service([instance(1, { verdict: "failing" }), instance(2)]), 2000);
  story.dispatcher.update(service([heldBack, instance(2)]), 3000);
  assert.deepEqual(new Set(story.attempts(4)), new Set(["web-2"]), "a new hold");
});

/** web-1 falls silent and answers again, web-2 answers on; nobody may be ejected for silence. */
class SilenceStory extends Story {
  readonly #service = { ...service([instance(1), instance(2)]), detection: uncertain };

  constructor() {
    super([instance(1), instance(2)]);
    this.dispatcher.update(this.#service, 0);
    this.#answerNow(0);
    this.#answerNow(1);
  }

  silence(durationMs: number): void {
    const sinceMs = this.nowMs;
    for (let request = 0; request < 3; request++) this.#send(0);
    while (this.nowMs < sinceMs + durationMs) {
      this.nowMs += 5;
      this.#answerNow(1);
      this.dispatcher.scan(this.nowMs, 0);
    }
    assert.deepEqual(this.dispatcher.late(), ["web-1"]);
    assert.deepEqual(this.dispatcher.ejected(this.nowMs), []);
    for (let request = 0; request < 3; request++) this.#answer(0, sinceMs);
    this.#answerNow(0);
  }

  checkAnew(): void {
    const instances = [instance(1, { generation: 2 }), instance(2)];
    this.dispatcher.update({ ...this.#service, instances }, this.nowMs);
  }

  #answerNow(slot: number): void {
    this.#send(slot);
    this.#answer(slot, this.nowMs);
  }

  #send(slot: number): void {
    this.dispatcher.started(slot, this.nowMs);
    this.dispatcher.awaits(slot, this.nowMs);
  }

  #answer(slot: number, sinceMs: number): void {
    const waitedMs = this.nowMs - sinceMs;
    this.dispatcher.answering(slot, this.nowMs, waitedMs, waitedMs, true);
    this.dispatcher.finished(slot, this.nowMs, outcome.answered, waitedMs, false);
  }
}

const uncertain = { ...defaultDetection, maxEjectedRatio: 0 };

test("a second of silence is a change, too, where it was only avoided", () => {
  for (const [silentMs, held] of [
    [900, []],
    [1_100, ["web-1"]],
  ] as const) {
    const story = new SilenceStory();
    story.silence(silentMs);
    story.attempt(outcome.connectFailed, [1]);
    story.checkAnew();
    assert.deepEqual(story.dispatcher.ejected(story.nowMs), held);
  }
});

test("and the end of the second one within a minute waits", () => {
  const story = new SilenceStory();
  story.silence(1_100);
  story.nowMs += 2_000;
  story.silence(1_100);
  assert.match(story.sentences.at(-1) ?? "", /^web-1 held back for 57 s: it came and went twice/);
  assert.deepEqual(story.dispatcher.ejected(story.nowMs), ["web-1"]);
});

test("but not that of one who was away himself for an eighth of it: processors are short", () => {
  const story = new SilenceStory();
  for (const lateByMs of [138, 0, 0]) {
    story.dispatcher.scan(story.nowMs, lateByMs);
    story.silence(1_100);
  }
  assert.deepEqual(story.dispatcher.ejected(story.nowMs), []);
  story.nowMs += 120_000;
  for (let times = 0; times < 2; times++) story.silence(1_100);
  assert.deepEqual(story.dispatcher.ejected(story.nowMs), ["web-1"], "that was long ago");
});

/** web-1 of three hangs by a pattern; a request every 10 ms, and who of them is in the traffic. */
class HangingStory extends Story {
  readonly shares: boolean[] = [];
  #unanswered: { readonly slot: number; readonly atMs: number }[] = [];
  #own = 0;

  constructor(detection: DetectionPolicy) {
    const instances = [instance(1), instance(2), instance(3)];
    super(instances);
    this.dispatcher.update({ ...service(instances), detection }, 0);
  }

  pass(durationMs: number, hung: boolean): void {
    const untilMs = this.nowMs + durationMs;
    if (!hung) {
      for (const { slot, atMs } of this.#unanswered) this.#answer(slot, this.nowMs - atMs);
      this.#unanswered = [];
    }
    for (; this.nowMs < untilMs; this.nowMs += 5) {
      if (this.nowMs % 10 === 0) this.#ask(hung);
      this.dispatcher.scan(this.nowMs, 0);
      if (this.nowMs % 500 === 0) {
        // As in the bench: a fifth of an even share of the fifty.
        this.shares.push(this.#own > 50 / 3 / 5);
        this.#own = 0;
      }
    }
  }

  /** The most changes that any minute saw. */
  changesMax(): number {
    const changed = this.shares.map((now, at) => at > 1 && now !== this.shares[at - 1]);
    const inMinutes = changed.map((_, at) => changed.slice(at, at + 119).filter(Boolean).length);
    return Math.max(...inMinutes);
  }

  #ask(hung: boolean): void {
    const slot = this.choose();
    this.dispatcher.started(slot, this.nowMs);
    this.dispatcher.awaits(slot, this.nowMs);
    const isOwn = this.dispatcher.instance(slot).id === "web-1";
    if (isOwn) this.#own++;
    if (isOwn && hung) this.#unanswered.push({ slot, atMs: this.nowMs });
    else this.#answer(slot, 2);
  }

  #answer(slot: number, latencyMs: number): void {
    this.dispatcher.answering(slot, this.nowMs, latencyMs, latencyMs, true);
    this.dispatcher.finished(slot, this.nowMs, outcome.answered, latencyMs, false);
  }
}

for (const [how, detection, hungMsMin] of [
  ["ejected for it", defaultDetection, 0],
  ["only avoided", uncertain, 1_100],
] as const) {
  test(`whatever the pattern of its silences, three changes a minute; ${how}`, () => {
    const lengths = fc.tuple(
      fc.integer({ min: 20, max: 1_000 }),
      fc.integer({ min: hungMsMin / 5, max: 1_000 }),
    );
    const patterns = fc.array(lengths, { minLength: 15, maxLength: 15 });
    fc.assert(
      fc.property(patterns, (pattern) => {
        const story = new HangingStory(detection);
        for (const [wellSteps, hungSteps] of pattern) {
          story.pass(5 * wellSteps, false);
          story.pass(5 * hungSteps, true);
        }
        assert.ok(story.changesMax() <= 3, story.sentences.join("\n"));
      }),
      { numRuns: 30 },
    );
  });
}

test("errors in a row eject who gives them, while its peer does well; no error readmits", () => {
  const story = new Story([instance(1), instance(2)]);
  for (let round = 0; round < 6; round++) {
    story.attempt(outcome.answered, [0]);
    story.attempt(outcome.serverError, [1]);
  }
  assert.deepEqual(story.dispatcher.ejected(0), ["web-1"]);
  story.nowMs = 1000;
  assert.equal(story.attempt(outcome.serverError), "web-1", "its probe");
  assert.deepEqual(story.dispatcher.ejected(1000), ["web-1"]);
});

test("one of a pair that answers errors alone is taken over, and is not where nobody stands in", () => {
  const pair = new Story([instance(1), instance(2, { backupOf: "web-1" })]);
  assert.deepEqual(new Set(pair.attempts(5, outcome.serverError)), new Set(["web-1"]));
  assert.equal(
    pair.sentences.at(-1),
    "web-1 ejected for 1 s: 5 errors in a row, and its backup may do better",
  );
  const backups = pair.attempts(10, outcome.serverError);
  assert.deepEqual(new Set(backups), new Set(["web-2"]), "it has nobody that could do better");
  pair.nowMs = 1_000;
  assert.equal(pair.attempt(outcome.answered), "web-1", "its probe");
  assert.equal(pair.attempt(outcome.answered), "web-1");
  const alone = new Story([instance(1), instance(2, { backupOf: "web-9" })]);
  for (let request = 0; request < 10; request++) alone.attempt(outcome.serverError, [1]);
  assert.deepEqual(alone.dispatcher.ejected(0), []);
});

test("a half that fails, and pulls the mean with it, is found by its share of errors", () => {
  const all = [1, 2, 3, 4, 5, 6].map((number) => instance(number));
  const rounds = (detection: Partial<DetectionPolicy>): Story => {
    const story = new Story(all);
    const told = { ...service(all), detection: { ...defaultDetection, ...detection } };
    story.dispatcher.update(told, 0);
    story.dispatcher.tick(0);
    for (let round = 0; round < 60; round++) {
      const isGood = round % 5 === 0;
      story.attempts(3, isGood ? outcome.answered : outcome.serverError);
      story.attempts(3);
    }
    story.dispatcher.tick(10_000);
    return story;
  };
  assert.deepEqual(rounds({}).sentences, []);
  assert.deepEqual(rounds({ failureRatio: 0.81 }).sentences, []);
  const { dispatcher, sentences } = rounds({ failureRatio: 0.8 });
  assert.deepEqual(dispatcher.ejected(10_000), ["web-1", "web-2", "web-3"]);
  assert.equal(
    sentences[0],
    "web-1 ejected for 1 s: 20% of its answers were good, and 20% is too few",
  );
});

test("who has left is not ejected for the answers that it gave", () => {
  const all = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => instance(number));
  const story = new Story(all);
  story.dispatcher.tick(0);
  for (let round = 0; round < 120; round++) {
    story.attempts(7);
    story.attempt(round % 2 === 0 ? outcome.answered : outcome.serverError);
  }
  story.dispatcher.update(service(all.slice(0, 7)), 5000);
  story.dispatcher.tick(10_000);
  assert.deepEqual(story.sentences, []);
});

/** Requests by slot, where silence matters. */
function asking(dispatcher: Dispatcher) {
  const ask = (slot: number, nowMs: number): void => {
    dispatcher.started(slot, nowMs);
    dispatcher.awaits(slot, nowMs);
  };
  const answer = (slot: number, nowMs: number): void => {
    ask(slot, nowMs);
    dispatcher.answering(slot, nowMs + 1, 1, 1, true);
    dispatcher.finished(slot, nowMs + 1, outcome.answered, 1, false);
  };
  return { ask, answer };
}

test("who has left is no peer: its good answers make nobody an outlier", () => {
  const all = [1, 2, 3, 4, 5].map((number) => instance(number));
  const story = new Story(all);
  story.dispatcher.tick(0);
  for (let round = 0; round < 120; round++) {
    story.attempt(round % 2 === 0 ? outcome.answered : outcome.serverError);
    story.attempts(4);
  }
  story.dispatcher.update(service(all.slice(0, 4)), 5000);
  story.dispatcher.tick(10_000);
  assert.deepEqual(story.sentences, [], "four are too few to say what is usual");
});

test("who has left is no peer: nobody that is alone is late because of it", () => {
  const { dispatcher } = new Story([instance(1), instance(2)]);
  const { ask, answer } = asking(dispatcher);
  answer(0, 0);
  answer(1, 0);
  dispatcher.update(service([instance(1)]), 5);
  ask(0, 10);
  for (let nowMs = 15; nowMs < 1000; nowMs += 5) dispatcher.scan(nowMs, 0);
  assert.deepEqual(dispatcher.late(), []);
});

test("who is late is tried again and again, also when nobody is left to compare it with", () => {
  const { dispatcher } = new Story([instance(1), instance(2)]);
  const { ask, answer } = asking(dispatcher);
  answer(1, 0);
  ask(0, 10);
  dispatcher.scan(16, 0);
  answer(1, 17);
  answer(1, 18);
  dispatcher.scan(30, 0);
  assert.deepEqual(dispatcher.late(), ["web-1"]);
  dispatcher.update(service([instance(1), instance(2, { generation: 2 })]), 31);
  dispatcher.scan(35, 0);
  const tried = [1000, 1100, 1250, 1500].map((nowMs) => {
    const slot = dispatcher.choose(roundRobin, nowMs, 0, NONE_TRIED, 0, true);
    return dispatcher.instance(slot).id;
  });
  assert.deepEqual(tried, ["web-1", "web-2", "web-1", "web-1"]);
});

test("who is late is so no more when silence stops being judged", () => {
  const instances = [instance(1), instance(2)];
  const { dispatcher } = new Story(instances);
  const { ask, answer } = asking(dispatcher);
  answer(0, 0);
  answer(1, 0);
  ask(0, 10);
  dispatcher.scan(16, 0);
  answer(1, 17);
  answer(1, 18);
  dispatcher.scan(30, 0);
  assert.deepEqual(dispatcher.late(), ["web-1"]);
  const plain = service(instances);
  dispatcher.update({ ...plain, detection: { ...plain.detection, stall: false } }, 31);
  assert.deepEqual(dispatcher.late(), []);
  dispatcher.scan(1000, 0);
  assert.deepEqual(dispatcher.late(), []);
});

test("who was away while nobody asked for anything returns with a tenth as well", () => {
  const plain = { ...service([instance(1), instance(2)]), slowStartMs: 10_000 };
  const options = { random: () => 0.5, onEjection: () => {} };
  const dispatcher = createDispatcher(plain, 0, options);
  const away = [instance(1), instance(2, { verdict: "down" })];
  dispatcher.update({ ...plain, instances: away }, 1000);
  dispatcher.update({ ...plain, instances: [instance(1), instance(2)] }, 2000);
  for (let request = 0; request < 4; request++) {
    const slot = dispatcher.choose(roundRobin, 2000, 0, NONE_TRIED, 0, true);
    assert.equal(dispatcher.instance(slot).id, "web-1");
  }
});

test("who returns gets a share that grows from a tenth; a canary keeps its own", () => {
  const draws = { next: 0.5 };
  const instances = [instance(1), instance(2, { verdict: "down" }), instance(3, { share: 0.2 })];
  const plain = { ...service(instances), slowStartMs: 10_000 };
  const options = { random: () => draws.next, onEjection: () => {} };
  const dispatcher = createDispatcher(plain, 0, options);
  const chosen = (nowMs: number): Set<string> => {
    const ids = [1, 2, 3, 4, 5, 6].map(() =>
      dispatcher.choose(roundRobin, nowMs, 0, NONE_TRIED, 0, true),
    );
    return new Set(ids.map((slot) => dispatcher.instance(slot).id));
  };
  assert.deepEqual(chosen(0), new Set(["web-1"]));
  dispatcher.update(
    { ...plain, instances: [instance(1), instance(2), instance(3, { share: 0.2 })] },
    1000,
  );
  assert.deepEqual(chosen(1000), new Set(["web-1"]));
  assert.deepEqual(chosen(6000), new Set(["web-1", "web-2"]), "55% after half of the time");
  draws.next = 0.1;
  assert.deepEqual(chosen(6000), new Set(["web-1", "web-2", "web-3"]));
});

test("what began before the ejection is no evidence of the time after it", () => {
  const story = new Story([instance(1), instance(2)]);
  const slot = story.choose();
  story.dispatcher.started(slot, 0);
  story.dispatcher.started(slot, 0);
  story.dispatcher.finished(slot, 100, outcome.reset, 100, false);
  story.dispatcher.finished(slot, 200, outcome.answered, 200, false);
  assert.deepEqual(story.dispatcher.ejected(200), ["web-1"]);
});

test("an attempt keeps its instance when the table loses it, and another gets another slot", () => {
  const story = new Story([instance(1)]);
  const slot = story.choose();
  const before = story.dispatcher.instance(slot);
  story.dispatcher.started(slot, 0);
  story.dispatcher.update(service([instance(2)]), 1);
  assert.equal(story.dispatcher.instance(slot), before);
  assert.equal(story.attempt(outcome.answered), "web-2");
  story.dispatcher.finished(slot, 2, outcome.answered, 2, false);
  story.dispatcher.update(service([instance(2), instance(3)]), 3);
  assert.equal(story.dispatcher.instance(slot).id, "web-3", "then the slot is lent anew");
});

test("requests stay in the gateway's zone, and spill to zones that have something to spare", () => {
  const zoned = (counts: readonly number[]): TableInstance[] =>
    counts.flatMap((count, zone) =>
      Array.from({ length: count }, (_unused, index) =>
        instance(100 * zone + index, { zone: `zone-${zone}` }),
      ),
    );
  const random = createPrng(3);
  const options = { random: () => random.ratio(), onEjection: () => {} };
  const zones = { name: "zone-0", entering: 0, minimum: 6 };
  const shares = (instances: TableInstance[], rule = roundRobin): number[] => {
    const dispatcher = createDispatcher({ ...service(instances), zones }, 0, options);
    const counts = [0, 0, 0];
    for (let request = 0; request < 6_000; request++) {
      const slot = dispatcher.choose(rule, 0, 77 * request, NONE_TRIED, 0, true);
      const zone = Math.floor((dispatcher.instance(slot).port - 9_000) / 100);
      counts[zone] = (counts[zone] ?? 0) + 1 / 6_000;
    }
    return counts;
  };
  const near = (got: readonly number[], wanted: readonly number[]): void => {
    for (const [zone, share] of wanted.entries()) {
      assert.ok(Math.abs((got[zone] ?? 0) - share) < 0.03, `${String(got)} is ${String(wanted)}`);
    }
  };
  near(shares(zoned([4, 4, 4])), [1, 0, 0]);
  near(shares(zoned([6, 3, 3])), [1, 0, 0]);
  // A third of the traffic enters here, a sixth of the instances is: a half of it stays.
  near(shares(zoned([2, 5, 5])), [0.5, 0.25, 0.25]);
  near(shares(zoned([2, 4, 6])), [0.5, 0, 0.5]);
  for (const algorithm of ["least-request", "weighted", "ring", "rendezvous"] as const) {
    near(shares(zoned([2, 5, 5]), plainRule(algorithm)), [0.5, 0.25, 0.25]);
  }
  near(shares(zoned([1, 2, 2])), [0.2, 0.4, 0.4]);
});

test("workers with a subset use it alone, together all instances, and all when theirs fail", () => {
  const instances = Array.from({ length: 10 }, (_unused, index) => instance(index));
  const random = createPrng(4);
  const options = { random: () => random.ratio(), onEjection: () => {} };
  const subset = { ...service(instances), subset: 4 };
  const workers = [0, 1, 2].map((rank) => {
    const dispatcher = createDispatcher(subset, 0, options);
    dispatcher.standAt({ rank, workers: 3 }, 0);
    return dispatcher;
  });
  const counts = (dispatcher: Dispatcher, requests: number): number[] => {
    const found = new Array<number>(10).fill(0);
    for (let request = 0; request < requests; request++) {
      const slot = dispatcher.choose(roundRobin, 0, request, NONE_TRIED, 0, true);
      const index = dispatcher.instance(slot).port - 9_000;
      found[index] = (found[index] ?? 0) + 1;
    }
    return found;
  };
  const each = workers.map((dispatcher) => counts(dispatcher, 4_000));
  for (const found of each) assert.ok(found.filter((count) => count > 0).length <= 8);
  for (let index = 0; index < 10; index++) {
    const all = each.reduce((sum, found) => sum + (found[index] ?? 0), 0);
    assert.ok(Math.abs(all - 1_200) < 150, `${all} of 12,000 to one of ten`);
  }
  const [first] = workers;
  assert.ok(first !== undefined);
  const half = instances.map((one, index) =>
    index < 3 ? { ...one, verdict: "failing" as const } : one,
  );
  first.update({ ...subset, instances: half }, 0);
  const spilt = counts(first, 4_000);
  assert.deepEqual(spilt.slice(0, 3), [0, 0, 0]);
  assert.ok((spilt[9] ?? 0) > 200, "what failed is carried by the others");
  first.update({ ...subset, instances: instances.slice(0, 3) }, 0);
  assert.ok(counts(first, 300).every((count, index) => count > 0 === index < 3));
});

test("weights follow reported loads from ten seconds on, and are the table's without them", () => {
  const random = createPrng(5);
  const options = { random: () => random.ratio(), onEjection: () => {} };
  const instances = [1, 2, 3].map((number) => instance(number, { weight: 2 }));
  const plain = { ...service(instances), loadReports: true } as const;
  const dispatcher = createDispatcher(plain, 0, options);
  const capacity = [400, 200, 100];
  let nowMs = 0;
  /** A second of requests; who answers says how much of what it can do that was. */
  const second = (algorithm: BalanceAlgorithm): number[] => {
    const counts = [0, 0, 0];
    for (let request = 0; request < 210; request++) {
      nowMs += 1000 / 210;
      const slot = dispatcher.choose(plainRule(algorithm), nowMs, request, NONE_TRIED, 0, true);
      const index = dispatcher.instance(slot).port - 9001;
      counts[index] = (counts[index] ?? 0) + 1;
      dispatcher.started(slot, nowMs);
      dispatcher.answering(slot, nowMs, 0, -1, true);
      const utilization = ((counts[index] ?? 0) * 210) / (request + 1) / (capacity[index] ?? 1);
      const report = { utilization, requestsPerSecond: 0, errorsPerSecond: 0 };
      dispatcher.reported(slot, nowMs, report);
      dispatcher.finished(slot, nowMs, outcome.answered, 0, false);
    }
    dispatcher.tick(nowMs);
    return counts;
  };
  for (let passed = 0; passed < 10; passed++) assert.deepEqual(second("weighted"), [70, 70, 70]);
  for (let passed = 0; passed < 5; passed++) second("weighted");
  for (const [index, count] of second("weighted").entries()) {
    const part = (210 * (capacity[index] ?? 0)) / 700;
    assert.ok(Math.abs(count - part) < 0.2 * part, `${count} of ${part}`);
  }
  const other = createDispatcher(service(instances), nowMs, options);
  for (const algorithm of ["ring", "rendezvous", "maglev"] as const) {
    const leads = (to: typeof dispatcher): readonly string[] =>
      Array.from({ length: 200 }, (_unused, key) => {
        const slot = to.choose(plainRule(algorithm), nowMs, key, NONE_TRIED, 0, true);
        return to.instance(slot).id;
      });
    assert.deepEqual(leads(dispatcher), leads(other), "keys do not follow the load");
  }
  dispatcher.update(service(instances), nowMs);
  for (const count of second("weighted")) assert.ok(Math.abs(count - 70) <= 1);
});

test("10,000 instances are served, and a thousand come and go", () => {
  const many = Array.from({ length: 10_000 }, (_unused, number) => instance(number));
  const story = new Story(many);
  for (const algorithm of balanceAlgorithms) {
    assert.ok(story.dispatcher.choose(plainRule(algorithm), 0, 1, NONE_TRIED, 0, true) >= 0);
  }
  story.dispatcher.update(service(many.slice(0, 9000)), 1);
  assert.equal(story.attempts(9001).at(-1), story.attempts(9000).at(-1));
});

test("a level that is built larger than it need be sheds what it cannot carry, and panics alone", () => {
  const of = (numbers: readonly number[], fields: Partial<TableInstance>): TableInstance[] =>
    numbers.map((number) => instance(number, fields));
  const instances = [
    ...of([1, 2], {}),
    ...of([3, 4], { verdict: "failing" }),
    ...of([5, 6, 7, 8], { priority: 1 }),
  ];
  const random = createPrng(1);
  const detection = { ...defaultDetection, panicRatio: 0.5 };
  const plain = { ...service(instances), overProvision: 1.4, detection };
  const options = { random: () => random.ratio(), onEjection: () => {} };
  const dispatcher = createDispatcher(plain, 0, options);
  const shares = (): Map<number, number> => {
    const counts = new Map<number, number>();
    for (let request = 0; request < 10_000; request++) {
      const slot = dispatcher.choose(roundRobin, 0, 0, NONE_TRIED, 0, true);
      const { port } = dispatcher.instance(slot);
      counts.set(port - 9000, (counts.get(port - 9000) ?? 0) + 1 / 10_000);
    }
    return counts;
  };
  const near = (counts: Map<number, number>, wanted: readonly number[]): void => {
    for (const [index, share] of wanted.entries()) {
      const got = counts.get(index + 1) ?? 0;
      assert.ok(Math.abs(got - share) < 0.02, `web-${index + 1} got ${got} of ${share}`);
    }
  };
  near(shares(), [0.35, 0.35, 0, 0, 0.075, 0.075, 0.075, 0.075]);
  const gone = instances.map((each, index) =>
    index === 0 || index === 4 || index === 5 || index === 6
      ? { ...each, verdict: "failing" as const }
      : each,
  );
  // A quarter of each is well: 35% and 35%, so half of the traffic each, to all of each.
  dispatcher.update({ ...plain, instances: gone }, 1);
  near(shares(), Array<number>(8).fill(1 / 8));
  // Without all that nobody panics while the last one is well.
  const last = gone.map((each, index) =>
    index < 4 ? { ...each, verdict: "failing" as const } : each,
  );
  const without = { ...plain, overProvision: 0, detection: defaultDetection, instances: last };
  dispatcher.update(without, 2);
  near(shares(), [0, 0, 0, 0, 0, 0, 0, 1]);
});

const property = (create: typeof createDispatcher) =>
  fc.property(commands(), (script) => play(create, script));

test("does what its obvious twin does", () => {
  fc.assert(property(createDispatcher), { numRuns: 500 });
});

const DISPATCHER = "src/core/dispatch/create-dispatcher.js";
const CHOOSER = "src/core/dispatch/chooser.js";
const EJECTIONS = "src/core/dispatch/ejections.js";
const SLOTS = "src/core/dispatch/slots.js";
const TIERS = "src/core/dispatch/tiers.js";
const PRESENCE = "src/core/dispatch/presence.js";
const OUTLIER = "src/core/detect/outlier.js";
const planted: readonly PlantedFault[] = [
  {
    name: "who is at its limit holds up those of another zone",
    file: CHOOSER,
    find: "if (other >= 0)",
    replace: "if (other < -2)",
  },
  {
    name: "in the gateway's zone nobody else is known",
    file: TIERS,
    find: "wells.unshift(this.#tier(NEAR))",
    replace: "return [this.#tier(NEAR)]",
  },
  {
    name: "a client stays with a backup while others serve",
    file: TIERS,
    find: "if (this.#well[before] > 0)",
    replace: "if (this.#well[before] < 0)",
  },
  {
    name: "a client stays with whom the gateway has ejected",
    file: TIERS,
    find: "if (!this.isMember(slot) || !this.isUsable(slot))",
    replace: "if (!this.isMember(slot) || !this.isOpen(slot))",
  },
  {
    name: "a draining instance is chosen",
    file: TIERS,
    find: "if (verdict[slot] === verdictCode.up)",
    replace: "if (verdict[slot] === verdictCode.up || verdict[slot] === verdictCode.draining)",
  },
  {
    name: "a standby is chosen",
    file: TIERS,
    find: "if (verdict[slot] === verdictCode.up)",
    replace: "if (verdict[slot] === verdictCode.up || verdict[slot] === verdictCode.standby)",
  },
  {
    name: "a failing instance is never tried",
    file: TIERS,
    find: "|| this.isFailing(slot);",
    replace: ";",
  },
  {
    name: "a failing instance shares the traffic",
    file: TIERS,
    find: "return this.isOpen(slot) && !",
    replace: "return (this.isOpen(slot) || this.isFailing(slot)) && !",
  },
  {
    name: "an instance that control calls down is chosen",
    file: TIERS,
    find: "=== verdictCode.down && !controlAlive",
    replace: "=== verdictCode.down",
  },
  {
    name: "a primary is left alone for longer and longer",
    file: DISPATCHER,
    find: 'mode === "primary-standby" ? ejectionBaseMs : ejectionMaxMs',
    replace: "mode.length > 0 ? ejectionMaxMs : ejectionBaseMs",
  },
  {
    name: "without control a primary that is down is tried",
    file: TIERS,
    find: '!controlAlive && mode !== "primary-standby"',
    replace: "!controlAlive",
  },
  {
    name: "an ejected primary is tried by everybody",
    file: TIERS,
    find: "if (isLeftAlone)",
    replace: "if (false)",
  },
  {
    name: "a stand-in shares the traffic",
    file: TIERS,
    find: "if (standsIn && this.isUsable(backed))",
    replace: "if (false)",
  },
  {
    name: "a stand-in waits for one that drains or is ejected",
    file: TIERS,
    find: "standsIn && this.isUsable(backed)",
    replace: "standsIn",
  },
  {
    name: "nobody panics before the last one is gone",
    file: TIERS,
    find: "panic[0] = well > 0 &&",
    replace: "panic[0] = false &&",
  },
  {
    name: "an instance is tried twice",
    file: CHOOSER,
    find: "shut[tried[index]] = 1;",
    replace: ";",
  },
  {
    name: "a refused connection does not eject",
    file: DISPATCHER,
    find: 'this.#eject(slot, nowMs, "connect", "the connection failed");',
    replace: "",
  },
  {
    name: "the cap is tested before the candidate is added",
    file: DISPATCHER,
    find: "isOutAlready ? out : out + 1",
    replace: "isOutAlready ? out - 1 : out",
  },
  {
    name: "errors eject although the peers fail too",
    file: OUTLIER,
    find: "return good >= runMax && good >= bad;",
    replace: "return true;",
  },
  {
    name: "errors eject although the peers fail more often than not",
    file: OUTLIER,
    find: "return good >= runMax && good >= bad;",
    replace: "return good >= runMax;",
  },
  {
    name: "the errors of one of a pair are everybody's fault",
    file: DISPATCHER,
    find: "else if (this.#outlier.isUncompared(",
    replace: "else if (false && this.#outlier.isUncompared(",
  },
  {
    name: "a backup is tried although others fail as well",
    file: OUTLIER,
    find: "=== 0 && this.#peersBadInRun(slot) === 0;",
    replace: "=== 0;",
  },
  {
    name: "errors in a row never eject",
    file: DISPATCHER,
    find: "this.#outlier.bad(slot);",
    replace: "",
  },
  {
    name: "an instance comes and goes without end",
    file: DISPATCHER,
    find: "return this.#presences.flaps(",
    replace: "return false && this.#presences.flaps(",
  },
  {
    name: "a checked instance returns however often it came and went",
    file: DISPATCHER,
    find: "else if (this.#mustWait(slot, nowMs, isControls))",
    replace: "else if (false)",
  },
  {
    name: "an answer readmits however often it came and went",
    file: DISPATCHER,
    find: "this.#tiers.isOpen(slot) && this.#mustWait(",
    replace: "false && this.#mustWait(",
  },
  {
    name: "what control takes out and in is no change to a worker",
    file: DISPATCHER,
    find: "const isAsked = listed[slot] === 0 ||",
    replace: "const isAsked = verdict[slot] !== verdictCode.up ||",
  },
  {
    name: "a person's wish counts as flapping",
    file: PRESENCE,
    find: "isAsked ? changes : withChange(changes, atMs)",
    replace: "withChange(changes, atMs)",
  },
  {
    name: "one of the last is held back",
    file: DISPATCHER,
    find: "isControls) && this.#isHalfUsable(nowMs, slot)",
    replace: "isControls)",
  },
  {
    name: "a hold goes on when too few others are left",
    file: DISPATCHER,
    find: "this.#ejections.endHolds(this.#slots.count, nowMs);",
    replace: "",
  },
  {
    name: "a hold of control's goes on when too few others are left",
    file: DISPATCHER,
    find: "if (this.#isAnyHeldBack)",
    replace: "if (false)",
  },
  {
    name: "the standby of a primary is taken for one that flaps",
    file: TIERS,
    find: 'return isStandby && this.rules.mode !== "primary-standby";',
    replace: "return isStandby;",
  },
  {
    name: "whom control holds back goes again with every table",
    file: SLOTS,
    find: 'if (instance.verdict !== "standby")',
    replace: "if (true)",
  },
  {
    name: "all whom control holds back are taken for the need of one",
    file: DISPATCHER,
    find: "if (this.#isHalfUsable(nowMs, NO_INSTANCE))\n                return;",
    replace: "",
  },
  {
    name: "what failed before a readmission ejects after it",
    file: EJECTIONS,
    find: "return beganMs + ROUNDING_MS >= this.#clearedMs[slot];",
    replace: "return true;",
  },
  {
    name: "a readmission forgives",
    file: EJECTIONS,
    find: "isRemembered ? this.#nextMs[slot] : 0",
    replace: "0",
  },
  {
    name: "many requests probe at once",
    file: EJECTIONS,
    find: "this.dueMs[slot] = nowMs + doubledMs;",
    replace: "",
  },
  {
    name: "the ejection does not double",
    file: EJECTIONS,
    find: "2 * this.lengthMs[slot]",
    replace: "this.lengthMs[slot]",
  },
  {
    name: "a request that must not fail is the probe",
    file: CHOOSER,
    find: "if (repeatable || !this.#tiers",
    replace: "if (true || !this.#tiers",
  },
  {
    name: "nobody is tried when all are ejected",
    file: TIERS,
    find: "return isAnyWell ? wells :",
    replace: "return true ? wells :",
  },
  {
    name: "backups share the traffic",
    file: SLOTS,
    find: "return Math.min(priority ?? (backup ? 1 : 0),",
    replace: "return Math.min(priority ?? 0,",
  },
  {
    name: "the busy spill to backups",
    file: CHOOSER,
    find: "return this.#isAnyBusy(tier, tried, triedCount) ? ALL_BUSY : NO_INSTANCE;",
    replace: "return NO_INSTANCE;",
  },
  {
    name: "the busy are chosen",
    file: TIERS,
    find: "active[slot] >= most",
    replace: "active[slot] > most",
  },
  {
    name: "an instance's own limit is not looked at",
    file: TIERS,
    find: "own === OF_SERVICE ? this.#rules.maxConnections : own",
    replace: "this.#rules.maxConnections",
  },
  {
    name: "who was busy never comes back",
    file: TIERS,
    find: "tier.busy--;\n            this.#enter(tier, slot);",
    replace: "tier.busy--;",
  },
  {
    name: "a busy one that was tried makes others wait",
    file: CHOOSER,
    find: "if (!isCounted && this.#tiers.waitsBeside(slot, tier))",
    replace: "if (false)",
  },
  {
    name: "a change of one instance goes unnoticed",
    file: TIERS,
    find: "this.#touched[this.#touchedCount++] = slot;",
    replace: ";",
  },
  {
    name: "who stands in is not looked at when the other one goes",
    file: TIERS,
    find: "if (standIn !== NOBODY)",
    replace: "if (false)",
  },
  {
    name: "the mark of a tried one stays",
    file: CHOOSER,
    find: "shut[tried[index]] = 0;",
    replace: ";",
  },
  {
    name: "a slot is lent anew under an attempt",
    file: SLOTS,
    find: "|| this.active[slot] !== 0)",
    replace: ")",
  },
  {
    name: "old answers readmit",
    file: EJECTIONS,
    find: "return beganMs + ROUNDING_MS >= this.#sinceMs[slot];",
    replace: "return true;",
  },
  {
    name: "old failures double",
    file: EJECTIONS,
    find: "if (beganMs + ROUNDING_MS < this.#probeMs[slot])\n            return false;\n        this.#probeMs[slot] = Infinity;\n        this.#sinceMs",
    replace: "this.#sinceMs",
  },
  {
    name: "a new generation changes nothing",
    file: DISPATCHER,
    find: "if (renewed)",
    replace: "if (false)",
  },
  {
    name: "an update forgets who is ejected",
    file: DISPATCHER,
    find: "const renewed = instance.generation >",
    replace: "const renewed = instance.generation >=",
  },
  {
    name: "a probe given up counts as failed",
    file: DISPATCHER,
    find: "else if (result === outcome.abandoned) {",
    replace: "else if (false) {",
  },
  {
    name: "a hung instance is never ejected",
    file: DISPATCHER,
    find: "result === outcome.timedOut && this",
    replace: "false && this",
  },
  {
    name: "a dead control's verdicts stay final",
    file: DISPATCHER,
    find: "if (!down || this.#ejections.isEjected(slot))",
    replace: "if (true)",
  },
];

type Module = { createDispatcher: typeof createDispatcher };
randomInputsFind<Module>(DISPATCHER, planted, (module) => property(module.createDispatcher));
