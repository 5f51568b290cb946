// The status table, letter by letter.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { InstanceReport, ServiceReport, StatusReport } from "./report.ts";
import { formatAge, renderStatus } from "./table.ts";

const nowMs = Date.UTC(2026, 10, 21, 12, 5, 0);

describe("the status table", () => {
  it("says who runs, in what state, since when, how busy, and why", () => {
    assert.equal(
      renderStatus(report, { width: 100, colour: false, nowMs }),
      `\
control  pid 4700, term 2, since 5m  /srv/shop/nines.yaml
gateway  parent pid 4705, term 1  http://127.0.0.1:8080
workers  1: pid 4706, 31 connections  2: pid 4707 draining, 1 connection

SERVICE   PID  STATE       SINCE  REQ/S    P50   P99  ERR  RST  WHY
web            2/3 up               398  2.3ms  14ms    3    5
  web-1  4711  up             5m    199                 0    0  is ready after 420 ms: answered 200
  web-2  4711  up             4m    199                 0    0  is ready after 380 ms: answered 200
  web-3  4711  crash-loop    12s      0                 3    5  ended 5 times in 1 min: exit code 1…
`,
    );
  });

  it("fits a hundred columns, by cutting only the reason", () => {
    const text = renderStatus(report, { width: 100, colour: false, nowMs });
    for (const line of text.split("\n")) assert.ok(line.length <= 100, `${line.length}: ${line}`);
    assert.match(text, /ended 5 times in 1 min: exit code 1…/);
  });

  it("gives the whole reason where nobody counts columns", () => {
    const text = renderStatus(report, { width: Infinity, colour: false, nowMs });
    assert.match(text, /exit code 1; the next start is in 30 s$/m);
  });

  it("keeps a readable reason in a terminal that is far too narrow", () => {
    const text = renderStatus(report, { width: 40, colour: false, nowMs });
    assert.match(text, /ended 5 times in 1…/);
  });

  it("is the same text in colour, with the state painted", () => {
    const plain = renderStatus(report, { width: 110, colour: false, nowMs });
    const painted = renderStatus(report, { width: 110, colour: true, nowMs });
    const escape = "\u001b";
    assert.ok(painted.includes(`${escape}[31mcrash-loop`));
    const unpainted = painted.replaceAll(new RegExp(`${escape}\\[\\d+m`, "g"), "");
    assert.equal(unpainted.replace(/ +$/gm, ""), plain);
  });

  it("says what still runs when control is gone", () => {
    const gone = { state: "not-running", pid: null, term: null, since: null } as const;
    const text = renderStatus({ ...report, control: gone }, { width: 100, colour: false, nowMs });
    assert.match(text, /^Control is not running\. What it started goes on/);
    assert.match(text, /web-1/);
  });

  it("does not say that anything goes on when all of it has ended", () => {
    const control = { state: "not-running", pid: null, term: null, since: null } as const;
    const ended = web.instances.map((one) => ({ ...one, state: "ended" as const, pid: null }));
    const services = [{ ...web, instances: ended }];
    const killed = { ...report, control, gateway: null, services };
    const text = renderStatus(killed, { width: 100, colour: false, nowMs });
    assert.match(text, /^Control is not running\. All that it started has ended, too; `nines up`/);
    assert.doesNotMatch(text, /goes on/);
  });

  it("counts those who wait, in words that fit one as well", () => {
    const text = (queued: number) =>
      renderStatus(
        { ...report, services: [{ ...web, queued }] },
        { width: 200, colour: false, nowMs },
      );
    assert.match(text(1), / 1 request waits for an instance$/m);
    assert.match(text(2), / 2 requests wait for an instance$/m);
  });

  it("says how far a deploy has come beside its service", () => {
    const why = "web: version 2 is well and has 10% of the traffic for 30 s";
    const deploy = { from: 1, to: 2, phase: "holding", step: 0, steps: 1, by: "a", since: "", why };
    const services = [{ ...web, deploy: deploy as ServiceReport["deploy"] }];
    const text = renderStatus({ ...report, services }, { width: 200, colour: false, nowMs });
    assert.match(text, / deploy: version 2 is well and has 10% of the traffic for 30 s$/m);
  });

  it("says first what is wrong now", () => {
    const incident = {
      id: "3-1",
      service: "web",
      state: "detected",
      since: new Date(nowMs - 12_000).toISOString(),
      headline: "web is in trouble: web-2 ended: signal SIGKILL; 1 request lost",
    } as const;
    const text = renderStatus(
      { ...report, incidents: [incident] },
      { width: 200, colour: false, nowMs },
    );
    assert.match(text, /^incident 3-1, began 12s ago: web is in trouble: web-2 ended/m);
  });

  it("says when there is nothing", () => {
    const empty = { ...report, services: [], gateway: null };
    assert.match(renderStatus(empty, { width: 100, colour: false, nowMs }), /No services\.\n$/);
  });
});

