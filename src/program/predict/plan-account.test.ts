// A plan as it is read.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderPlan } from "./plan-account.ts";
import type { PlanReport, ReasonedReport } from "./plan-report.ts";

const chosen: ReasonedReport = {
  instances: 4,
  machines: 2,
  zones: 2,
  gateways: 2,
  checkIntervalMs: 1000,
  costMonthly: 120.4,
  unavailability: 5.8e-5,
  burdens: [
    { what: "gray", unavailability: 5.5e-5 },
    { what: "commonCause", unavailability: 1e-6 },
  ],
};
const cheaper: ReasonedReport = {
  ...chosen,
  instances: 3,
  machines: 1,
  zones: 1,
  gateways: 1,
  costMonthly: 65.3,
  unavailability: 4.1e-4,
  burdens: [{ what: "oneGateway", unavailability: 3.5e-4 }],
};

const found: PlanReport = {
  service: "web",
  unavailabilityMax: 1e-4,
  loadPerSecond: 2000,
  latency: { limitMs: 250, ratio: 0.99 },
  needed: 3,
  neededWhy: "2,000 requests/s, and one serves 864/s",
  chosen,
  interval: { value: 5.8e-5, lower: 2e-5, upper: 1.8e-4 },
  latencyMs: { withAll: 43, withNeeded: 120 },
  cheaper: [cheaper],
  dearer: [{ ...chosen, instances: 5, costMonthly: 125.5, unavailability: 4e-5 }],
  inTheWay: null,
  simulated: null,
  change: "services:\n  web:\n    replicas: 4\n",
  cautions: ["commonCause is 0 %: that instances fail independently is a claim"],
  judged: 120,
};

describe("a plan as it is read", () => {
  it("says what to take, what it comes to, why nothing cheaper, and what to write", () => {
    assert.equal(
      renderPlan(found),
      `web needs 3 instances in traffic: 2,000 requests/s, and one serves 864/s.

The cheapest for 99.990 %:
  4 instances on 2 machines in 2 zones with a gateway on each, checked every 1 s
  99.9942 %, 30 min a year, 11 min to 1 h 35 min with 90 %
  where the rates are at their worst only 99.982 %
  120.40 a month; failures that neither checks nor workers see: 95% of what is missing
  99% of the answers within 43 ms with all of them, within 120 ms with only 3

Cheaper, and not enough:
  65.30  99.959 %  3 instances on one machine, checked every 1 s
                   the one machine that the gateway is on: 85% of what is missing

What more would buy:
  125.50  99.9960 %  5 instances on 2 machines in 2 zones with a gateway on each, checked every 1 s

To be written into the file:

  services:
    web:
      replicas: 4

To bear in mind:
  commonCause is 0 %: that instances fail independently is a claim
`,
    );
  });

  it("says whether a simulation agrees", () => {
    const simulated = {
      years: 1000,
      seed: 7,
      unavailability: { value: 5.5e-5, lower: 4e-5, upper: 7e-5 },
      confidence: 0.99,
    };
    assert.match(
      renderPlan({ ...found, simulated }),
      /simulated for 1,000 years \(seed 7\): 99\.9945 %, 99\.9930 % to 99\.9960 % with 99%; the mo/,
    );
    const off = { ...simulated, unavailability: { value: 9e-5, lower: 8e-5, upper: 1e-4 } };
    assert.match(renderPlan({ ...found, simulated: off }), /the simulation is to be believed/);
  });

  it("says of a simulation that saw nothing what is certain, and never 100 %", () => {
    const unavailability = { value: 0, lower: 0, upper: 7e-5 };
    const simulated = { years: 1000, seed: 7, unavailability, confidence: 0.99 };
    const nothing = renderPlan({ ...found, simulated });
    assert.match(nothing, /\(seed 7\): at least 99\.9930 % with 99%; the model agrees/);
    const little = { ...simulated, unavailability: { ...unavailability, value: 1e-5 } };
    const some = renderPlan({ ...found, simulated: little });
    assert.match(some, /: 99\.9990 %, at least 99\.9930 % with 99%;/);
    assert.doesNotMatch(nothing + some, /(^|[^.\d])100 ?%/);
  });

  it("says what stands in the way of a target, and never 100 %", () => {
    const text = renderPlan({
      ...found,
      unavailabilityMax: 1e-9,
      chosen: null,
      interval: null,
      latencyMs: null,
      cheaper: [],
      dearer: [],
      change: "",
      inTheWay: {
        best: cheaper,
        causes: ["machine", "zone"],
        wouldDo: false,
        withGateways: chosen,
      },
      cautions: [],
    });
    assert.equal(
      text,
      `web needs 3 instances in traffic: 2,000 requests/s, and one serves 864/s.

Nothing reaches 99.99999990 %, of 120 that were tried. The best:
  65.30  99.959 %  3 instances on one machine, checked every 1 s

What is missing there:
     3 h 4 min a year  the one machine that the gateway is on

Not even without machines that fail and zones that fail would it be reached.

With gateways on more machines (--gateways 2) it would be reached by
  120.40  99.9942 %  4 instances on 2 machines in 2 zones with a gateway on each, checked every 1 s
`,
    );
    assert.doesNotMatch(text, /(^|[^.\d])100 %/);
  });
});
