// A service as it is written: `services.NAME`.
//
// Defaults stand beside their fields, each with whose practice it follows. What has many fields of
// its own has a file: health, detection, failover, deploy, running, endpoint.

import { z } from "zod";
import { defaultConcurrency } from "../core/guard/concurrency-limit.ts";
import { deploy } from "./deploy-schema.ts";
import { detection } from "./detection-schema.ts";
import { endpoint } from "./endpoint-schema.ts";
import { failover } from "./failover-schema.ts";
import {
  asText,
  duration,
  field,
  flag,
  integer,
  type Kind,
  number,
  part,
  percent,
  scalar,
  serviceName,
  text,
  unlike,
  word,
} from "./fields.ts";
import { health } from "./health-schema.ts";
import { environmentName, environmentValue, limits, logs, restart } from "./running-schema.ts";
import { parsePercent } from "./units.ts";

const concurrency = z.strictObject({
  min: field(integer(1, 1_000_000).prefault(defaultConcurrency.min), {
    meaning: "The limit is never below this, of each worker.",
    interaction:
      "Not above `max`. Where they are equal, that is the limit, as with Envoy's `max_requests`.",
    see: ["services.NAME.concurrency.max"],
  }),
  max: field(integer(1, 1_000_000).prefault(defaultConcurrency.max), {
    meaning: "The limit is never above this, of each worker.",
    source: "Envoy's circuit breakers (1024), Netflix's limits (200).",
    see: ["services.NAME.concurrency.min"],
  }),
  tolerance: field(number(1.1, 10).prefault(defaultConcurrency.tolerance), {
    meaning:
      "How many times what is being worked on may be under way: the rest is the queue that answers " +
      "wait in. More of it bears rougher bursts, and makes everybody slower under overload.",
    source: "Netflix's Gradient2 (1.5).",
  }),
});

const scale = z.strictObject({
  requestsPerSecond: field(integer(1, 1_000_000).optional(), {
    meaning: "Requests a second that one instance is meant to serve.",
  }),
  cpu: field(percent().optional(), {
    meaning: "Share of its CPU that one instance is meant to use.",
  }),
  predict: field(flag().optional(), {
    meaning: "Whether to start instances before load is expected.",
  }),
});

const latencyObjective = text(
  'a latency and a share such as "250ms at 99%"',
  '"250ms at 99%"',
  /^\d+(\.\d+)?(ms|s) at \d+(\.\d+)?%$/,
);

const availability = part("a share above 0% and below 100%", "99.95%");

const slo = z.strictObject({
  availability: field(availability.optional(), {
    meaning: "Share of requests that are to succeed.",
  }),
  latency: field(latencyObjective.optional(), {
    meaning: "How fast, for which share of requests.",
  }),
});

const replicas = z.union([
  integer(1, 1000),
  z.strictObject({
    min: field(integer(1, 1000), { meaning: "Instances that always run." }),
    max: field(integer(1, 1000), {
      meaning: "Most instances that `nines scale` may ask for.",
      interaction: "Not below `min`.",
    }),
  }),
]);

const overProvisionKind: Kind = {
  accepts: "off, or a share from 100% to 1000%",
  example: "140%",
  json: { type: "string", pattern: "^(off|\\d+(\\.\\d+)?%)$" },
};

const overProvisioning = scalar<string, number | "off">(overProvisionKind, (written) => {
  if (written === "off") return "off";
  const ratio = parsePercent(asText(written), 10);
  return ratio === undefined || ratio < 1 ? unlike(overProvisionKind, written) : ratio;
});

const slowStartTime = duration("0s", "1h");

const slowStart = z.strictObject({
  time: field(slowStartTime, {
    meaning: "After how long it gets all of its share.",
  }),
  // Not from 0%: who gets nothing never warms up.
  minimum: field(percent("1%", "100%", "10%").prefault("10%"), {
    meaning: "The part of its share that it begins with.",
    source: "Envoy `min_weight_percent` (10%).",
  }),
  aggression: field(number(0.1, 10).optional(), {
    meaning:
      "Its share is (time passed / `time`)^(1 / aggression), and no less than `minimum`: above 1 it " +
      "grows fast at first, below 1 at the end.",
    default: "none: a straight line from `minimum` to all, as in HAProxy",
    source: "Envoy `aggression` (1).",
  }),
});

