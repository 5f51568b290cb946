// The metrics page, judged by the grammar of the text format and by its sums.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bucketOf, HISTOGRAM_BUCKETS } from "../../core/measure/histogram.ts";
import type { StatusReport } from "../status/report.ts";
import { instanceStats, serviceStats } from "../status/stats.fixture.ts";
import { latencyMetric, metrics, renderMetrics } from "./metrics.ts";

const report: StatusReport = {
  nines: "0.1.0",
  at: "2026-11-21T12:00:00.000Z",
  file: "/srv/nines.yaml",
  stateDirectory: "/srv/.nines",
  control: { state: "running", pid: 10, term: 3, since: null },
  gateway: null,
  services: [],
  backup: null,
  incidents: [],
};

describe("the metrics page", () => {
  it("is in the text format: help, type, then samples, each metric once and together", () => {
    const totals = [serviceStats({ attempts: { "web-1": 3 } }), serviceStats({ name: "api" })];
    const seen: string[] = [];
    for (const line of renderMetrics(report, totals).trimEnd().split("\n")) {
      const help = /^# HELP ([a-z_]+) \S/.exec(line)?.[1];
      if (help !== undefined) {
        assert.ok(!seen.includes(help), `${help} is declared once`);
        seen.push(help);
        continue;
      }
      const current = seen.at(-1) ?? "";
      if (line.startsWith("# TYPE ")) {
        assert.match(line, new RegExp(`^# TYPE ${current} (counter|gauge|histogram)$`));
        continue;
      }
      const sample = /^([a-z_]+)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+$/.exec(line);
      assert.ok(sample !== null, `not a sample: ${line}`);
      assert.ok((sample[1] ?? "").startsWith(current), `${line} belongs to ${current}`);
    }
    assert.deepEqual(seen, [...metrics.map(({ name }) => name), latencyMetric.name]);
  });

  it("escapes what would end a label", () => {
    const text = renderMetrics(report, [serviceStats({ name: 'a"b\\c\nd' })]);
    assert.ok(text.includes('nines_requests_total{service="a\\"b\\\\c\\nd"} 0\n'));
  });

  it("says answers by class, instance by instance", () => {
    const web = { ...serviceStats({}), instances: [instanceStats({ answers: [0, 7, 0, 2, 1] })] };
    const text = renderMetrics(report, [web]);
    const of = (code: string) =>
      `nines_instance_answers_total{service="web",instance="web-1",code="${code}"}`;
    for (const [code, count] of [
      ["2xx", 7],
      ["4xx", 2],
      ["5xx", 1],
    ] as const) {
      assert.ok(text.includes(`${of(code)} ${count}\n`), code);
    }
  });

  it("counts latencies cumulatively, none lost, beyond the last limit too", () => {
    const latency = Array.from({ length: HISTOGRAM_BUCKETS }, () => 0);
    for (const ms of [0.2, 3, 3, 900, 1e9])
      latency[bucketOf(ms)] = (latency[bucketOf(ms)] ?? 0) + 1;
    const text = renderMetrics(report, [serviceStats({ latency })]);
    const buckets = [...text.matchAll(/_bucket\{service="web",le="([^"]+)"\} (\d+)/g)].map(
      ([, limit, count]) => [Number(limit === "+Inf" ? Infinity : limit), Number(count)] as const,
    );
    for (const [limit, count] of buckets) {
      const at = [0.0002, 0.003, 0.003, 0.9, 1e6].filter((seconds) => seconds < limit).length;
      assert.equal(count, at, `at most ${limit} s`);
    }
    assert.equal(buckets.length, HISTOGRAM_BUCKETS / 8);
    assert.ok(text.includes('nines_request_duration_seconds_count{service="web"} 5\n'));
  });
});
