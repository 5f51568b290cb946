// GET /stats: the state of everything on one dense page, for a browser beside a terminal.
//
// HTML that is written whole for each request and asks again by itself after some seconds: no
// script, nothing to load, nothing that may be run (its Content-Security-Policy says so): it works
// in any browser, also in one that is read aloud. States are words before they are colours.
// Rejected: a page that fetches JSON by script, which is a program of its own to keep right.

import { formatAge } from "../status/table.ts";
import type { ServiceReport, StatusReport } from "../status/report.ts";
import type { StatsRow } from "./columns.ts";

const REFRESH_S = 5;

interface Head {
  readonly name: string;
  /** What the number means, as a tooltip. */
  readonly title: string;
  readonly value: (row: StatsRow) => string | number | undefined;
}

const heads: readonly Head[] = [
  { name: "weight", title: "effective weight", value: ({ weight }) => weight },
  { name: "now", title: "requests under way", value: ({ scur }) => scur },
  { name: "limit", title: "the most at once", value: ({ slim }) => slim },
  { name: "queue", title: "requests that wait", value: ({ qcur }) => qcur },
  { name: "req/s", title: "of the last ten seconds", value: (row) => row.rate ?? row.req_rate },
  { name: "total", title: "requests, to instances with retries", value: ({ stot }) => stot },
  { name: "in", title: "bytes from clients", value: ({ bin }) => bytes(bin) },
  { name: "out", title: "bytes to clients", value: ({ bout }) => bytes(bout) },
  { name: "2xx", title: "answers", value: (row) => row.hrsp_2xx },
  { name: "3xx", title: "answers", value: (row) => row.hrsp_3xx },
  { name: "4xx", title: "answers", value: (row) => row.hrsp_4xx },
  { name: "5xx", title: "answers", value: (row) => row.hrsp_5xx },
  { name: "limited", title: "kept out by a rate limit", value: ({ dreq }) => dreq },
  { name: "conn", title: "connections that could not be made", value: ({ econ }) => econ },
  { name: "resp", title: "answers that broke off or were late", value: ({ eresp }) => eresp },
  { name: "retries", title: "sent again to another instance", value: ({ wredis }) => wredis },
];
/** Of these anything but nothing is worth a look. */
const troubles: ReadonlySet<string> = new Set(["5xx", "conn", "resp"]);

