// GET /metrics: what the gateway and control counted, in Prometheus' text format.
//
// The numbers are totals that others keep (workers count, the steward adds up, the totals of ended
// workers included), so this only writes them down. prom-client would keep counters of its own,
// which we should have to overwrite at each scrape. Names after Prometheus' own advice: base units,
// _total for counters.
//
// Bounded: no value of a label comes from a client. There are as many series as routes, services,
// instances, workers and reasons (core/base/reasons.ts) make; a reason's series begins when it
// first happens.

import type {
  ConcurrencyStats,
  CountsByReason,
  InstanceStats,
  RouteStats,
  ServiceStats,
} from "../../core/measure/gateway-stats.ts";
import {
  bucketLimitMs,
  COARSE_BUCKETS,
  coarseLimitMs,
  HISTOGRAM_BUCKETS,
} from "../../core/measure/histogram.ts";
import type { GatewayTotals } from "../../gateway/steward/totals.ts";
import type { StatusReport } from "../status/report.ts";

export type LabelName = "version" | "route" | "service" | "instance" | "code" | "reason" | "worker";
type Labels = Readonly<Partial<Record<LabelName, string | number>>>;
type Row<Value> = readonly [labels: Labels, value: Value];

interface Told {
  readonly report: StatusReport;
  readonly totals: GatewayTotals;
}

/** Cumulative counts, each of what took less than its limit; and all of it. */
interface Distribution {
  readonly buckets: readonly (readonly [limitSeconds: number, count: number])[];
  readonly count: number;
  readonly sumSeconds: number;
}

/** One metric: name, kind, help, labels, and its values out of what there is to tell. */
export type Metric = {
  readonly name: `nines_${string}`;
  readonly help: string;
  readonly labels: readonly LabelName[];
} & (
  | { readonly kind: "counter" | "gauge"; readonly rows: (told: Told) => readonly Row<number>[] }
  | { readonly kind: "histogram"; readonly rows: (told: Told) => readonly Row<Distribution>[] }
);

const ofRoute = ["route", "service"] as const;
const ofService = ["service"] as const;
const ofInstance = ["service", "instance"] as const;

function perRoute<Value>(value: (route: RouteStats) => Value) {
  return ({ totals }: Told): readonly Row<Value>[] =>
    totals.routes.map((route) => [{ route: route.name, service: route.service }, value(route)]);
}

function perService(value: (service: ServiceStats) => number) {
  return ({ totals }: Told): readonly Row<number>[] =>
    totals.services.map((service) => [{ service: service.name }, value(service)]);
}

/** Of those that find out how much they bear. */
function perConcurrency(value: (concurrency: ConcurrencyStats) => number) {
  return ({ totals }: Told): readonly Row<number>[] =>
    totals.services.flatMap(({ name, concurrency }): readonly Row<number>[] =>
      concurrency === undefined ? [] : [[{ service: name }, value(concurrency)]],
    );
}

function perInstance<Value>(value: (instance: InstanceStats) => Value) {
  return ({ totals }: Told): readonly Row<Value>[] =>
    totals.services.flatMap(({ name, instances }) =>
      instances.map((one): Row<Value> => [{ service: name, instance: one.id }, value(one)]),
    );
}

/** A row for each class of status. */
function byClass(rows: (told: Told) => readonly Row<readonly number[]>[]) {
  return (told: Told): readonly Row<number>[] =>
    rows(told).flatMap(([labels, counts]) =>
      ["1xx", "2xx", "3xx", "4xx", "5xx"].map(
        (code, index): Row<number> => [{ ...labels, code }, counts[index] ?? 0],
      ),
    );
}

/** A row for each reason that there has been. */
function byReason(rows: (told: Told) => readonly Row<CountsByReason>[]) {
  return (told: Told): readonly Row<number>[] =>
    rows(told).flatMap(([labels, counts]) =>
      Object.keys(counts)
        .sort()
        .map((reason): Row<number> => [{ ...labels, reason }, counts[reason] ?? 0]),
    );
}

