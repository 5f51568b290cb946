// GET /metrics: what the gateway and control counted, in Prometheus' text format.
//
// The numbers are totals that others keep (workers count, the steward adds up, the totals of ended
// workers included), so this only writes them down. prom-client would keep counters of its own,
// which we should have to overwrite at each scrape. Label sets are fixed: service, instance, code,
// worker. Names after Prometheus' own advice: base units, _total for counters.

import type { InstanceStats, ServiceStats } from "../../core/measure/gateway-stats.ts";
import { bucketLimitMs, HISTOGRAM_BUCKETS } from "../../core/measure/histogram.ts";
import type { StatusReport } from "../status/report.ts";

type Labels = Readonly<Record<string, string | number>>;
type Kind = "counter" | "gauge";
type Row = readonly [labels: Labels, value: number];

/** One metric: name, kind, help, and its values out of what there is to tell. */
interface Metric {
  readonly name: string;
  readonly kind: Kind;
  readonly help: string;
  readonly rows: (told: Told) => readonly Row[];
}

interface Told {
  readonly report: StatusReport;
  readonly totals: readonly ServiceStats[];
}

function perService(value: (service: ServiceStats) => number): Metric["rows"] {
  return ({ totals }) => totals.map((service) => [{ service: service.name }, value(service)]);
}

function perInstance(value: (instance: InstanceStats) => number): Metric["rows"] {
  return ({ totals }) =>
    totals.flatMap((service) =>
      service.instances.map(
        (one): Row => [{ service: service.name, instance: one.id }, value(one)],
      ),
    );
}

const classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];

function answers({ totals }: Told): readonly Row[] {
  return totals.flatMap((service) =>
    service.instances.flatMap((instance) =>
      classes.map((code, index): Row => {
        const labels = { service: service.name, instance: instance.id, code };
        return [labels, instance.answers[index] ?? 0];
      }),
    ),
  );
}

function known(value: (told: StatusReport["services"][number]["instances"][number]) => number) {
  return ({ report }: Told): readonly Row[] =>
    report.services.flatMap((service) =>
      service.instances.map(
        (one): Row => [{ service: service.name, instance: one.id }, value(one)],
      ),
    );
}

function perWorker(key: "connections" | "residentBytes"): Metric["rows"] {
  return ({ report }) =>
    (report.gateway?.workers ?? []).map((worker) => [{ worker: worker.worker }, worker[key]]);
}

