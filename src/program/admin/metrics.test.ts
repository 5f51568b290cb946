// The metrics page, judged by the grammar of the text format, by its sums, and by a golden page.
// NINES_REWRITE=1 writes that one anew; read the difference before you commit it.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { quietWorker, type RouteStats } from "../../core/measure/gateway-stats.ts";
import { bucketOf, coarseBucketOf, HISTOGRAM_BUCKETS } from "../../core/measure/histogram.ts";
import type { GatewayTotals } from "../../gateway/steward/totals.ts";
import { metricsReference } from "../reference.ts";
import type { StatusReport } from "../status/report.ts";
import { instanceStats, serviceStats } from "../status/stats.fixture.ts";
import { metrics, renderMetrics } from "./metrics.ts";

const report: StatusReport = {
  nines: "0.1.0",
  at: "2026-11-21T12:00:00.000Z",
  file: "/srv/nines.yaml",
  stateDirectory: "/srv/.nines",
  control: { state: "running", pid: 10, term: 3, since: null },
  gateway: {
    addresses: ["http://127.0.0.1:8080"],
    parent: { pid: 20, term: 1 },
    workers: [
      {
        worker: 1,
        pid: 30,
        state: "serving",
        connections: 12,
        tableVersion: 7,
        residentBytes: 60_000_000,
        since: null,
      },
    ],
    tableVersion: 7,
  },
  services: [],
  backup: null,
  incidents: [],
};

function routeStats(numbers: Partial<RouteStats>): RouteStats {
  return {
    name: "/*",
    service: "web",
    requests: 0,
    answers: [],
    failures: {},
    latency: [],
    latencySumMs: 0,
    ...numbers,
  };
}

const totalsOf = (numbers: Partial<GatewayTotals>): GatewayTotals => ({
  ...quietWorker,
  ...numbers,
});

/** Counts of these latencies, and their sum. */
function timed(bucketFor: (ms: number) => number, latencies: readonly number[]) {
  const latency: number[] = [];
  for (const ms of latencies) {
    while (latency.length <= bucketFor(ms)) latency.push(0);
    latency[bucketFor(ms)] = (latency[bucketFor(ms)] ?? 0) + 1;
  }
  return { latency, latencySumMs: latencies.reduce((sum, ms) => sum + ms, 0) };
}

const busy = totalsOf({
  connectionsAccepted: 40,
  connectionsRefused: 1,
  failures: { NO_ROUTE: 2, BAD_HOST: 1 },
  routes: [
    routeStats({
      name: "shop.example.com/api/*",
      requests: 6,
      answers: [0, 3, 0, 1, 1],
      failures: { RATE_LIMITED: 1, QUEUE_TIMEOUT: 1, CLIENT_LEFT: 1 },
      ...timed(bucketOf, [0.2, 3, 3, 900]),
    }),
    routeStats({ name: "tcp 0.0.0.0:5432", service: "db" }),
  ],
  services: [
    serviceStats({
      requests: 6,
      limited: 1,
      active: 2,
      queued: 1,
      retries: 3,
      retriedFor: { STALE_CONNECTION: 2, CONNECT_FAILED: 1 },
      refused: 1,
      bytesIn: 1_000,
      bytesOut: 20_000,
      concurrency: { limit: 24, waiting: 2, baselineMs: 12.5 },
      instances: [
        instanceStats({
          requests: 7,
          active: 2,
          connectFailures: 1,
          answers: [0, 3, 0, 1, 0],
          ejections: { INSTANCE_REFUSED: 1 },
          ejected: true,
          ...timed(coarseBucketOf, [0.2, 3, 3, 900]),
        }),
      ],
    }),
  ],
});