function known(value: (told: StatusReport["services"][number]["instances"][number]) => number) {
  return ({ report }: Told): readonly Row<number>[] =>
    report.services.flatMap(({ name, instances }) =>
      instances.map((one): Row<number> => [{ service: name, instance: one.id }, value(one)]),
    );
}

function perWorker(key: "connections" | "residentBytes") {
  return ({ report }: Told): readonly Row<number>[] =>
    (report.gateway?.workers ?? []).map((worker) => [{ worker: worker.worker }, worker[key]]);
}

function once(value: (told: Told) => number) {
  return (told: Told): readonly Row<number>[] => [[{}, value(told)]];
}

/** The last counter also counts what lies beyond every limit: that is "+Inf". */
function distribution(
  counts: readonly number[],
  sumMs: number,
  isLimit: (bucket: number) => boolean,
  limitMs: (bucket: number) => number,
  length: number,
): Distribution {
  const buckets: [number, number][] = [];
  let count = 0;
  for (let bucket = 0; bucket < length; bucket++) {
    count += counts[bucket] ?? 0;
    if (isLimit(bucket) && bucket < length - 1) buckets.push([limitMs(bucket) / 1000, count]);
  }
  return { buckets, count, sumSeconds: sumMs / 1000 };
}

/** A bucket each power of two. */
function routeTimes({ latency, latencySumMs }: RouteStats): Distribution {
  const isLimit = (bucket: number): boolean => bucket % 8 === 7;
  return distribution(latency, latencySumMs, isLimit, bucketLimitMs, HISTOGRAM_BUCKETS);
}

/** A bucket each power of four: there may be thousands of instances. */
function instanceTimes({ latency, latencySumMs }: InstanceStats): Distribution {
  const isLimit = (bucket: number): boolean => bucket % 2 === 1;
  return distribution(latency, latencySumMs, isLimit, coarseLimitMs, COARSE_BUCKETS);
}

const routeMetrics: readonly Metric[] = [
  {
    name: "nines_requests_total",
    kind: "counter",
    help: "Requests (connections, of a tcp listener) that were let in; retries are not counted again.",
    labels: ofRoute,
    rows: perRoute((route) => route.requests),
  },
  {
    name: "nines_answers_total",
    kind: "counter",
    help: "Whole answers that clients got, the gateway's own among them, by class of status.",
    labels: [...ofRoute, "code"],
    rows: byClass(perRoute((route) => route.answers)),
  },
  {
    name: "nines_request_failures_total",
    kind: "counter",
    help: "Requests that did not end with an instance's whole answer, by reason. Without a route: refused before one was known.",
    labels: [...ofRoute, "reason"],
    rows: byReason((told) => [
      ...perRoute((route) => route.failures)(told),
      [{}, told.totals.failures],
    ]),
  },
  {
    name: "nines_request_duration_seconds",
    kind: "histogram",
    help: "Whole request to whole answer, instance's or gateway's; of a tcp listener, a connection's life.",
    labels: ofRoute,
    rows: perRoute(routeTimes),
  },
];

