// Where a load test may send its requests: to a service of the file in force, through the gateway
// or to its instances, and nowhere else.
//
// There is no way to name an address: it comes from what control says runs here, so that nobody is
// flooded by a slip of the keyboard. Before one is sent, the request is judged by the gateway's own
// router on the table in force; what would go to another service is refused with that one's name.

import { type Address, parseAddress } from "../../config/units.ts";
import { NinesError } from "../../core/base/errors.ts";
import { NO_ROUTE, createRouter } from "../../core/route/router.ts";
import type { RouteMatch, TableRoute } from "../../core/route/table.ts";
import type { ServiceReport, StatusReport } from "../status/report.ts";

export interface Asked {
  readonly service: string;
  /** To the instances, past the gateway. */
  readonly direct: boolean;
  readonly method: string;
  /** Absent: the path of the service's first route, or `/`. */
  readonly path: string | undefined;
}

export interface Target {
  readonly service: string;
  readonly through: "gateway" | "instances";
  readonly addresses: readonly Address[];
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Instances that take traffic now. */
  readonly instances: number;
  readonly wanted: number;
}

/** Throws NINES_SERVICE_UNKNOWN or NINES_LOAD_TARGET. */
export function targetOf(
  asked: Asked,
  status: StatusReport,
  routes: readonly Pick<TableRoute, "match" | "service">[],
): Target {
  const report = status.services.find(({ name }) => name === asked.service);
  if (report === undefined) {
    const known = status.services.map(({ name }) => name).join(", ");
    throw new NinesError(
      "NINES_SERVICE_UNKNOWN",
      `There is no service "${asked.service}"; there are ${known}.`,
    );
  }
  const taking = report.instances.filter(({ state }) => state === "up");
  if (taking.length === 0) refuse(`No instance of ${asked.service} takes traffic`);
  const common = {
    service: asked.service,
    method: asked.method,
    instances: taking.length,
    wanted: report.wanted,
  };
  return asked.direct
    ? { ...common, ...instances(asked, report) }
    : { ...common, ...gateway(asked, status, routes) };
}

type Way = Pick<Target, "through" | "addresses" | "path" | "headers">;

function instances(asked: Asked, report: ServiceReport): Way {
  const addresses = report.instances
    .filter(({ state }) => state === "up")
    .flatMap(({ address }) => (address === null ? [] : [parseAddress(address)]))
    .filter((address) => address !== undefined);
  return { through: "instances", addresses, path: asked.path ?? "/", headers: {} };
}

function gateway(
  asked: Asked,
  status: StatusReport,
  routes: readonly Pick<TableRoute, "match" | "service">[],
): Way {
  const prefix = "http://";
  const [listener] = (status.gateway?.addresses ?? []).filter((one) => one.startsWith(prefix));
  const address = parseAddress(listener?.slice(prefix.length) ?? "");
  if (address === undefined) refuse("The gateway does not listen for HTTP");
  const requests = routes
    .filter(({ service }) => service === asked.service)
    .map(({ match }) => requestFor(match, asked.path));
  const [first] = requests;
  if (first === undefined) refuse(`No route of the gateway leads to ${asked.service}`);
  const router = createRouter(routes);
  const leadsTo = ({ host, path, headers }: Request): string | undefined => {
    const [bare = path] = path.split("?", 1);
    const found = router.find(host ?? "", bare, asked.method, (name) => headers[name]);
    return found === NO_ROUTE ? undefined : routes[found]?.service;
  };
  const right = requests.find((one) => leadsTo(one) === asked.service);
  if (right === undefined) {
    const other = leadsTo(first);
    const where = other === undefined ? "no service" : `service ${other}`;
    refuse(`${asked.method} ${first.path} leads to ${where}, not to ${asked.service}`);
  }
  const host = right.host === undefined ? {} : { host: right.host };
  const headers = { ...host, ...right.headers };
  return { through: "gateway", addresses: [address], path: right.path, headers };
}

interface Request {
  readonly host: string | undefined;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One that the route takes unless an earlier one does; some name or value where it takes many. */
function requestFor(match: RouteMatch, path: string | undefined): Request {
  const headers = Object.entries(match.headers ?? {});
  return {
    host: match.host?.startsWith("*.") === true ? `load${match.host.slice(1)}` : match.host,
    path: path ?? match.exactPath ?? match.path ?? "/",
    headers: Object.fromEntries(
      headers.map(([name, value]) => [name, value === "*" ? "1" : value]),
    ),
  };
}

function refuse(what: string): never {
  throw new NinesError("NINES_LOAD_TARGET", `${what}.`);
}
