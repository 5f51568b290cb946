// Simulated years as they are read.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderYears } from "./years-account.ts";
import { type YearsReport, yearsReport } from "./years-report.ts";

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
  modelTimes: null,
  modelParts: [],
  cautions: [],
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

  const spread = { count: 9, p50: 1, p90: 1, p99: 1, most: 1 };
  const other: YearsReport = {
    ...quiet,
    unavailability: { value: 2e-4, lower: 1e-4, upper: 3e-4 },
    blames: [
      { blame: "machine", minutesPerYear: 60 },
      { blame: "single", minutesPerYear: 30 },
      { blame: "overlap", minutesPerYear: 15 },
    ],
    detectMs: { ...spread, mean: 900 },
    recoverMs: { ...spread, mean: 40_000 },
    model: { value: 5e-5, lower: 4e-5, upper: 6e-5 },
    modelTimes: { detectMs: 800, transferMs: 5, recoverMs: 12_000 },
    modelParts: [
      { part: "machine", minutesPerYear: 55 },
      { part: "instances", minutesPerYear: 2 },
    ],
  };

  it("name the part and the time in which the model differs most", () => {
    const text = renderYears([other]);
    assert.match(
      text,
      /99\.9950 %; more was lost here\. The largest gap is in failures of single /,
    );
    assert.match(text, /met or not: 45 min a year here, 2 min by the model\. Of the times, t3, /);
    assert.match(text, /full strength, differs most: 40 s here, 12 s by the model on average\.\n/);
    const [first, second] = [
      { ...other, modelParts: [] },
      { ...other, recoverMs: null },
    ];
    assert.match(
      renderYears([first]),
      /gap is in machines and zones that fail: 1 h .*, nothing by/,
    );
    assert.match(renderYears([second]), /t1, until it is found, differs most: 900 ms here, 800 ms/);
  });

  it("explain nothing where the model agrees", () => {
    const agrees = { ...other, model: other.unavailability };
    assert.match(renderYears([agrees]), /which agrees\.\n$/);
  });
});

describe("the report of simulated years", () => {
  const result = { years: 1000, lifetimes: 40, seed: 7, confidence: 0.99, faults: 0 };
  const service = { ...quiet, name: "web", outages: 0, incidents: 0 };
  const unsaid = { detectMs: undefined, transferMs: undefined, recoverMs: undefined };
  const none = { machine: 0, gateway: 0, commonCause: 0, overlap: 0, single: 0, nobody: 0 };
  const byBlame = { ...none, load: 0 };
  const services = [{ ...service, ...unsaid, byBlame, load: undefined, worst: [] }];

  it("warns where the file has more than one machine for the gateway", () => {
    const reportOf = (...machines: readonly string[]) =>
      yearsReport({ ...result, services }, [], { workers: 1, machines });
    assert.equal(reportOf("a")[0]?.cautions.length, 1);
    const text = renderYears(reportOf("a", "b"));
    assert.match(
      text,
      /To bear in mind:\n {2}the file has the gateway on 2 machines; here .* on a alone/,
    );
  });

  it("says what is never drawn, and that a load is too much", () => {
    const load = { loadPerSecond: 375, utilisation: 1.25, places: 3, overloaded: 1 };
    const busy = { ...load, meanMs: undefined, p99Ms: undefined };
    const [one] = services;
    assert.ok(one !== undefined);
    const lost = { value: 0.2, lower: 0.2, upper: 0.2 };
    const over = { ...one, unavailability: lost, byBlame: { ...byBlame, load: 0.2 }, load: busy };
    const text = renderYears(yearsReport({ ...result, services: [over] }, [], undefined));
    assert.match(text, /^web was available for 80(\.0+)? % of/);
    assert.match(
      text,
      /rho is 1\.25 with all 3 in traffic: .*; 20 ?% of the requests count as lost/,
    );
    assert.match(text, /\d (min|h|d).* {2}a load of more than those in traffic serve/);
    assert.match(text, /failures come at constant rates, whatever the age of what fails/);
  });
});