export const service = z.strictObject({
  command: field(
    z.union([word("node server.js"), z.array(word("server.js")).min(1).max(256)]).optional(),
    {
      meaning:
        "What runs as an instance: a list of program and arguments, or a line for `/bin/sh`. It gets " +
        "`PORT` and `HOST` (listen there), `NINES_SERVICE`, `NINES_INSTANCE`, `NINES_ORDINAL` and " +
        "`NINES_DATA_DIR` (a folder of its own that is kept across restarts); with " +
        "`health.heartbeat` also where to give signs of life (`NINES_HEARTBEAT_...`).",
      default: "none; a service has either `command` or `endpoints`",
      interaction:
        "Excludes `endpoints`. A simple line is run as `exec LINE`, so that signals reach the program " +
        "and not a shell in between; with `;`, `&`, `|` or an assignment in it, the shell stays.",
      see: ["services.NAME.endpoints", "services.NAME.workingDirectory", "services.NAME.env"],
    },
  ),
  endpoints: field(z.array(endpoint).min(1).max(1000).optional(), {
    meaning:
      'Instances that run elsewhere and that Nines only checks and balances: `"host:port"`, or ' +
      "`{ address, weight, backup, zone }`.",
    default: "none; a service has either `command` or `endpoints`",
    interaction: "Excludes `command` and whatever tells how to run one.",
    see: ["services.NAME.command"],
  }),
  replicas: field(replicas.prefault(1), {
    meaning:
      "How many instances run: a number, or `{ min, max }`, where `min` run and `nines scale` may " +
      "ask for up to `max`.",
    interaction:
      "Two or more let one fail, and be restarted or changed, without a client noticing.",
  }),
  health: field(health.prefault({}), { meaning: "How an instance is known to work." }),
  detection: field(detection.prefault({}), {
    meaning:
      "What the gateway's workers make of what they see themselves: whom they eject, and for how long.",
    see: ["services.NAME.health"],
  }),
  slowStart: field(z.union([slowStartTime, slowStart]).prefault("0s"), {
    meaning:
      "An instance that takes traffic again after it could not, or for the first time, gets a share " +
      "that grows from a tenth to all of it within this time, or as a map of `time`, `minimum` and " +
      "`aggression` says. `0s`: all of it at once.",
    interaction:
      "It is a share of what it would be given beside others, who take the rest. So a failback in " +
      "`hot-standby` ramps, too: the stand-in stops at once, the other instances bridge the gap. Who " +
      "is alone gets everything, and so does a primary. What was there when a worker began is not " +
      "new to it.",
    source: "HAProxy `slowstart` (off), nginx `slow_start` (off); a tenth as in Envoy.",
    see: ["services.NAME.failover.failback"],
  }),
  loadReports: field(flag().prefault(false), {
    meaning:
      "Weights follow what instances say of their load in each answer's field `endpoint-load-metrics` " +
      "(`TEXT cpu_utilization=0.4` or `JSON {...}`; `application_utilization` stands above it, and " +
      "`rps_fractional` and `eps` count where they are said): each gets what it could do at full load.",
    interaction:
      "In place of `weight`, within eight times of it either way, and by the rules that follow " +
      "weights; those that hash keep their keys. Who reports nothing is average. The field goes on to " +
      "clients.",
    source:
      "ORCA; gRPC's weighted round robin (A58): from 10 s after the first report on, each second.",
    see: ["services.NAME.endpoints[].weight"],
  }),
  subset: field(integer(0, 65536).prefault(0), {
    meaning:
      "Each of the gateway's workers uses so many of the instances only, or as many more as are " +
      "needed for all to be used; `0`: all. For thousands of instances, which need not have a " +
      "connection from each worker.",
    interaction:
      "Of the first priority level, by weight: all instances get what they would without it. What " +
      "fails is carried by all others. Zones are not looked at, and a rule that hashes keeps a key " +
      "on an instance within one worker only.",
    default: "0: all",
    source: "Finagle's deterministic aperture; Envoy and HAProxy use all.",
    see: ["gateway.workers", "gateway.zone"],
  }),
  overProvisioning: field(overProvisioning.prefault("off"), {
    meaning:
      "How large each priority level is built beside what it must carry. At `140%` a level of which " +
      "72% are usable still carries all, of 50% it carries 70%, and the rest goes to the next level. " +
      "`off`: the next level gets nothing while anybody of this one can take traffic.",
    interaction:
      "Each level must be able to stand in for the one before. When all together carry less than " +
      "100%, a level with less than `detection.panic` usable spreads over all of its instances.",
    source: "Envoy's overprovisioning_factor (1.4); HAProxy's `backup` is `off`.",
    see: ["services.NAME.endpoints[].priority", "services.NAME.detection.panic"],
  }),
  failover: field(failover.prefault({}), {
    meaning: "Who of its instances takes traffic, and who takes over when one is lost.",
  }),
  dependsOn: field(z.union([serviceName(), z.array(serviceName()).max(256)]).prefault([]), {
    meaning:
      "Services of this file that this one starts after: each with one instance that is ready. They " +
      "stop in the opposite order.",
    interaction: "Only the start waits: when one of them fails later, this one goes on.",
  }),
  env: field(z.record(environmentName, environmentValue).prefault({}), {
    meaning:
      "Environment of the instances, over the environment of Nines itself. Numbers are taken as " +
      "written: `1.10` stays `1.10`.",
    interaction: "`PORT`, `HOST` and `NINES_...` are Nines' own and refused.",
    see: ["services.NAME.command"],
  }),
  workingDirectory: field(word("app").prefault("."), {
    meaning: "Where the command runs, relative to the folder of this file.",
  }),
  user: field(text("a user's name", "www-data", /^[a-z_][a-z0-9_.-]{0,31}\$?$/).optional(), {
    meaning: "User that the instances run as.",
    default: "the one that runs Nines",
    interaction: "Another user can only be taken when Nines runs as root.",
  }),
  limits: field(limits.prefault({}), { meaning: "What one instance may use." }),
  restart: field(restart.prefault({}), {
    meaning: "What follows when an instance ends on its own.",
  }),
  startTimeout: field(duration("100ms", "1h").prefault("1m"), {
    meaning: "An instance that is not ready this long after its start is ended and started again.",
    interaction: "Counts as an end for `restart.crashLoopCount`.",
    see: ["services.NAME.restart.crashLoopCount"],
  }),
  stopGrace: field(duration("0s", "1h").prefault("4s"), {
    meaning:
      "From SIGTERM to SIGKILL, both to the instance's whole process group. `0s` kills at once.",
    interaction:
      "`gateway.drain` comes before it; with the defaults of both, all has ended within 10 s.",
    see: ["gateway.drain"],
  }),
  logs: field(logs.prefault({}), { meaning: "Files that take what instances print." }),
  deploy: field(deploy.prefault({}), {
    meaning: "How `nines deploy` brings a new version of the service.",
  }),
  port: field(integer(0, 65535).prefault(0), {
    meaning:
      "`PORT` of the first instance; the others count up from it. A port that is taken is passed " +
      "over. `0` lets Nines choose free ones, which an instance keeps across restarts.",
    interaction: "Clients connect to the gateway, so few services need it.",
  }),
  maxConnections: field(integer(0, 1_000_000).prefault(0), {
    meaning:
      "Requests and connections at once to one instance, from each worker of the gateway. " +
      "`0` is no limit.",
    interaction: "When all instances are at it, requests wait in the queue.",
    source: "HAProxy `maxconn` of a server.",
    see: ["services.NAME.queueLength", "gateway.timeouts.queue"],
  }),
  queueLength: field(integer(0, 65536).prefault(1024), {
    meaning:
      "Requests that may wait, in each worker, for an instance of this service. One more is " +
      "answered 503 at once, unless it takes the place of a less important one (`priority`).",
    source: "Envoy's pending requests (1024).",
    see: ["gateway.timeouts.queue", "services.NAME.maxConnections", "gateway.routes[].priority"],
  }),
  concurrency: field(concurrency.optional(), {
    meaning:
      "Finds out how many requests at once the service bears, and sheds what is more: 503 at once, " +
      "with `Retry-After`, the least important first (`routes[].priority`). What counts is a request " +
      "that is there as a whole, until its answer begins. Each worker finds out for itself.",
    default: "none: nothing is shed",
    interaction:
      "For services whose answers take about the same time, not for those that let clients wait on " +
      "purpose (long polling). WebSockets and long answers do not count once they have begun.",
    source: "TCP BBR; Envoy's adaptive concurrency and Netflix's concurrency-limits.",
    see: ["gateway.routes[].priority", "services.NAME.queueLength"],
  }),
  scale: field(scale.optional(), {
    meaning: "When to run more or fewer instances. Checked, and not acted on by this version.",
    default: "none",
  }),
  slo: field(slo.optional(), {
    meaning: "What users are promised. Checked, and not acted on by this version.",
    default: "none",
  }),
});

/** Keys that tell how to run a command, and mean nothing for endpoints. */
export const commandOnlyKeys = [
  "replicas",
  "env",
  "workingDirectory",
  "user",
  "limits",
  "restart",
  "startTimeout",
  "stopGrace",
  "logs",
  "deploy",
  "port",
  "scale",
] as const satisfies readonly (keyof z.input<typeof service>)[];

export type ServiceInput = z.input<typeof service>;
export type WrittenService = z.output<typeof service>;
