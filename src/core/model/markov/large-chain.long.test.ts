// A chain of 100,000 states that is not banded, and the same generator where it can still be solved
// by elimination. How long it takes is printed and not asserted: the machine decides that.

import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { nearRelative } from "../golden.fixture.ts";
import { sharedCrew } from "./shared-crew.ts";
import { steadyState } from "./steady-state.ts";

const kinds = [2, 2, 2, 2, 2, 2, 2, 2, 3, 3];

test("104,976 states, at least 10 transitions each: the residual is at most 1e-10", (t) => {
  for (const failureRatio of [1e-6, 1e-3, 0.05]) {
    const chain = sharedCrew(kinds, 2, failureRatio);
    assert.equal(chain.size, 104_976);
    for (let state = 0; state < chain.size; state++) {
      const leads = (chain.rows.start[state + 1] as number) - (chain.rows.start[state] as number);
      assert.ok(leads >= 10);
    }
    const begun = performance.now();
    const { residual, imbalance, method } = steadyState(chain);
    const tookMs = Math.round(performance.now() - begun);
    t.diagnostic(
      `failures ${failureRatio}: residual ${residual}, imbalance ${imbalance}, ${tookMs} ms`,
    );
    assert.equal(method, "multilevel");
    assert.ok(residual <= 1e-10 && imbalance <= 1e-10);
  }
});

test("1,944 states of the same kind: elimination and iteration agree in each state", () => {
  const chain = sharedCrew([2, 2, 2, 2, 2, 7], 2, 1e-3);
  assert.equal(chain.size, 1_944);
  const direct = steadyState(chain, { method: "elimination" });
  const iterated = steadyState(chain, { method: "multilevel" });
  for (const [state, p] of direct.probabilities.entries()) {
    nearRelative(iterated.probabilities[state] as number, p, 1e-9);
  }
});
