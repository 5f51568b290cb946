// How an incident is told: to a person, word by word, and to a program, field by field.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { killedInstance } from "../../core/incident/incident.fixture.ts";
import { certainty, nothingLost } from "../../core/incident/incident.ts";
import { renderIncident, renderIncidents } from "./account.ts";
import { incidentFields, incidentReport, incidentReports } from "./report.ts";

const { cause } = killedInstance();

/** The account without the wall clock's times, which depend on where it is read. */
function told(text: string): string {
  return text.replaceAll(/\d\d:\d\d:\d\d(\.\d+)?/g, "TIME");
}

describe("the account of an incident", () => {
  it("reads from what it was, over how long and what was lost, to what happened", () => {
    const text = told(renderIncident(incidentReport(killedInstance())));
    assert.equal(
      text,
      `\
Incident 3-1: web was in trouble for 1.3 s: ${cause}; 1 request lost, 2 slow.

began      2026-11-21 TIME
detect     3 ms      from the first sign until it was found out
transfer   4 ms      until traffic went elsewhere
recover    1.3 s     until full strength
in all     1.3 s

Of 431 requests that ended meanwhile: 1 request lost, 2 slow; the slowest answer took 288 ms.

TIME      +0 ms  sign      web-2 closed a connection before its answer was complete
TIME      +3 ms  fault     ${cause}
TIME      +7 ms  transfer  traffic goes to web-1, web-3
TIME    +250 ms  loss      1 request lost, 2 slow
TIME     +1.3 s  mended    web-2 is ready: answered 200
TIME     +1.3 s  recovery  full strength after 1.3 s

Note: began within 3 ms of incident 3-2 of shop.
`,
    );
  });

  it("does not claim a verdict where there was none", () => {
    const losses = { ...nothingLost, slow: 40, requests: 44, worstMs: 900 };
    const never = { detectedMs: undefined, transferredMs: undefined, firstInstance: undefined };
    const slow = killedInstance({
      ...never,
      instances: [],
      losses,
      cause: "40 slow",
      causeCertainty: certainty.loss,
      notes: [],
    });
    const text = told(renderIncident(incidentReport(slow)));
    assert.match(text, /web was in trouble for 1\.3 s: 40 slow, and no instance was found out\.$/m);
    assert.match(text, /^ended {6}after 1\.3 s; no verdict took an instance out$/m);
    assert.doesNotMatch(text, /^(detect|transfer) /m);
  });

  it("says that it goes on when it does", () => {
    const open = killedInstance({ state: "transferred", recoveredMs: undefined });
    const text = renderIncident(incidentReport(open));
    assert.match(text, /^Incident 3-1: web is in trouble: /);
    assert.match(text, /^recover {4}- {9}until full strength\nin all {5}- {9}it goes on$/m);
  });

  it("says how much its bound has left out", () => {
    const text = renderIncident(incidentReport(killedInstance({ omitted: 7 })));
    assert.match(text, /… 7 more; `nines events` may have them …/);
  });
});

describe("a list of incidents", () => {
  it("has a line each, as wide as the terminal", () => {
    const reports = [
      incidentReport(killedInstance()),
      incidentReport(killedInstance({ id: "4-1" })),
    ];
    const lines = renderIncidents(reports, 100).trimEnd().split("\n");
    assert.equal(lines.length, 3);
    assert.match(
      told(lines[1] ?? ""),
      /^3-1 {2}web {6}closed {2}2026-11-21 TIME {3}1\.3 s {4}3 ms/,
    );
    assert.ok(lines.every((line) => line.length <= 100));
  });

  it("is the newest, oldest first; of one service, or one by its id", () => {
    const at = (id: string, service: string, startedWallMs: number) =>
      killedInstance({ id, service, startedWallMs });
    const all = [at("1-2", "web", 20), at("1-1", "shop", 10), at("1-3", "web", 30)];
    const ids = (wanted: Parameters<typeof incidentReports>[1]) =>
      incidentReports(all, wanted).map(({ id }) => id);
    assert.deepEqual(ids({ last: 2 }), ["1-2", "1-3"]);
    assert.deepEqual(ids({ last: 0 }), []);
    assert.deepEqual(ids({ service: "shop", last: 9 }), ["1-1"]);
    assert.deepEqual(ids({ id: "1-2", last: 9 }), ["1-2"]);
    assert.equal(renderIncidents([], 80), "No incident is known.\n");
  });
});

describe("the JSON of an incident", () => {
  it("has the fields that are documented, and no others", () => {
    const report = incidentReport(killedInstance());
    assert.deepEqual(Object.keys(report).sort(), Object.keys(incidentFields).sort());
  });

  it("has its times as people and programs read them, and they add up", () => {
    const report = incidentReport(killedInstance());
    assert.equal(report.startedAt, "2026-11-21T14:03:07.812Z");
    assert.equal(report.recoveredAt, "2026-11-21T14:03:09.119Z");
    const { detectMs, transferMs, recoverMs, totalMs } = report;
    assert.deepEqual([detectMs, transferMs, recoverMs, totalMs], [3.2, 4, 1_300, 1_307.2]);
    const open = incidentReport(killedInstance({ detectedMs: undefined, recoveredMs: undefined }));
    assert.deepEqual([open.detectMs, open.detectedAt, open.recoveredAt], [null, null, null]);
  });
});
