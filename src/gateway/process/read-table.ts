// A routing table from a file or a link, judged before anything is built on it. Every field that
// the data plane follows is looked at, so that a torn file or another version's is refused as a
// whole and never fails in the middle of a request.

import { priorities } from "../../core/guard/concurrency-limit.ts";
import { retryWords } from "../../core/guard/retry-conditions.ts";
import {
  accessFormats,
  balanceAlgorithms,
  rateLimitKeys,
  hashedParts,
  instanceVerdicts,
  type RoutingTable,
  sameSites,
  serviceModes,
} from "../../core/route/table.ts";
import {
  type Fields,
  fieldsOf,
  isBoolean,
  isCount,
  isList,
  isNumber,
  isOneOf,
  isText,
} from "./shape.ts";

/** The table, or undefined when it is not one. */
export function readTable(value: unknown): RoutingTable | undefined {
  const table = fieldsOf(value);
  if (table === undefined) return undefined;
  const routes = table["routes"];
  const good =
    isCount(table["version"]) &&
    isCount(table["workers"]) &&
    table["workers"] >= 1 &&
    isList(routes, each(isRoute)) &&
    isList(table["listeners"], each(isListener((routes as readonly unknown[]).length))) &&
    isList(table["services"], each(isService)) &&
    areNumbers(table["limits"], limitFields) &&
    (table["accessLog"] === undefined || isAccessLog(table["accessLog"])) &&
    isNumber(table["drainMs"]);
  return good ? (value as RoutingTable) : undefined;
}

const PORT_MAX = 65_535;

function each(guard: (fields: Fields) => boolean): (value: unknown) => boolean {
  return (value) => {
    const fields = fieldsOf(value);
    return fields !== undefined && guard(fields);
  };
}

function areNumbers(value: unknown, names: readonly string[]): boolean {
  const fields = fieldsOf(value);
  return fields !== undefined && names.every((name) => isNumber(fields[name]));
}

function isListener(routeCount: number): (listener: Fields) => boolean {
  return (listener) => {
    const { host, port, protocol, tcpRoute } = listener;
    if (!isText(host) || !isCount(port) || port > PORT_MAX) return false;
    if (protocol === "http") return true;
    return protocol === "tcp" && isCount(tcpRoute) && tcpRoute < routeCount;
  };
}

function isAccessLog(value: unknown): boolean {
  const log = fieldsOf(value);
  return (
    log !== undefined &&
    (log["file"] === undefined || isText(log["file"])) &&
    isOneOf(accessFormats)(log["format"]) &&
    isBoolean(log["query"]) &&
    areNumbers(log, ["sampleRatio", "rotateBytes", "keep"])
  );
}

const limitFields = [
  "headBytes",
  "headerCount",
  "targetBytes",
  "connections",
  "connectionsPerAddress",
  "minimumRate",
];
const retryFields = ["attempts", "budgetRatio", "budgetPerSecond", "replayBytes"];
const timeoutFields = [
  "connectMs",
  "headMs",
  "idleMs",
  "keepAliveMs",
  "queueMs",
  "responseMs",
  "tunnelMs",
];

function isRoute(route: Fields): boolean {
  return (
    isMatch(route["match"]) &&
    isText(route["service"]) &&
    (route["priority"] === undefined || isOneOf(priorities)(route["priority"])) &&
    isList(route["rateLimits"], each(isRateLimit)) &&
    isBalanceRule(route["balance"]) &&
    (route["sticky"] === undefined || isSticky(route["sticky"])) &&
    areNumbers(route["retry"], retryFields) &&
    areConditions(fieldsOf(route["retry"]) ?? {}) &&
    areNumbers(route["hedge"], ["budgetRatio", "budgetPerSecond"]) &&
    areNumbers(route["timeouts"], timeoutFields)
  );
}

function areConditions({ on, perTryMs, atOnce }: Fields): boolean {
  const isCondition = (value: unknown): boolean => isNumber(value) || isOneOf(retryWords)(value);
  return (
    (on === undefined || isList(on, isCondition)) &&
    (perTryMs === undefined || isNumber(perTryMs)) &&
    (atOnce === undefined || isCount(atOnce))
  );
}

function isRateLimit(limit: Fields): boolean {
  return (
    isOneOf(rateLimitKeys)(limit["by"]) &&
    (limit["by"] === "header" ? isText(limit["header"]) : limit["header"] === undefined) &&
    isCount(limit["requests"]) &&
    limit["requests"] >= 1 &&
    isNumber(limit["perMs"]) &&
    limit["perMs"] > 0 &&
    isCount(limit["burst"]) &&
    limit["burst"] >= 1
  );
}