const serviceMetrics: readonly Metric[] = [
  {
    name: "nines_requests_active",
    kind: "gauge",
    help: "Requests under way.",
    labels: ofService,
    rows: perService((service) => service.active),
  },
  {
    name: "nines_requests_queued",
    kind: "gauge",
    help: "Requests that wait for an instance.",
    labels: ofService,
    rows: perService((service) => service.queued),
  },
  {
    name: "nines_rate_limited_total",
    kind: "counter",
    help: "Requests that a rate limit kept out (429); not counted as requests.",
    labels: ofService,
    rows: perService((service) => service.limited),
  },
  {
    name: "nines_concurrency_limit",
    kind: "gauge",
    help: "Requests at once that a service with `concurrency` is found to bear; of all workers together.",
    labels: ofService,
    rows: perConcurrency(({ limit }) => limit),
  },
  {
    name: "nines_concurrency_waiting",
    kind: "gauge",
    help: "Requests that count against that limit: whole, and without an answer yet; or left by their clients a moment ago.",
    labels: ofService,
    rows: perConcurrency(({ waiting }) => waiting),
  },
  {
    name: "nines_concurrency_baseline_seconds",
    kind: "gauge",
    help: "What an answer is found to take when nobody queues; the largest of any worker, 0 before the first.",
    labels: ofService,
    rows: perConcurrency(({ baselineMs }) => baselineMs / 1000),
  },
  {
    name: "nines_retries_total",
    kind: "counter",
    help: "Requests sent again to another instance, by why the try before failed.",
    labels: [...ofService, "reason"],
    rows: byReason(({ totals }) =>
      totals.services.map((service) => [{ service: service.name }, service.retriedFor]),
    ),
  },
  {
    name: "nines_hedges_total",
    kind: "counter",
    help: "Second attempts beside a first one that a silent instance kept waiting.",
    labels: ofService,
    rows: perService((service) => service.hedges),
  },
  {
    name: "nines_refused_total",
    kind: "counter",
    help: "Answers 502, 503 and 504 of the gateway's own making.",
    labels: ofService,
    rows: perService((service) => service.refused),
  },
  {
    name: "nines_received_bytes_total",
    kind: "counter",
    help: "Bytes received from clients.",
    labels: ofService,
    rows: perService((service) => service.bytesIn),
  },
  {
    name: "nines_sent_bytes_total",
    kind: "counter",
    help: "Bytes sent to clients.",
    labels: ofService,
    rows: perService((service) => service.bytesOut),
  },
];

const instanceMetrics: readonly Metric[] = [
  {
    name: "nines_instance_attempts_total",
    kind: "counter",
    help: "Requests sent to an instance, retries included.",
    labels: ofInstance,
    rows: perInstance((instance) => instance.requests),
  },
  {
    name: "nines_instance_attempts_active",
    kind: "gauge",
    help: "Requests under way on an instance.",
    labels: ofInstance,
    rows: perInstance((instance) => instance.active),
  },
  {
    name: "nines_instance_answers_total",
    kind: "counter",
    help: "Answers of an instance by class of status.",
    labels: [...ofInstance, "code"],
    rows: byClass(perInstance((instance) => instance.answers)),
  },
  {
    name: "nines_instance_duration_seconds",
    kind: "histogram",
    help: "From the beginning of an attempt to the instance's whole answer; without tunnels.",
    labels: ofInstance,
    rows: perInstance(instanceTimes),
  },
  {
    name: "nines_instance_connect_failures_total",
    kind: "counter",
    help: "Connections to an instance that could not be made.",
    labels: ofInstance,
    rows: perInstance((instance) => instance.connectFailures),
  },
  {
    name: "nines_instance_resets_total",
    kind: "counter",
    help: "Answers that broke off, through the instance.",
    labels: ofInstance,
    rows: perInstance((instance) => instance.resets),
  },
  {
    name: "nines_instance_timeouts_total",
    kind: "counter",
    help: "Answers that did not come in time.",
    labels: ofInstance,
    rows: perInstance((instance) => instance.timeouts),
  },
  {
    name: "nines_instance_hedges_total",
    kind: "counter",
    help: "Requests that were tried on another instance too, because this one was silent.",
    labels: ofInstance,
    rows: perInstance((instance) => instance.hedges),
  },
  {
    name: "nines_instance_ejections_total",
    kind: "counter",
    help: "How often a worker ejected the instance, by reason; each worker counts its own.",
    labels: [...ofInstance, "reason"],
    rows: byReason(perInstance((instance) => instance.ejections)),
  },
  {
    name: "nines_instance_ejected",
    kind: "gauge",
    help: "1 while any worker has ejected the instance.",
    labels: ofInstance,
    rows: perInstance((instance) => (instance.ejected ? 1 : 0)),
  },
  {
    name: "nines_instance_up",
    kind: "gauge",
    help: "1 while the instance gets traffic.",
    labels: ofInstance,
    rows: known((instance) => (instance.state === "up" ? 1 : 0)),
  },
  {
    name: "nines_instance_restarts_total",
    kind: "counter",
    help: "Ends of the instance that nobody asked for, each followed by another start.",
    labels: ofInstance,
    rows: known((instance) => instance.restarts),
  },
];

