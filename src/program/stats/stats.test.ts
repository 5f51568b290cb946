// The statistics: HAProxy's columns letter by letter, each state by its word there, and a page on
// which nothing that somebody wrote is anything but text.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { randomInputsFind } from "../../../test/planted.fixture.ts";
import { commandService, configOf, endpointService } from "../../control/world.fixture.ts";
import type { InstanceRecord } from "../../control/registry/registry.ts";
import { silentAgent } from "../../core/steer/agent-state.ts";
import { composeStatus, type StatusInputs } from "../status/compose.ts";
import { RateWindow } from "../status/rates.ts";
import { instanceRecord, instanceStats, serviceStats } from "../status/stats.fixture.ts";
import * as csv from "./columns.ts";
import { columns, renderCsv, type StatsRow } from "./columns.ts";
import { renderStatsPage } from "./page.ts";
import { type StatsInputs, statsRows } from "./rows.ts";

const golden = join(import.meta.dirname, "..", "..", "..", "..", "test", "golden", "stats.csv");
const wallMs = Date.UTC(2026, 10, 21, 12, 1, 30);

/** The first line of HAProxy 2.6's own `show stat`, as far as its manual promises it. */
const haproxy =
  "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis," +
  "status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked," +
  "type,rate,rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx," +
  "hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in," +
  "comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status," +
  "agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health,agent_rise," +
  "agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,intercepted,dcon," +
  "dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,rtime_max," +
  "ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,";

function inputs(instances: readonly InstanceRecord[]): StatsInputs {
  const web = commandService("web", { maxConnections: 50 });
  const config = configOf([web, endpointService("cache", ["10.0.0.7:6379"])]);
  const { gateway } = config;
  assert.ok(gateway !== undefined);
  const rule = { match: { path: "/" }, service: "web", rateLimits: [] };
  const routes = [{ ...gateway, ...rule } as unknown as (typeof gateway.routes)[number]];
  const busy = instanceStats({
    requests: 120,
    active: 3,
    connectFailures: 2,
    resets: 1,
    timeouts: 4,
    answers: [0, 100, 10, 5, 2],
  });
  const services = [
    serviceStats({ requests: 115, queued: 2, active: 3, retries: 5, refused: 1, limited: 7 }),
  ].map((one) => ({ ...one, bytesIn: 1234, bytesOut: 5678, instances: [busy] }));
  const quiet = { failures: {}, logLines: 0, logLinesLost: 0, latency: [], latencySumMs: 0 };
  const route = { ...quiet, name: "/", service: "web", requests: 115, answers: [0, 100, 10, 5, 3] };
  return {
    config: { ...config, gateway: { ...gateway, routes } },
    instances,
    totals: {
      ...quiet,
      connections: 9,
      connectionsAccepted: 40,
      connectionsRefused: 1,
      refusedHeads: 6,
      routes: [route],
      services,
    },
    rates: new RateWindow(),
    table: undefined,
    nowMs: 0,
    wallMs,
  };
}

const checked = { lastCheck: "answered 200", agentHeard: undefined };

describe("the statistics as CSV", () => {
  it("have HAProxy's columns, each in its place", () => {
    assert.ok(renderCsv([]).startsWith(haproxy));
    assert.equal(columns.length, 100);
  });

  it("are what they were, letter by letter", () => {
    const agent = { ...silentAgent, weightPercent: 50, operating: "stopped", reason: "x" } as const;
    const rows = statsRows(
      inputs([
        instanceRecord(checked),
        instanceRecord({
          id: "web-2",
          ordinal: 2,
          backup: true,
          health: "down",
          failingSinceMs: 1,
          lastCheck: 'answered 503, "busy"',
        }),
        instanceRecord({
          id: "cache-::1:6379",
          service: "cache",
          origin: "endpoint",
          host: "::1",
          port: 6379,
          phase: "external",
          health: "down",
          agent,
          agentHeard: { outcome: "said", text: "stopped 50% #x" },
        }),
      ]),
    );
    const text = renderCsv(rows);
    if (process.env["NINES_REWRITE"] === "1") writeFileSync(golden, text);
    assert.equal(text, existsSync(golden) ? readFileSync(golden, "utf8") : "");
  });

  const statuses: readonly (readonly [Partial<InstanceRecord>, string])[] = [
    [{}, "UP"],
    [{ health: "down" }, "DOWN"],
    [{ phase: "backoff" }, "DOWN"],
    [{ draining: true }, "DRAIN"],
    [{ standing: "standby" }, "NOLB"],
    [{ steered: { forced: "down" } }, "DOWN (forced)"],
    [{ steered: { forced: "up" }, health: "down" }, "UP"],
    [{ agent: { ...silentAgent, administrative: "maint" } }, "MAINT"],
    [{ agent: { ...silentAgent, administrative: "drain" } }, "DRAIN"],
    [{ agent: { ...silentAgent, weightPercent: 0 } }, "DRAIN"],
    [{ agent: { ...silentAgent, operating: "fail" }, health: "down" }, "DOWN (agent)"],
  ];
  for (const [fields, status] of statuses) {
    it(`say ${status} of ${JSON.stringify(fields)}`, () => {
      assert.equal(rowOf(fields).status, status);
    });
  }

  it("tell the weight before the agent's share of it, which an operator's word ends", () => {
    const agent = { ...silentAgent, weightPercent: 50 };
    const weighed = { weight: 20, agent };
    assert.equal(rowOf(weighed).uweight, 40);
    assert.equal(rowOf({ ...weighed, steered: { weight: { weight: 20 } } }).uweight, 20);
  });

  const checks: readonly (readonly [string, number | undefined, string, number | undefined])[] = [
    ["answered 200", undefined, "L4OK", 200],
    ["not checked yet", undefined, "INI", undefined],
    ["answered 503", 1, "L7STS", 503],
    ["connection refused", 1, "L4CON", undefined],
    ["no answer in 500 ms", 1, "L4TOUT", undefined],
  ];
  for (const [lastCheck, failingSinceMs, status, code] of checks) {
    it(`say ${status} of a check that met "${lastCheck}"`, () => {
      const row = rowOf({ lastCheck, failingSinceMs });
      assert.deepEqual([row.check_status, row.check_code], [status, code]);
    });
  }
});

