// A return is at once, but for what flaps and can be spared.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  followPresence,
  type PresenceFacts,
  presenceEventKinds,
  presencePhases,
  presenceTable,
  presenceWithoutEffect,
  unseen,
} from "./returns.ts";

test("every pair of phase and event is decided, once", () => {
  for (const phase of presencePhases) {
    for (const kind of presenceEventKinds) {
      const rows = presenceTable.filter((row) => row.from === phase && row.on === kind);
      const idle = presenceWithoutEffect[phase].includes(kind);
      assert.equal(rows.length > 0, !idle, `${phase} on ${kind}`);
      if (rows.length > 0) assert.equal(rows.at(-1)?.when, undefined, `${phase} on ${kind}`);
    }
  }
});

class Story {
  presence = unseen;
  nowMs = 0;
  facts: PresenceFacts = { well: true, ejected: false, withdrawn: false, isSpare: () => true };
  readonly sentences: string[] = [];
  /** When it changed, as the traffic sees it. */
  readonly changes: number[] = [];

  see(facts: Partial<PresenceFacts>, afterMs = 0): this {
    this.nowMs += afterMs;
    this.facts = { ...this.facts, ...facts };
    const before = this.presence.phase;
    const { presence, says } = followPresence(this.presence, this.facts, "web-1", this.nowMs);
    this.presence = presence;
    if (says !== undefined) this.sentences.push(says);
    if ((before === "taking") !== (presence.phase === "taking")) this.changes.push(this.nowMs);
    return this;
  }

  get now(): string {
    return this.presence.phase;
  }
}

test("a crash and a restart: back at once", () => {
  const story = new Story().see({}).see({ well: false }, 10_000).see({ well: true }, 300);
  assert.equal(story.now, "taking");
  assert.deepEqual(story.sentences, []);
});

test("the second return within a minute waits, and says until when", () => {
  const story = new Story().see({});
  for (const well of [false, true, false, true]) story.see({ well }, 2_000);
  assert.equal(story.now, "held");
  assert.deepEqual(story.sentences, [
    "web-1 is well and held back for 56 s: it came and went twice within a minute",
  ]);
  assert.equal(story.see({}, 55_999).now, "held");
  assert.equal(story.see({}, 1).now, "taking");
});

test("nobody is held whom the others cannot spare", () => {
  const story = new Story().see({ isSpare: () => false });
  for (const well of [false, true, false, true, false, true]) story.see({ well }, 1_000);
  assert.equal(story.now, "taking");
  const needed = new Story().see({});
  for (const well of [false, true, false, true]) needed.see({ well }, 1_000);
  assert.equal(needed.now, "held");
  assert.equal(needed.see({ isSpare: () => false }, 1).now, "taking");
});

test("what workers eject and take back counts as well, and with it who was ejected is away", () => {
  const story = new Story().see({});
  story.see({ ejected: true }, 1_000).see({ well: false }, 500);
  assert.deepEqual(story.changes.slice(1), [1_000], "one absence, two that say so");
  story.see({ ejected: false, well: true }, 500).see({ ejected: true }, 1_000);
  assert.equal(story.see({ ejected: false }, 1_000).now, "held");
  assert.equal(story.see({ ejected: true }, 1_000).now, "held");
  assert.match(story.sentences[0] ?? "", /held back for 58 s/);
});

test("what somebody asked for is not counted", () => {
  const story = new Story().see({});
  for (let round = 0; round < 5; round++) {
    story.see({ withdrawn: true }, 500).see({ withdrawn: false }, 500);
    assert.equal(story.now, "taking");
  }
});

test("a hold of half a second at most, that would only follow on the workers' own, is none", () => {
  const story = new Story().see({});
  for (const well of [false, true, false]) story.see({ well }, 1_000);
  assert.equal(story.see({ well: true }, 58_499).now, "held");
  const late = new Story().see({});
  for (const well of [false, true, false]) late.see({ well }, 1_000);
  assert.equal(late.see({ well: true }, 58_500).now, "taking");
  assert.deepEqual(late.sentences, []);
});

test("three changes in any 59.5 s at most, of whoever can be spared", () => {
  const facts = fc.record({ well: fc.boolean(), ejected: fc.boolean() });
  const words = fc.array(fc.tuple(facts, fc.integer({ min: 0, max: 20_000 })), {
    maxLength: 80,
    size: "max",
  });
  fc.assert(
    fc.property(words, (each) => {
      const story = new Story().see({});
      story.changes.length = 0;
      for (const [seen, afterMs] of each) story.see(seen, afterMs);
      for (const fromMs of story.changes) {
        const within = story.changes.filter((at) => at >= fromMs && at < fromMs + 59_500);
        assert.ok(within.length <= 3, `${within.length} from ${fromMs} on`);
      }
    }),
  );
});
