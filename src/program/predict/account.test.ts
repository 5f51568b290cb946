// The screen of `nines model`, as it is read.

import assert from "node:assert/strict";
import { test } from "node:test";
import { renderModel } from "./account.ts";
import type { ModelReport } from "./report.ts";

const report: ModelReport = {
  service: "web",
  mode: "active-active",
  instances: 2,
  needed: 1,
  unavailability: { value: 1.234e-5, lower: 0.5e-5, upper: 4e-5 },
  minutesPerYear: { value: 6.486, lower: 2.628, upper: 21.02 },
  down: 1.2e-5,
  unnoticed: 3.4e-7,
  overloaded: 0,
  failuresPerYear: 34.4,
  detectMs: 109,
  transferMs: 10,
  recoverMs: 4_090,
  contributions: [
    { cause: "machine", minutesPerYear: 5.1 },
    { cause: "crash", minutesPerYear: 0.05 },
    { cause: "gateway", minutesPerYear: 0.001 },
  ],
  changes: [
    {
      change: "one more instance",
      unavailabilityLess: { value: 6.7e-6, lower: 3e-6, upper: 2e-5 },
      minutesPerYearLess: { value: 3.52, lower: 1.58, upper: 10.5 },
    },
    {
      change: "checks twice as often",
      unavailabilityLess: { value: 0, lower: 0, upper: 0 },
      minutesPerYearLess: { value: 0, lower: 0, upper: 0 },
    },
    {
      change: "starts in half of the time",
      unavailabilityLess: { value: 1e-6, lower: -1e-6, upper: 2e-6 },
      minutesPerYearLess: { value: 0.526, lower: -0.526, upper: 1.05 },
    },
    {
      change: "another machine, with a gateway",
      unavailabilityLess: { value: -1e-6, lower: -2e-6, upper: -1e-7 },
      minutesPerYearLess: { value: -0.526, lower: -1.05, upper: -0.05 },
    },
  ],
  cautions: ["the gateway is on one machine, a: nothing is served without it"],
  rates: [
    {
      what: "crash",
      everyMs: 30 * 86_400_000,
      value: 1 / 720,
      lower: 1 / 2_160,
      upper: 1 / 240,
      source: "default",
      reason: "an assumption: a process ends once a month",
    },
    {
      what: "start, until its first passed check",
      everyMs: null,
      value: 1_300,
      lower: 1_300,
      upper: 1_300,
      source: "measured",
      reason: "12 were seen here",
    },
  ],
};

test("says how available, why, what would help, and where each rate comes from", () => {
  assert.equal(
    renderModel([report]),
    `web will be available for 99.9987 % of its requests: 6.5 minutes a year are lost \
(2.6 minutes to 21 min with 90 %).
2 instances, active-active; down when none is in traffic. 34 failures a year, each seen after \
109 ms, traffic elsewhere after another 10 ms, back after 4.1 s.

What takes it away, in a year:
   5.1 minutes  machines that fail
           3 s  processes that end

What would be gained:
  one more instance: +0.00067 %, 3.5 minutes a year less (1.6 minutes to 11 min)
  starts in half of the time: +0.0001 %, 32 s a year less (32 s more to 1.1 minutes less)
  another machine, with a gateway: -0.0001 %, 32 s a year more (3 s to 1.1 minutes)
  next to nothing: checks twice as often

To bear in mind:
  the gateway is on one machine, a: nothing is served without it

Rates, of one thing each:
  crash: one every 30 d (10 d to 90 d); assumed: a process ends once a month
  start, until its first passed check: 1.3 s; measured: 12 were seen here
`,
  );
});

test("says what a load takes away that nothing serves", () => {
  const [first] = renderModel([{ ...report, overloaded: 1e-4 }]).match(/What takes.*\n.*/) ?? [];
  assert.match(first ?? "", /53 min {2}a load of more than all in traffic serve/);
});
