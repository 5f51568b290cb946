// An agent's line: HAProxy's words, and nothing else; and what holds after several of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { randomInputsFind } from "../../../test/planted.fixture.ts";
import * as lines from "./agent-line.ts";
import { administrativeWords, operatingWords, readAgentLine } from "./agent-line.ts";
import { followAgent, isWithdrawn, sayChange, silentAgent } from "./agent-state.ts";

const reads: readonly (readonly [string, ReturnType<typeof readAgentLine>])[] = [
  ["75%", { reason: "", weightPercent: 75 }],
  ["0%", { reason: "", weightPercent: 0 }],
  ["up", { reason: "", operating: "up" }],
  ["maxconn:30", { reason: "", maxConnections: 30 }],
  [
    "ready,up\t100%  maxconn:0",
    {
      reason: "",
      administrative: "ready",
      operating: "up",
      weightPercent: 100,
      maxConnections: 0,
    },
  ],
  ["DOWN#disk is full", { operating: "down", reason: "disk is full" }],
  ["stopped # by plan, up again at 9", { operating: "stopped", reason: "by plan, up again at 9" }],
  ["drain fail", { administrative: "drain", operating: "fail", reason: "" }],
  ["up up", { reason: "", operating: "up" }],
  ["", { refused: "it says nothing" }],
  [" , \t# only a reason", { refused: "it says nothing" }],
  ["upp", { refused: '"upp" is no word of an agent' }],
  ["75", { refused: '"75" is no word of an agent' }],
  ["-5%", { refused: '"-5%" is no word of an agent' }],
  ["7.5%", { refused: '"7.5%" is no word of an agent' }],
  ["25601%", { refused: '"25601%" is no word of an agent' }],
  ["maxconn: 30", { refused: '"maxconn:" is no word of an agent' }],
  ["maxconn:1000001", { refused: '"maxconn:1000001" is no word of an agent' }],
  ["up down", { refused: '"down" contradicts what stands before it' }],
  ["50% 60%", { refused: '"60%" contradicts what stands before it' }],
  ["constructor", { refused: '"constructor" is no word of an agent' }],
  ["\u0007\u001b[31m", { refused: '"??[31m" is no word of an agent' }],
];

for (const [line, reading] of reads) {
  test(`${JSON.stringify(line)} is ${"refused" in reading ? "refused" : "read"}`, () => {
    assert.deepEqual(readAgentLine(line), reading);
  });
}

const word = fc.oneof(
  fc.constantFrom(...operatingWords).map((operating) => ({ text: operating, operating })),
  fc.constantFrom(...administrativeWords).map((said) => ({ text: said, administrative: said })),
  fc.integer({ min: 0, max: 25_600 }).map((percent) => ({
    text: `${percent}%`,
    weightPercent: percent,
  })),
  fc.integer({ min: 0, max: 1_000_000 }).map((most) => ({
    text: `maxconn:${most}`,
    maxConnections: most,
  })),
);

/** In any order, with anything between them; and each word once. */
function readsWhatIsWritten({ readAgentLine: read }: typeof lines) {
  const kind = (one: object) => Object.keys(one)[1] ?? "";
  const words = fc.uniqueArray(word, { minLength: 1, selector: kind });
  const between = fc.stringMatching(/^[ \t,]{1,3}$/);
  return fc.property(words, between, fc.boolean(), (said, gap, isLoud) => {
    const text = said.map((one) => one.text).join(gap);
    const expected = Object.assign({}, ...said.map(({ text: _text, ...part }) => part)) as object;
    assert.deepEqual(read(isLoud ? text.toUpperCase() : text), { ...expected, reason: "" });
  });
}

test("words are read in any order, case and distance", () => {
  fc.assert(readsWhatIsWritten(lines));
});

test("whatever it is sent, it says what it read or what is wrong", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const reading = readAgentLine(text);
      const shown = "refused" in reading ? reading.refused : reading.reason;
      assert.match(shown, /^[\x20-\x7e]{0,200}$/);
    }),
  );
});

randomInputsFind<typeof lines>(
  "src/core/steer/agent-line.js",
  [
    {
      name: "a comma is part of a word",
      file: "src/core/steer/agent-line.js",
      find: "/[ \\t,]+/",
      replace: "/[ \\t]+/",
    },
    {
      name: "the first word is all of a line",
      file: "src/core/steer/agent-line.js",
      find: "said = { ...said, ...part };",
      replace: "return { ...said, ...part };",
    },
    {
      name: "loud words are unknown",
      file: "src/core/steer/agent-line.js",
      find: "word.toLowerCase()",
      replace: "word",
    },
  ],
  readsWhatIsWritten,
);

/** As a person would say what holds: the last line that said something of a kind. */
function after(...said: readonly string[]) {
  return said.reduce((state, line) => {
    const reading = readAgentLine(line);
    assert.ok(!("refused" in reading), line);
    return followAgent(state, reading);
  }, silentAgent);
}

test("what a line does not say stays", () => {
  const state = after("drain 50%", "down#disk", "maxconn:5", "75%");
  assert.deepEqual(state, {
    operating: "down",
    reason: "disk",
    administrative: "drain",
    weightPercent: 75,
    maxConnections: 5,
  });
});

test("only ready ends drain and maint, only up ends down", () => {
  assert.equal(isWithdrawn(after("drain", "up")), true);
  assert.equal(isWithdrawn(after("maint", "100%")), true);
  assert.equal(isWithdrawn(after("drain", "ready")), false);
  assert.equal(after("fail", "ready 100%").operating, "fail");
  assert.equal(after("stopped", "up").operating, "up");
});

test("a weight of nothing is as good as drain", () => {
  assert.equal(isWithdrawn(after("0%")), true);
  assert.equal(isWithdrawn(after("0%", "1%")), false);
});

test("a word said again is no news", () => {
  const state = after("drain 50% maxconn:3");
  const again = readAgentLine("50% drain maxconn:3");
  assert.ok(!("refused" in again));
  assert.equal(followAgent(state, again), state);
});

test("a change is said with what follows from it", () => {
  const before = after("up");
  assert.equal(
    sayChange(before, after("maint 50%")),
    "maint: it gets no new traffic and is not checked until its agent says ready; " +
      "50%: so much of the weight that the file gives it",
  );
  assert.equal(
    sayChange(before, after("stopped#by plan")),
    "stopped (by plan): it counts as down until its agent says up",
  );
  assert.equal(
    sayChange(before, after("maxconn:3")),
    "maxconn:3: it takes so many requests at once",
  );
  assert.equal(sayChange(before, before), "");
});