function isBalanceRule(value: unknown): boolean {
  const rule = fieldsOf(value);
  const hash = fieldsOf(rule?.["hash"]);
  return (
    rule !== undefined &&
    hash !== undefined &&
    isOneOf(balanceAlgorithms)(rule["algorithm"]) &&
    isOneOf(hashedParts)(hash["part"]) &&
    isText(hash["name"]) &&
    isNumber(rule["loadFactor"])
  );
}

function isSticky(value: unknown): boolean {
  const sticky = fieldsOf(value);
  return (
    sticky !== undefined &&
    isText(sticky["cookie"]) &&
    isOneOf(sameSites)(sticky["sameSite"]) &&
    isBoolean(sticky["secure"]) &&
    isNumber(sticky["maxAgeMs"])
  );
}

function isMatch(value: unknown): boolean {
  const match = fieldsOf(value);
  if (match === undefined) return false;
  const texts = ["host", "path", "exactPath", "method"];
  if (!texts.every((name) => match[name] === undefined || isText(match[name]))) return false;
  const headers = match["headers"];
  if (headers === undefined) return true;
  const fields = fieldsOf(headers);
  return fields !== undefined && Object.values(fields).every(isText);
}

const detectionFields = [
  "consecutiveErrors",
  "ejectionBaseMs",
  "ejectionMaxMs",
  "maxEjectedRatio",
  "panicRatio",
];

function isDetection(value: unknown): boolean {
  const detection = fieldsOf(value);
  return (
    detection !== undefined &&
    isBoolean(detection["stall"]) &&
    isBoolean(detection["successRate"]) &&
    (detection["failureRatio"] === undefined || isShare(detection["failureRatio"])) &&
    areNumbers(detection, detectionFields)
  );
}

function isService(service: Fields): boolean {
  return (
    isText(service["name"]) &&
    isOneOf(serviceModes)(service["mode"]) &&
    isCount(service["epoch"]) &&
    isDetection(service["detection"]) &&
    isNumber(service["slowStartMs"]) &&
    (service["slowStartCurve"] === undefined || isRampCurve(service["slowStartCurve"])) &&
    isNumber(service["overProvision"]) &&
    isNumber(service["maxConnections"]) &&
    isNumber(service["queueLength"]) &&
    isConcurrency(service["concurrency"]) &&
    (service["loadReports"] === undefined || service["loadReports"] === true) &&
    (service["zones"] === undefined || isZonePolicy(service["zones"])) &&
    (service["subset"] === undefined || isCount(service["subset"])) &&
    isList(service["instances"], each(isInstance))
  );
}

function isZonePolicy(value: unknown): boolean {
  const zones = fieldsOf(value);
  return (
    zones !== undefined &&
    isText(zones["name"]) &&
    isNumber(zones["entering"]) &&
    zones["entering"] <= 1 &&
    isCount(zones["minimum"])
  );
}

function isRampCurve(value: unknown): boolean {
  const curve = fieldsOf(value);
  const aggression = curve?.["aggression"];
  return isShare(curve?.["minimum"]) && isNumber(aggression) && aggression >= 0;
}

function isConcurrency(value: unknown): boolean {
  if (value === undefined) return true;
  const { min, max, tolerance } = fieldsOf(value) ?? {};
  if (!isNumber(min) || !isNumber(max) || !isNumber(tolerance)) return false;
  return min >= 1 && max >= min && tolerance > 1;
}

function isInstance(instance: Fields): boolean {
  return (
    isText(instance["id"]) &&
    isText(instance["host"]) &&
    isCount(instance["port"]) &&
    instance["port"] <= PORT_MAX &&
    isNumber(instance["weight"]) &&
    isBoolean(instance["backup"]) &&
    (instance["priority"] === undefined || isCount(instance["priority"])) &&
    isOneOf(instanceVerdicts)(instance["verdict"]) &&
    isCount(instance["generation"]) &&
    isShare(instance["share"]) &&
    (instance["backupOf"] === undefined || isText(instance["backupOf"])) &&
    (instance["zone"] === undefined || isText(instance["zone"])) &&
    (instance["maxConnections"] === undefined || isCount(instance["maxConnections"]))
  );
}

function isShare(value: unknown): boolean {
  return isNumber(value) && value > 0 && value <= 1;
}