export function renderStatsPage(report: StatusReport, rows: readonly StatsRow[]): string {
  const nowMs = Date.parse(report.at);
  const { services } = report;
  const wanted = services.reduce((all, one) => all + one.wanted, 0);
  const up = services.reduce((all, one) => all + one.up, 0);
  const incidents = report.incidents.map(
    ({ id, headline }) => `<p class="bad">incident ${escape(`${id}: ${headline}`)}</p>`,
  );
  const names = [
    ...["name", "state", "since"].map((name) => headCell(name, "")),
    ...heads.map(({ name, title }) => headCell(name, title)),
    ...["p50", "p99", "check", "agent", "why"].map((name) => headCell(name, "")),
  ].join("");
  const lines = rows.map((row) => rowOf(row, services, nowMs)).join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="${REFRESH_S}">
<title>${up}/${wanted} up - Nines</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>Nines</h1>
<p>${escape(controlLine(report, nowMs))}</p>
<p>${escape(gatewayLine(report))}</p>
${incidents.join("\n")}
</header>
<table>
<thead><tr>${names}</tr></thead>
<tbody>
${lines}
</tbody>
</table>
<footer>
<p>Said at ${escape(report.at)}; asked again every ${REFRESH_S} s.</p>
<p>The same: <a href="/stats.csv">CSV</a> in HAProxy's columns, <a href="/stats.json">JSON</a>.</p>
</footer>
</body>
</html>
`;
}

function headCell(name: string, title: string): string {
  const meaning = title === "" ? "" : ` title="${escape(title)}"`;
  return `<th scope="col"${meaning}>${escape(name)}</th>`;
}

function controlLine({ control, nines, file }: StatusReport, nowMs: number): string {
  const age =
    control.since === null ? "" : `, since ${formatAge(Date.parse(control.since), nowMs)}`;
  return `version ${nines}, control pid ${control.pid}, term ${control.term}${age}, ${file ?? ""}`;
}

function gatewayLine({ gateway }: StatusReport): string {
  if (gateway === null) return "no gateway";
  const workers = gateway.workers.map(
    ({ worker, pid, state, connections }) =>
      `worker ${worker} (pid ${pid}, ${state}, ${connections} connections)`,
  );
  return [gateway.addresses.join(" "), ...workers].join(", ");
}

function rowOf(row: StatsRow, services: readonly ServiceReport[], nowMs: number): string {
  const service = services.find(({ name }) => name === row.pxname);
  const isService = row.svname === "BACKEND";
  const instance = service?.instances.find(({ id }) => id === row.svname);
  const isWhole = isService || instance === undefined;
  const name = isWhole ? row.pxname : row.svname;
  const state = isService ? `${service?.up ?? 0}/${service?.wanted ?? 0} up` : row.status;
  const since = instance?.since ? formatAge(Date.parse(instance.since), nowMs) : "";
  const numbers = heads.map(({ name: head, value }) => {
    const shown = value(row) ?? "";
    const isBad = troubles.has(head) && shown !== "" && shown !== 0;
    const look = isBad ? ' class="bad"' : shown === 0 ? ' class="zero"' : "";
    return `<td${look}>${escape(String(shown))}</td>`;
  });
  const latencies = isService ? [service?.p50Ms, service?.p99Ms] : [undefined, undefined];
  const why = instance?.why.replace(`${instance.id} `, "") ?? service?.deploy?.why ?? "";
  const cells = [
    `<th scope="row">${escape(String(name ?? ""))}</th>`,
    `<td class="${colourOf(row, service)}">${escape(String(state ?? ""))}</td>`,
    `<td>${escape(since)}</td>`,
    ...numbers,
    ...latencies.map((ms) => `<td>${typeof ms === "number" ? `${ms} ms` : ""}</td>`),
    `<td class="text">${escape([row.check_status, row.check_code].filter(Boolean).join(" "))}</td>`,
    `<td class="text">${escape(String(row.last_agt ?? ""))}</td>`,
    `<td class="text">${escape(isService ? (service?.deploy?.why ?? "") : why)}</td>`,
  ];
  return `<tr${isWhole ? ' class="whole"' : ""}>${cells.join("")}</tr>`;
}

function colourOf(row: StatsRow, service: ServiceReport | undefined): string {
  if (row.svname === "FRONTEND") return "good";
  if (row.svname === "BACKEND") {
    if ((service?.up ?? 0) === 0) return "bad";
    return (service?.up ?? 0) < (service?.wanted ?? 0) ? "warn" : "good";
  }
  if (row.status === "UP" || row.status === "no check" || row.status === "NOLB") return "good";
  return row.status === "DRAIN" || row.status === "MAINT" ? "warn" : "bad";
}

const units = ["B", "KB", "MB", "GB", "TB"] as const;

/** Three digits and a unit of a thousand. */
function bytes(count: string | number | undefined): string | undefined {
  if (typeof count !== "number") return undefined;
  let shown = count;
  let unit = 0;
  while (shown >= 1000 && unit < units.length - 1) {
    shown /= 1000;
    unit++;
  }
  const digits = unit === 0 || shown >= 100 ? 0 : 1;
  return `${shown.toFixed(digits)} ${units[unit]}`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
}

const style = `
:root{color-scheme:light dark}
body{font:13px/1.35 system-ui,sans-serif;margin:8px 12px}
h1{font-size:16px;margin:0}
header p,footer p{margin:2px 0}
table{border-collapse:collapse;margin:8px 0;font-variant-numeric:tabular-nums}
th,td{padding:2px 7px;text-align:right;white-space:nowrap;border-bottom:1px solid #8883}
th:first-child,td:nth-child(2),td.text{text-align:left}
thead th{position:sticky;top:0;background:Canvas;font-weight:600;border-bottom:1px solid #888}
thead th:nth-child(2),thead th:nth-last-child(-n+3){text-align:left}
tbody th{font-weight:400;padding-left:20px}
tr.whole th{font-weight:600;padding-left:7px}
tr.whole td,tr.whole th{background:#8881}
.zero{opacity:.45}
td:last-child{white-space:normal;min-width:22em}
.good{color:#14692c}.warn{color:#8a5a00;font-weight:600}.bad{color:#b3141d;font-weight:600}
@media(prefers-color-scheme:dark){.good{color:#6fd28a}.warn{color:#f0b94a}.bad{color:#ff8080}}
`;