describe("an age", () => {
  const cases: readonly (readonly [number, string])[] = [
    [-5, "0s"],
    [59, "59s"],
    [60, "1m"],
    [3599, "59m"],
    [3600, "1h"],
    [18_720, "5h12m"],
    [86_400 * 9, "9d"],
  ];
  for (const [seconds, text] of cases) {
    it(`of ${seconds} s is ${text}`, () => {
      assert.equal(formatAge(nowMs - seconds * 1000, nowMs), text);
    });
  }
});

function instance(fields: Partial<InstanceReport>): InstanceReport {
  return {
    id: "web-1",
    state: "up",
    why: "web-1 is ready after 420 ms: answered 200",
    since: new Date(nowMs - 300_000).toISOString(),
    pid: 4711,
    address: "127.0.0.1:8501",
    requestsPerSecond: 199,
    errors: 0,
    restarts: 0,
    version: 1,
    share: 1,
    weight: 1,
    weightBy: "file",
    forced: null,
    agent: null,
    added: false,
    ...fields,
  };
}

const web: ServiceReport = {
  name: "web",
  kind: "command",
  mode: "active-active",
  primary: null,
  epoch: 0,
  maintenance: false,
  up: 2,
  wanted: 3,
  requestsPerSecond: 398,
  errorsPerSecond: 0,
  p50Ms: 2.25,
  p99Ms: 14,
  errors: 3,
  retries: 1,
  queued: 0,
  concurrency: null,
  restarts: 5,
  version: 1,
  deploy: null,
  removed: [],
  instances: [
    instance({}),
    instance({
      id: "web-2",
      why: "web-2 is ready after 380 ms: answered 200",
      since: new Date(nowMs - 240_000).toISOString(),
    }),
    instance({
      id: "web-3",
      state: "crash-loop",
      why: "web-3 ended 5 times in 1 min: exit code 1; the next start is in 30 s",
      since: new Date(nowMs - 12_000).toISOString(),
      requestsPerSecond: 0,
      errors: 3,
      restarts: 5,
    }),
  ],
};

const report: StatusReport = {
  nines: "0.1.0",
  at: new Date(nowMs).toISOString(),
  file: "/srv/shop/nines.yaml",
  stateDirectory: "/srv/shop/.nines",
  control: {
    state: "running",
    pid: 4700,
    term: 2,
    since: new Date(nowMs - 301_000).toISOString(),
  },
  gateway: {
    addresses: ["http://127.0.0.1:8080"],
    parent: { pid: 4705, term: 1 },
    tableVersion: 7,
    workers: [
      {
        worker: 1,
        pid: 4706,
        state: "serving",
        connections: 31,
        tableVersion: 7,
        residentBytes: 50_000_000,
        since: new Date(nowMs - 300_000).toISOString(),
      },
      {
        worker: 2,
        pid: 4707,
        state: "draining",
        connections: 1,
        tableVersion: 7,
        residentBytes: 50_000_000,
        since: new Date(nowMs - 300_000).toISOString(),
      },
    ],
  },
  services: [web],
  backup: null,
  incidents: [],
};
