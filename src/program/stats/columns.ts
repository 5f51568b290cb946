// The columns of HAProxy's statistics, by name and order (management.txt of 2.6, 9.1 "CSV format"),
// so that what reads those reads ours. A tool may go by a column's place: all 100 static ones are
// there, with nothing in those that Nines has no value for.

export const columns = [
  "pxname",
  "svname",
  "qcur",
  "qmax",
  "scur",
  "smax",
  "slim",
  "stot",
  "bin",
  "bout",
  "dreq",
  "dresp",
  "ereq",
  "econ",
  "eresp",
  "wretr",
  "wredis",
  "status",
  "weight",
  "act",
  "bck",
  "chkfail",
  "chkdown",
  "lastchg",
  "downtime",
  "qlimit",
  "pid",
  "iid",
  "sid",
  "throttle",
  "lbtot",
  "tracked",
  "type",
  "rate",
  "rate_lim",
  "rate_max",
  "check_status",
  "check_code",
  "check_duration",
  "hrsp_1xx",
  "hrsp_2xx",
  "hrsp_3xx",
  "hrsp_4xx",
  "hrsp_5xx",
  "hrsp_other",
  "hanafail",
  "req_rate",
  "req_rate_max",
  "req_tot",
  "cli_abrt",
  "srv_abrt",
  "comp_in",
  "comp_out",
  "comp_byp",
  "comp_rsp",
  "lastsess",
  "last_chk",
  "last_agt",
  "qtime",
  "ctime",
  "rtime",
  "ttime",
  "agent_status",
  "agent_code",
  "agent_duration",
  "check_desc",
  "agent_desc",
  "check_rise",
  "check_fall",
  "check_health",
  "agent_rise",
  "agent_fall",
  "agent_health",
  "addr",
  "cookie",
  "mode",
  "algo",
  "conn_rate",
  "conn_rate_max",
  "conn_tot",
  "intercepted",
  "dcon",
  "dses",
  "wrew",
  "connect",
  "reuse",
  "cache_lookups",
  "cache_hits",
  "srv_icur",
  "src_ilim",
  "qtime_max",
  "ctime_max",
  "rtime_max",
  "ttime_max",
  "eint",
  "idle_conn_cur",
  "safe_conn_cur",
  "used_conn_cur",
  "need_conn_est",
  "uweight",
] as const;

export type Column = (typeof columns)[number];

/** What has no value is absent. */
export type StatsRow = Readonly<Partial<Record<Column, string | number>>>;

/** After the static columns HAProxy writes one more, of this name, and then what it likes. */
const END_OF_STATIC = "-";

export function renderCsv(rows: readonly StatsRow[]): string {
  const head = `# ${[...columns, END_OF_STATIC].join(",")},`;
  const lines = rows.map((row) => {
    const fields = columns.map((column) => escapeField(String(row[column] ?? "")));
    return `${fields.join(",")},${END_OF_STATIC},`;
  });
  return `${[head, ...lines].join("\n")}\n`;
}

/** Quotes only where the text is ambiguous. A line is a line. */
function escapeField(text: string): string {
  const plain = text.replaceAll(/[\r\n]+/g, " ");
  return /[",]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