/** Samples by metric, each declared once, all of one together. */
function read(text: string): ReadonlyMap<string, readonly string[]> {
  const read = new Map<string, string[]>();
  let current = "";
  for (const line of text.trimEnd().split("\n")) {
    const help = /^# HELP ([a-z_]+) \S/.exec(line)?.[1];
    if (help !== undefined) {
      assert.ok(!read.has(help), `${help} is declared once`);
      read.set(help, []);
      current = help;
    } else if (line.startsWith("# TYPE ")) {
      assert.match(line, new RegExp(`^# TYPE ${current} (counter|gauge|histogram)$`));
    } else {
      const sample = /^([a-z_]+)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+$/.exec(line);
      assert.ok(sample !== null, `not a sample: ${line}`);
      const suffix = (sample[1] ?? "").slice(current.length);
      assert.match(suffix, /^(|_bucket|_sum|_count)$/, `${line} belongs to ${current}`);
      read.get(current)?.push(line);
    }
  }
  return read;
}

describe("the metrics page", () => {
  it("is in the text format: help, type, then samples, each metric once and together", () => {
    const seen = read(renderMetrics(report, busy));
    assert.deepEqual(
      [...seen.keys()],
      metrics.map(({ name }) => name),
    );
  });

  it("says of each metric what the reference says: name, kind and labels", () => {
    const page = metricsReference();
    const seen = read(renderMetrics({ ...report, services: [] }, busy));
    for (const { name, kind, labels } of metrics) {
      const shown = labels.map((label) => `\`${label}\``).join(", ") || "none";
      assert.ok(page.includes(`| \`${name}\` | ${kind} | ${shown} |`), name);
      for (const sample of seen.get(name) ?? []) {
        const used = Array.from(sample.matchAll(/[{,]([a-z]+)="/g), ([, label = ""]) => label);
        const own = used.filter((label) => label !== "le");
        const isRouteless = !used.includes("route") && name === "nines_request_failures_total";
        assert.deepEqual(own, isRouteless ? ["reason"] : labels, sample);
        assert.equal(used.includes("le"), sample.startsWith(`${name}_bucket`), sample);
      }
    }
  });

  it("is named after Prometheus' advice: base units, _total for what only grows", () => {
    for (const { name, kind } of metrics) {
      assert.equal(name.endsWith("_total"), kind === "counter", name);
      assert.doesNotMatch(name, /_(ms|milliseconds|kib|mib)(_|$)/);
      if (kind === "histogram") assert.match(name, /_seconds$/);
    }
  });

  it("is the golden page", () => {
    const file = join(import.meta.dirname, "../../../../test/golden/metrics.txt");
    const text = renderMetrics(report, busy);
    if (process.env["NINES_REWRITE"] === "1") writeFileSync(file, text);
    assert.equal(text, readFileSync(file, "utf8"));
  });

  it("escapes what would end a label", () => {
    const text = renderMetrics(
      report,
      totalsOf({ services: [serviceStats({ name: 'a"b\\c\nd' })] }),
    );
    assert.ok(text.includes('nines_requests_active{service="a\\"b\\\\c\\nd"} 0\n'));
  });

  it("counts latencies cumulatively, none lost, beyond the last limit too", () => {
    const latencies = [0, 0.2, 3, 3, 900, 1e9];
    const routes = [routeStats(timed(bucketOf, latencies))];
    const instances = [instanceStats(timed(coarseBucketOf, latencies))];
    const services = [serviceStats({ instances })];
    const seen = read(renderMetrics(report, totalsOf({ routes, services })));
    for (const [name, bucketCount] of [
      ["nines_request_duration_seconds", HISTOGRAM_BUCKETS / 8],
      ["nines_instance_duration_seconds", 11],
    ] as const) {
      const samples = seen.get(name) ?? [];
      const buckets = samples.flatMap((sample) => {
        const [, limit, count] = /le="([^"]+)"\} (\d+)/.exec(sample) ?? [];
        return limit === undefined
          ? []
          : [[Number(limit.replace("+Inf", "Infinity")), Number(count)]];
      });
      assert.equal(buckets.length, bucketCount);
      for (const [limit = 0, count] of buckets) {
        const below = latencies.filter((ms) => ms / 1000 < limit).length;
        assert.equal(count, below, `${name}: less than ${limit} s`);
      }
      assert.match(samples.at(-2) ?? "", /_sum\{.*\} 1000000.9062\d*$/);
      assert.match(samples.at(-1) ?? "", /_count\{.*\} 6$/);
    }
  });
});
