// Weights of the table: their relation is that of what was asked for, as whole numbers allow.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { randomInputsFind } from "../../../test/planted.fixture.ts";
import * as steer from "./weights.ts";
import { tableWeights, type Weighed, WEIGHT_MAX, weightOf } from "./weights.ts";

const plain = { operator: undefined, agentPercent: undefined };

test("without a percentage they are the file's and the operator's, untouched", () => {
  const all = [
    { ...plain, weight: 3 },
    { ...plain, weight: 1, operator: { weight: 256 } },
  ];
  assert.deepEqual(tableWeights(all), [3, 256]);
});

test("75% of one, beside one, is three quarters of it", () => {
  const all = [
    { ...plain, weight: 1, agentPercent: 75 },
    { ...plain, weight: 1, agentPercent: 100 },
    { ...plain, weight: 1 },
  ];
  assert.deepEqual(tableWeights(all), [75, 100, 100]);
});

test("what an agent says changes no other's number", () => {
  const both = (percent: number) => [
    { ...plain, weight: 10, agentPercent: percent },
    { ...plain, weight: 7, agentPercent: 100 },
  ];
  const others = [1, 50, 100, 300].map((percent) => tableWeights(both(percent))[1]);
  assert.deepEqual(others, [175, 175, 175, 175]);
});

test("an operator's word stands above the agent's", () => {
  const one = { weight: 10, operator: { percent: 50 }, agentPercent: 1 };
  assert.equal(weightOf(one), 5);
  assert.equal(weightOf({ ...one, operator: { weight: 8 } }), 8);
});

const weighed = fc.record({
  weight: fc.integer({ min: 1, max: WEIGHT_MAX }),
  operator: fc.oneof(
    fc.constant(undefined),
    fc.record({ weight: fc.integer({ min: 1, max: WEIGHT_MAX }) }),
    fc.record({ percent: fc.integer({ min: 1, max: 1000 }) }),
  ),
  agentPercent: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
});

/** Each is as near to its share as whole numbers of at least one allow. */
function keepsProportion({ tableWeights: weigh }: typeof steer) {
  return fc.property(fc.array(weighed, { minLength: 2, maxLength: 8 }), (all: Weighed[]) => {
    const weights = weigh(all);
    const wanted = all.map((one) => weightOf(one));
    fc.pre(wanted.every((one) => one <= WEIGHT_MAX));
    assert.ok(weights.every((one) => Number.isInteger(one) && one >= 1 && one <= WEIGHT_MAX));
    // Some unit explains them all: each is that many times what was wanted, rounded, or 1.
    const least = wanted.map((one, index) => ((weights[index] as number) - 0.5) / one);
    const most = wanted.map((one, index) => ((weights[index] as number) + 0.5) / one);
    const ofOnes = least.map((one, index) => (weights[index] === 1 ? 0 : one));
    assert.ok(
      Math.max(...ofOnes) <= Math.min(...most) + 1e-9,
      `${weights.join()} for ${wanted.join()}`,
    );
  });
}

test("they keep the proportion", () => {
  fc.assert(keepsProportion(steer));
});

randomInputsFind<typeof steer>(
  "src/core/steer/weights.js",
  [
    {
      name: "an operator's number is not multiplied as the others are",
      file: "src/core/steer/weights.js",
      find: "Math.round(weightOf(one) * factor)",
      replace: "Math.round(one.operator?.weight ?? weightOf(one) * factor)",
    },
    {
      name: "a small share is nothing",
      file: "src/core/steer/weights.js",
      find: "Math.max(1, Math.round(",
      replace: "Math.max(0, Math.round(",
    },
    {
      name: "the factor leaves no room for the largest",
      file: "src/core/steer/weights.js",
      find: "Math.floor(WEIGHT_MAX / largest)",
      replace: "FACTOR_MAX",
    },
  ],
  keepsProportion,
);
