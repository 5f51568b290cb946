// Simulated years as they are read.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderYears } from "./years-account.ts";
import type { YearsReport } from "./years-report.ts";

const nothing = { value: 0, lower: 0, upper: 2.4e-5 };
const minute = 525_600;
const quiet: YearsReport = {
  service: "web",
  instances: 3,
  needed: 1,
  years: 1000,
  lifetimes: 40,
  seed: 7,
  confidence: 0.99,
  unavailability: nothing,
  minutesPerYear: { value: 0, lower: 0, upper: 2.4e-5 * minute },
  down: nothing,
  belowFull: nothing,
  unanswered: nothing,
  outagesPerYear: 0,
  incidentsPerYear: 0,
  detectMs: null,
  transferMs: null,
  recoverMs: null,
  blames: [],
  worst: [],
  load: null,
  model: null,
};

describe("simulated years as they are read", () => {
  it("say what is certain where nothing was seen, and never 100 %", () => {
    const text = renderYears([quiet]);
    assert.match(text, /^web was available for at least 99\.9976 % of 1,000 simulated years: /);
    assert.match(text, /nothing was seen to be lost \(at most 13 min a year with 99%\)/);
    assert.match(
      text,
      /At full strength for at least 99\.9976 % of the time; at least 99\.9976 % of/,
    );
    assert.doesNotMatch(text, /(^|[^.\d])100 ?%/);
  });

  it("say how much was lost, however little", () => {
    const some = { value: 1e-17, lower: 0, upper: 2.4e-5 };
    const minutes = { value: 1e-17 * minute, lower: 0, upper: 13 };
    const text = renderYears([{ ...quiet, unavailability: some, minutesPerYear: minutes }]);
    assert.match(
      text,
      /available for 99\.9999999999999990 % .* under 1 ms a year were lost \(at most/,
    );
    assert.doesNotMatch(text, /(^|[^.\d])100 ?%/);
  });
});
