// What counts as a message: each side takes the kinds that the contract gives it, with the fields
// that it uses, and refuses everything else. The sockets are ours alone (0600), so this guards
// against other versions, bugs and torn files, not against attackers.

import { cause } from "../../core/dispatch/ejections.ts";
import type { FromControl, FromParent, Hello, ToControl, ToParent } from "../contract.ts";
import { readTable } from "../process/read-table.ts";
import {
  type Fields,
  fieldsOf,
  isBoolean,
  isCount,
  isList,
  isNumber,
  isOneOf,
  isText,
} from "../process/shape.ts";

type Guard = (fields: Fields) => boolean;

const levels = ["info", "warning", "error"];
const noticeKinds = [
  "connect-failed",
  "reset",
  "timed-out",
  "ejected",
  "readmitted",
  "silent",
  "errors",
];
const workerStates = ["starting", "serving", "draining", "hung"];

export function isHello(fields: Fields): boolean {
  const identity = fieldsOf(fields["identity"]);
  return (
    isOneOf(["parent", "worker"])(fields["role"]) &&
    isCount(identity?.["pid"]) &&
    isText(identity?.["startTime"]) &&
    isCount(fields["term"]) &&
    isCount(fields["worker"]) &&
    isText(fields["version"])
  );
}

function isEachFields(value: unknown, guard: Guard): boolean {
  return isList(value, (item) => {
    const fields = fieldsOf(item);
    return fields !== undefined && guard(fields);
  });
}

function isInstanceStats(fields: Fields): boolean {
  const counts = ["requests", "active", "connectFailures", "resets", "timeouts", "hedges"];
  return (
    isText(fields["id"]) &&
    counts.every((name) => isNumber(fields[name])) &&
    isList(fields["answers"], isNumber) &&
    isList(fields["latency"], isNumber) &&
    isNumber(fields["latencySumMs"]) &&
    areCounts(fields["ejections"]) &&
    isBoolean(fields["ejected"])
  );
}

function areCounts(value: unknown): boolean {
  const fields = fieldsOf(value);
  return fields !== undefined && Object.values(fields).every(isCount);
}

function isRouteStats(fields: Fields): boolean {
  return (
    isText(fields["name"]) &&
    isText(fields["service"]) &&
    isCount(fields["requests"]) &&
    isList(fields["answers"], isCount) &&
    areCounts(fields["failures"]) &&
    isList(fields["latency"], isCount) &&
    isNumber(fields["latencySumMs"])
  );
}

function isConcurrencyStats(value: unknown): boolean {
  const fields = fieldsOf(value);
  const names = ["limit", "waiting", "baselineMs"];
  return fields !== undefined && names.every((name) => isNumber(fields[name]));
}

function isServiceStats(fields: Fields): boolean {
  const sums = [
    "requests",
    "limited",
    "retries",
    "hedges",
    "refused",
    "lost",
    "serverErrors",
    "bytesIn",
    "bytesOut",
  ];
  return (
    isText(fields["name"]) &&
    ["active", "queued", ...sums].every((name) => isNumber(fields[name])) &&
    areCounts(fields["retriedFor"]) &&
    isList(fields["latency"], isNumber) &&
    (fields["concurrency"] === undefined || isConcurrencyStats(fields["concurrency"])) &&
    isEachFields(fields["instances"], isInstanceStats)
  );
}

/** Those of one worker are whole totals as well. */
export function isGatewayTotals(value: unknown): boolean {
  const stats = fieldsOf(value);
  const counts = [
    "connections",
    "connectionsAccepted",
    "connectionsRefused",
    "refusedHeads",
    "logLines",
    "logLinesLost",
  ];
  return (
    stats !== undefined &&
    counts.every((name) => isCount(stats[name])) &&
    areCounts(stats["failures"]) &&
    isEachFields(stats["routes"], isRouteStats) &&
    isEachFields(stats["services"], isServiceStats)
  );
}

export function isWorkerStats(value: unknown): boolean {
  const stats = fieldsOf(value);
  return (
    stats !== undefined &&
    isGatewayTotals(stats) &&
    ["worker", "pid"].every((name) => isCount(stats[name])) &&
    ["tableVersion", "residentBytes", "loopDelayMs"].every((name) => isNumber(stats[name]))
  );
}

function isStats(fields: Fields): boolean {
  return isWorkerStats(fields["stats"]);
}

function isNotice(fields: Fields): boolean {
  const notice = fieldsOf(fields["notice"]);
  return (
    notice !== undefined &&
    isOneOf(noticeKinds)(notice["kind"]) &&
    isText(notice["instance"]) &&
    isText(notice["sentence"]) &&
    (notice["cause"] === undefined || isOneOf(Object.keys(cause))(notice["cause"]))
  );
}

function isWorkers(fields: Fields): boolean {
  return isEachFields(
    fields["workers"],
    (worker) =>
      isCount(worker["worker"]) &&
      isCount(worker["pid"]) &&
      isOneOf(workerStates)(worker["state"]) &&
      isNumber(worker["sinceWallMs"]),
  );
}

function isListenFailures(fields: Fields): boolean {
  return isEachFields(
    fields["failures"],
    (failure) =>
      isText(failure["host"]) &&
      isCount(failure["port"]) &&
      isText(failure["code"]) &&
      isText(failure["sentence"]),
  );
}

function isEvent(fields: Fields): boolean {
  return isText(fields["kind"]) && isOneOf(levels)(fields["level"]) && isText(fields["sentence"]);
}

function isSpent(fields: Fields): boolean {
  return isEachFields(
    fields["spent"],
    (spent) =>
      isText(spent["limit"]) &&
      isText(spent["key"]) &&
      isCount(spent["count"]) &&
      spent["count"] > 0,
  );
}

const anything: Guard = () => true;

const toControl: Readonly<Record<ToControl["type"], Guard>> = {
  hello: isHello,
  stats: isStats,
  notice: isNotice,
  workers: isWorkers,
  "listen-failures": isListenFailures,
  event: isEvent,
};
const fromControl: Readonly<Record<FromControl["type"], Guard>> = {
  table: (fields) => readTable(fields["table"]) !== undefined,
  alive: anything,
  close: (fields) => isText(fields["instance"]) && isBoolean(fields["everything"]),
  "replace-workers": anything,
  stop: (fields) => isNumber(fields["drainMs"]),
};
const toParent: Readonly<Record<ToParent["type"], Guard>> = {
  hello: isHello,
  heartbeat: (fields) => isOneOf(["serving", "draining"])(fields["state"]),
  spent: isSpent,
};
const fromParent: Readonly<Record<FromParent["type"], Guard>> = {
  welcome: (fields) => isCount(fields["term"]),
  spent: isSpent,
  drain: (fields) => isNumber(fields["drainMs"]) && typeof fields["final"] === "boolean",
};

function reader<M>(guards: Readonly<Record<string, Guard>>): (value: unknown) => M | undefined {
  return (value) => {
    const fields = fieldsOf(value);
    const type = fields?.["type"];
    if (fields === undefined || typeof type !== "string") return undefined;
    if (!Object.hasOwn(guards, type)) return undefined;
    // The guards have seen each field that the contract's type of this name promises.
    return guards[type]?.(fields) === true ? (value as M) : undefined;
  };
}

export const readToControl = reader<ToControl>(toControl);
export const readFromControl = reader<FromControl>(fromControl);
export const readToParent = reader<ToParent | Hello>(toParent);
export const readFromParent = reader<FromParent>(fromParent);