export const metrics: readonly Metric[] = [
  {
    name: "nines_build_info",
    kind: "gauge",
    help: "Always 1; the version is in the label.",
    rows: ({ report }) => [[{ version: report.nines }, 1]],
  },
  {
    name: "nines_requests_total",
    kind: "counter",
    help: "Requests that clients made; retries are not counted again.",
    rows: perService((service) => service.requests),
  },
  {
    name: "nines_requests_active",
    kind: "gauge",
    help: "Requests under way.",
    rows: perService((service) => service.active),
  },
  {
    name: "nines_requests_queued",
    kind: "gauge",
    help: "Requests that wait for an instance.",
    rows: perService((service) => service.queued),
  },
  {
    name: "nines_rate_limited_total",
    kind: "counter",
    help: "Requests that a rate limit kept out (429); not counted as requests.",
    rows: perService((service) => service.limited),
  },
  {
    name: "nines_retries_total",
    kind: "counter",
    help: "Requests sent again to another instance.",
    rows: perService((service) => service.retries),
  },
  {
    name: "nines_hedges_total",
    kind: "counter",
    help: "Second attempts beside a first one that a silent instance kept waiting.",
    rows: perService((service) => service.hedges),
  },
  {
    name: "nines_refused_total",
    kind: "counter",
    help: "Answers 502, 503 and 504 of the gateway's own making.",
    rows: perService((service) => service.refused),
  },
  {
    name: "nines_received_bytes_total",
    kind: "counter",
    help: "Bytes received from clients.",
    rows: perService((service) => service.bytesIn),
  },
  {
    name: "nines_sent_bytes_total",
    kind: "counter",
    help: "Bytes sent to clients.",
    rows: perService((service) => service.bytesOut),
  },
  {
    name: "nines_instance_attempts_total",
    kind: "counter",
    help: "Requests sent to an instance, retries included.",
    rows: perInstance((instance) => instance.requests),
  },
  {
    name: "nines_instance_answers_total",
    kind: "counter",
    help: "Answers of an instance by class of status.",
    rows: answers,
  },
  {
    name: "nines_instance_connect_failures_total",
    kind: "counter",
    help: "Connections to an instance that could not be made.",
    rows: perInstance((instance) => instance.connectFailures),
  },
  {
    name: "nines_instance_resets_total",
    kind: "counter",
    help: "Answers that broke off, through the instance.",
    rows: perInstance((instance) => instance.resets),
  },
  {
    name: "nines_instance_timeouts_total",
    kind: "counter",
    help: "Answers that did not come in time.",
    rows: perInstance((instance) => instance.timeouts),
  },
  {
    name: "nines_instance_hedges_total",
    kind: "counter",
    help: "Requests that were tried on another instance too, because this one was silent.",
    rows: perInstance((instance) => instance.hedges),
  },
  {
    name: "nines_instance_ejected",
    kind: "gauge",
    help: "1 while any worker has ejected the instance.",
    rows: perInstance((instance) => (instance.ejected ? 1 : 0)),
  },
  {
    name: "nines_instance_up",
    kind: "gauge",
    help: "1 while the instance gets traffic.",
    rows: known((instance) => (instance.state === "up" ? 1 : 0)),
  },
  {
    name: "nines_instance_restarts_total",
    kind: "counter",
    help: "Ends of the instance that nobody asked for, each followed by another start.",
    rows: known((instance) => instance.restarts),
  },
  {
    name: "nines_gateway_workers",
    kind: "gauge",
    help: "Gateway workers that serve.",
    rows: ({ report }) => [
      [{}, (report.gateway?.workers ?? []).filter(({ state }) => state === "serving").length],
    ],
  },
  {
    name: "nines_gateway_connections",
    kind: "gauge",
    help: "Client connections of a worker.",
    rows: perWorker("connections"),
  },
  {
    name: "nines_gateway_resident_bytes",
    kind: "gauge",
    help: "Resident memory of a worker.",
    rows: perWorker("residentBytes"),
  },
  {
    name: "nines_table_version",
    kind: "gauge",
    help: "Version of the routing table in force.",
    rows: ({ report }) => [[{}, report.gateway?.tableVersion ?? 0]],
  },
  {
    name: "nines_control_term",
    kind: "gauge",
    help: "How often control has started in this state directory.",
    rows: ({ report }) => [[{}, report.control.term ?? 0]],
  },
];

export const latencyMetric = {
  name: "nines_request_duration_seconds",
  help: "Whole request to whole answer. The sum is taken from the buckets' middles.",
} as const;

export function renderMetrics(report: StatusReport, totals: readonly ServiceStats[]): string {
  const lines: string[] = [];
  for (const { name, kind, help, rows } of metrics) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
    for (const [labels, value] of rows({ report, totals })) lines.push(line(name, labels, value));
  }
  const { name, help } = latencyMetric;
  lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} histogram`);
  for (const service of totals) lines.push(...histogram(name, service));
  return `${lines.join("\n")}\n`;
}

/** One cumulative bucket a power of two: 20 series a service instead of 160. */
function histogram(name: string, { name: service, latency }: ServiceStats): string[] {
  const lines: string[] = [];
  let seen = 0;
  let sumMs = 0;
  for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    const counted = latency[bucket] ?? 0;
    const limitMs = bucketLimitMs(bucket);
    const floorMs = bucket === 0 ? 0 : bucketLimitMs(bucket - 1);
    seen += counted;
    sumMs += counted * ((limitMs + floorMs) / 2);
    // The last bucket also counts what lies beyond every limit: that is "+Inf".
    if (bucket % 8 === 7 && bucket < HISTOGRAM_BUCKETS - 1) {
      lines.push(line(`${name}_bucket`, { service, le: limitMs / 1000 }, seen));
    }
  }
  lines.push(line(`${name}_bucket`, { service, le: "+Inf" }, seen));
  lines.push(line(`${name}_sum`, { service }, sumMs / 1000));
  lines.push(line(`${name}_count`, { service }, seen));
  return lines;
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, label]) => `${key}="${escapeLabel(`${label}`)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
}

function escapeLabel(label: string): string {
  return label.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