const gatewayMetrics: readonly Metric[] = [
  {
    name: "nines_gateway_workers",
    kind: "gauge",
    help: "Gateway workers that serve.",
    labels: [],
    rows: once(
      ({ report }) =>
        (report.gateway?.workers ?? []).filter(({ state }) => state === "serving").length,
    ),
  },
  {
    name: "nines_gateway_connections",
    kind: "gauge",
    help: "Client connections of a worker.",
    labels: ["worker"],
    rows: perWorker("connections"),
  },
  {
    name: "nines_gateway_connections_accepted_total",
    kind: "counter",
    help: "Client connections that were accepted.",
    labels: [],
    rows: once(({ totals }) => totals.connectionsAccepted),
  },
  {
    name: "nines_gateway_connections_refused_total",
    kind: "counter",
    help: "Of these, closed at once: their address had as many as it may.",
    labels: [],
    rows: once(({ totals }) => totals.connectionsRefused),
  },
  {
    name: "nines_gateway_resident_bytes",
    kind: "gauge",
    help: "Resident memory of a worker.",
    labels: ["worker"],
    rows: perWorker("residentBytes"),
  },
  {
    name: "nines_access_log_lines_total",
    kind: "counter",
    help: "Lines of the access log that were written.",
    labels: [],
    rows: once(({ totals }) => totals.logLines),
  },
  {
    name: "nines_access_log_lost_lines_total",
    kind: "counter",
    help: "Lines of the access log that were lost: the disk was full, gone, or too slow.",
    labels: [],
    rows: once(({ totals }) => totals.logLinesLost),
  },
  {
    name: "nines_table_version",
    kind: "gauge",
    help: "Version of the routing table in force.",
    labels: [],
    rows: once(({ report }) => report.gateway?.tableVersion ?? 0),
  },
  {
    name: "nines_control_term",
    kind: "gauge",
    help: "How often control has started in this state directory.",
    labels: [],
    rows: once(({ report }) => report.control.term ?? 0),
  },
  {
    name: "nines_build_info",
    kind: "gauge",
    help: "Always 1; the version is in the label.",
    labels: ["version"],
    rows: ({ report }) => [[{ version: report.nines }, 1]],
  },
];

export const metrics: readonly Metric[] = [
  ...routeMetrics,
  ...serviceMetrics,
  ...instanceMetrics,
  ...gatewayMetrics,
];

export function renderMetrics(report: StatusReport, totals: GatewayTotals): string {
  const lines: string[] = [];
  for (const metric of metrics) {
    const { name, kind, help } = metric;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
    if (metric.kind === "histogram") {
      for (const [labels, value] of metric.rows({ report, totals })) {
        lines.push(...histogram(name, labels, value));
      }
    } else {
      for (const [labels, value] of metric.rows({ report, totals })) {
        lines.push(line(name, labels, value));
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

function histogram(
  name: string,
  labels: Labels,
  { buckets, count, sumSeconds }: Distribution,
): readonly string[] {
  return [
    ...buckets.map(([limit, below]) => line(`${name}_bucket`, { ...labels, le: limit }, below)),
    line(`${name}_bucket`, { ...labels, le: "+Inf" }, count),
    line(`${name}_sum`, labels, sumSeconds),
    line(`${name}_count`, labels, count),
  ];
}

function line(name: string, labels: Readonly<Record<string, string | number>>, value: number) {
  const pairs = Object.entries(labels).map(([key, label]) => `${key}="${escapeLabel(`${label}`)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
}

function escapeLabel(label: string): string {
  return label.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