function rowOf(fields: Partial<InstanceRecord>): StatsRow {
  const row = statsRows(inputs([instanceRecord(fields)])).find(({ svname }) => svname === "web-1");
  assert.ok(row !== undefined);
  return row;
}

/** What a reader of CSV gets back is what was written, however odd. */
function survivesReading({ renderCsv: render, columns: names }: typeof csv) {
  const text = fc.string({ unit: fc.constantFrom("a", ",", '"', " ", "'", "#", "-") });
  return fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), (values) => {
    const row = Object.fromEntries(values.map((value, index) => [names[index * 30], value]));
    const [, line = ""] = render([row]).split("\n");
    const fields = [...line.matchAll(/("(?:[^"]|"")*"|[^,"]*),/g)].map(([, field = ""]) =>
      field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field,
    );
    assert.equal(fields.length, 101);
    for (const [index, value] of values.entries()) assert.equal(fields[index * 30], value);
  });
}

describe("a field of CSV", () => {
  it("is read as it was written", () => {
    fc.assert(survivesReading(csv));
  });
});

randomInputsFind<typeof csv>(
  "src/program/stats/columns.js",
  [
    {
      name: "a quote is not doubled",
      file: "src/program/stats/columns.js",
      find: "plain.replaceAll('\"', '\"\"')",
      replace: "plain",
    },
    {
      name: "a comma ends a field",
      file: "src/program/stats/columns.js",
      find: '/[",]/.test(plain)',
      replace: '/["]/.test(plain)',
    },
  ],
  survivesReading,
);

describe("the page", () => {
  const evil = `<script>alert("1")</script>&'`;
  const records = [
    instanceRecord(checked),
    instanceRecord({ id: "web-2", draining: true }),
    instanceRecord({
      id: "web-3",
      health: "down",
      why: evil,
      agent: silentAgent,
      agentHeard: { outcome: "said", text: evil },
    }),
  ];
  const { config, rates, totals } = inputs(records);
  const gateway = { parent: undefined, workers: [], workerStats: [], tableVersion: 1 };
  const report = composeStatus({
    version: "0.1.0",
    stateDirectory: "/srv/.nines",
    config,
    instances: records,
    epochOf: () => 0,
    inMaintenance: () => false,
    removedOf: () => [],
    gateway: { ...gateway, totals: totals.services },
    rates,
    ledgers: new Map(),
    vault: undefined,
    incidents: [],
    control: { pid: 1, term: 1, sinceWallMs: 0 },
    nowMs: 0,
    wallMs,
  } satisfies StatusInputs);
  const page = renderStatsPage(report, statsRows(inputs(records)));

  it("has a row for the gateway, each service and each instance, with its state in words", () => {
    for (const name of ["gateway", "web", "web-1", "web-2", "web-3", "cache"]) {
      assert.ok(page.includes(`<th scope="row">${name}</th>`), name);
    }
    assert.match(page, /<td class="warn">DRAIN<\/td>/);
    assert.match(page, /<td class="bad">DOWN<\/td>/);
    assert.match(page, /<title>1\/3 up - Nines<\/title>/);
  });

  it("shows what somebody else wrote as text, and runs nothing", () => {
    assert.ok(!page.includes("<script"), page);
    assert.equal(
      page.split("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;").length,
      3,
    );
    assert.match(page, /<meta http-equiv="refresh" content="5">/);
  });
});
