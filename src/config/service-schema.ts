// A service as it is written: `services.NAME`.
//
// Defaults stand beside their fields, each with whose practice it follows. Two of them depend on
// others (health.timeout and health.fastInterval) and are completed in resolve.ts.

import { z } from "zod";
import type { Amount } from "../core/deploy/settings.ts";
import { defaultConcurrency } from "../core/guard/concurrency-limit.ts";
import { LEVELS_MAX } from "../core/route/table.ts";
import {
  asText,
  choice,
  duration,
  field,
  flag,
  integer,
  type Kind,
  number,
  percent,
  Refusal,
  scalar,
  size,
  text,
  unlike,
} from "./fields.ts";
import { detection } from "./detection-schema.ts";
import { failover } from "./failover-schema.ts";
import { type Address, parseAddress, parsePercent } from "./units.ts";

export function serviceName(): z.ZodType<string, string> {
  return text(
    "a name of up to 40 of a-z, 0-9 and -, a letter first",
    "web",
    /^[a-z][a-z0-9-]{0,39}$/,
  );
}

export const word = (example: string): z.ZodType<string, string> =>
  text("text", example, /\S/, (written) =>
    written.trim() === "" ? new Refusal("is empty") : undefined,
  );

export const urlPath = text(
  "a path that starts with / and has no ?, # or space",
  "/healthz",
  /^\/[^?#\s]*$/,
);

const endpointAddressKind: Kind = {
  accepts: '"host:port"',
  example: '"10.0.0.7:8080" or "[::1]:8080"',
  json: { type: "string", pattern: "^.+:\\d{1,5}$" },
};

const endpointAddress = scalar<string, Address>(endpointAddressKind, (written) => {
  const address = typeof written === "string" ? parseAddress(written) : undefined;
  if (address !== undefined && address.host !== "") return address;
  if (typeof written === "string" && /^[A-Za-z0-9._-]+$/.test(written)) {
    return new Refusal(`"${written}" has no port`, `Write "${written}:8080", with the right port.`);
  }
  return unlike(endpointAddressKind, written);
});

const statusKind: Kind = {
  accepts: 'a status such as 200, "2xx" or "200-399"',
  example: '200 or "200-399"',
  json: { type: ["integer", "string"] },
};

const status = scalar<number | string, readonly [number, number]>(statusKind, (written) => {
  const match = /^([1-5])(\d\d|xx)(?:-([1-5]\d\d))?$/.exec(asText(written));
  if (match === null || (match[2] === "xx" && match[3] !== undefined)) {
    return unlike(statusKind, written);
  }
  const from = Number(`${match[1]}${match[2] === "xx" ? "00" : match[2]}`);
  const to = match[2] === "xx" ? from + 99 : Number(match[3] ?? from);
  return from <= to ? [from, to] : unlike(statusKind, written);
});

const grpcKind: Kind = {
  accepts: "true, or a service such as shop.Orders",
  example: "true",
  json: { type: ["boolean", "string"] },
};

/** The service that is asked for; empty for the server as a whole, false for no such check. */
const grpcService = scalar<boolean | string, string | false>(grpcKind, (written) => {
  if (typeof written === "boolean") return written ? "" : false;
  const isName = typeof written === "string" && /^[A-Za-z_][A-Za-z0-9_.]{0,99}$/.test(written);
  return isName ? written : unlike(grpcKind, written);
});

const environmentKind: Kind = {
  accepts: "text or a number",
  example: '"production"',
  verbatim: true,
  json: { type: ["string", "number", "boolean"] },
};

const environmentValue = scalar<string | number | boolean, string>(environmentKind, (written) => {
  if (written === null) return new Refusal("has no value", 'Write "" for an empty one.');
  if (typeof written === "boolean") return String(written);
  return typeof written === "string" || typeof written === "number"
    ? asText(written)
    : unlike(environmentKind, written);
});

const environmentName = text(
  "a name of letters, digits and _, no digit first",
  "LOG_LEVEL",
  /^[A-Za-z_][A-Za-z0-9_]*$/,
  (written) =>
    ["PORT", "HOST"].includes(written) || written.startsWith("NINES_")
      ? new Refusal(
          "is set by Nines for each instance",
          "Choose another name; `port` says where PORT starts.",
        )
      : undefined,
);

const heartbeat = z.strictObject({
  every: field(duration("50ms", "1h").prefault("1s"), {
    meaning: "How often an instance gives a sign of life, at least.",
    source: "Akka and VRRP: one second.",
  }),
  detector: field(choice(["misses", "phi"]).prefault("misses"), {
    meaning:
      "What silence becomes a verdict. `misses`: `misses` of them did not come. `phi`: silence so " +
      "long has become as improbable as `phi` says, after how regularly they came until now.",
    source:
      "VRRP and HAProxy count; phi accrual is that of Hayashibara et al. (2004), of Akka and " +
      "Cassandra.",
    see: ["services.NAME.health.heartbeat.misses", "services.NAME.health.heartbeat.phi"],
  }),
  misses: field(integer(1, 100).prefault(3), {
    meaning: "Silent for (`misses` + 1/2) x `every`, and the instance is down.",
    source: "VRRP: three, and a skew.",
    see: ["services.NAME.health.heartbeat.detector"],
  }),
  phi: field(integer(1, 16).prefault(8), {
    meaning:
      "With `detector: phi`: how many digits the improbability of a silence has when the instance " +
      "is down. 8 is one gap in 10^8. Patience is the mean of the gaps until now, one `every` for " +
      "pauses, and z(`phi`) times their deviation (5.6 for 8), of which an eighth of `every` is the " +
      "least: 2.7 s for regular heartbeats of one second.",
    source: "Akka and Cassandra: 8; 10 to 12 on machines that are shared.",
    see: ["services.NAME.health.heartbeat.detector"],
  }),
  file: field(
    text(
      "a file's name or relative path",
      "run/heartbeat",
      /^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]{1,200}$/,
    ).prefault("heartbeat"),
    {
      meaning:
        "A file that the instance touches as a sign of life, in its data folder; its whole path is " +
        "in `NINES_HEARTBEAT_FILE`. Looked at ten times in each `every`.",
      interaction:
        "The other way is a line `NINES_INSTANCE NINES_HEARTBEAT_TOKEN` to the unix socket " +
        "`NINES_HEARTBEAT_SOCKET`; `startHeartbeat()` of `nines/heartbeat` does that.",
    },
  ),
});

const agent = z.strictObject({
  port: field(integer(1, 65_535), {
    meaning: "The port that the agent listens on, at the instance's address.",
    source: "HAProxy `agent-port`.",
  }),
  interval: field(duration("100ms", "1h").prefault("2s"), {
    meaning: "Time between two questions; the whole answer has as long.",
    source: "HAProxy `agent-inter`: 2 s.",
  }),
  send: field(text("text of at most 256 characters", "state\\n", /^[^\0]{0,256}$/).optional(), {
    meaning:
      "What the agent is sent when it has taken the connection, as it is written: end it with a line " +
      "feed where the agent waits for one. `{instance}` and `{service}` stand for their names.",
    default: "nothing",
    source: "HAProxy `agent-send`.",
  }),
});

const health = z.strictObject({
  http: field(urlPath.optional(), {
    meaning:
      "Checks by an HTTP/1.1 GET of this path on the instance's port. The check passes when the " +
      "answer's status is one of `expectStatus` and comes within `timeout`.",
    default: "none",
    interaction: "One of `http`, `tcp`, `command` and `grpc`.",
    see: ["services.NAME.health.expectStatus", "services.NAME.health.expectBody"],
  }),
  tcp: field(flag().optional(), {
    meaning: "Checks by opening a TCP connection to the instance's port and closing it again.",
    default: "`true` when nothing else says how to check",
    interaction:
      "One of `http`, `tcp`, `command` and `grpc`. It proves that somebody listens, not that " +
      "requests are answered: prefer `http` wherever the service speaks it.",
    see: ["services.NAME.health.http"],
  }),
  command: field(
    z.union([word("pg_isready -q"), z.array(word("check.js")).min(1).max(256)]).optional(),
    {
      meaning:
        "Checks by running this, a list of program and arguments or a line for `/bin/sh`: it passes " +
        "by ending with code 0 within `timeout`, and its last line of output says why. It runs as " +
        "the instance's user, in its working directory and environment, with `PORT` and " +
        "`NINES_INSTANCE`; at the deadline it is killed with all that it started.",
      default: "none",
      interaction:
        "One of `http`, `tcp`, `command` and `grpc`. For what has no port, such as a worker of a " +
        "queue. Each check starts a process: an `interval` of some seconds is kinder.",
      source: "Docker `HEALTHCHECK`, HAProxy `external-check`.",
      see: ["services.NAME.health.heartbeat"],
    },
  ),
  grpc: field(grpcService.optional(), {
    meaning:
      "Checks by a call of `grpc.health.v1.Health/Check` over plain HTTP/2: `true` asks for the " +
      "server as a whole, a name for that service. `SERVING` passes.",
    default: "none",
    interaction: "One of `http`, `tcp`, `command` and `grpc`.",
    source: "The gRPC health checking protocol, as in Envoy and Kubernetes.",
  }),
  expectStatus: field(z.union([status, z.array(status).min(1).max(20)]).prefault("200-399"), {
    meaning: "Statuses that pass an `http` check: one, or a list of them.",
    source: "2xx and 3xx pass in HAProxy and Traefik.",
    see: ["services.NAME.health.http"],
  }),
  expectBody: field(word("ready").optional(), {
    meaning:
      "Text that the first 64 KiB of the body must have in them, for an `http` check to pass.",
    default: "none: the body is not looked at",
    source: "HAProxy `http-check expect string`.",
    see: ["services.NAME.health.http"],
  }),
  heartbeat: field(heartbeat.optional(), {
    meaning:
      "The instance itself gives signs of life, and is down when they stop. An instance that was " +
      "started before this was asked of it is not held to it, and is replaced in turn.",
    default: "none",
    interaction:
      "Beside a check both must be well; without one there is no check. For `command` services.",
    see: ["services.NAME.health.command"],
  }),
  agent: field(agent.optional(), {
    meaning:
      "A program beside the instance that says how it is, one line to each connection: a weight " +
      "(`75%` of the file's), a limit (`maxconn:30`), `up`, `down`, `fail` or `stopped` with a reason " +
      "after `#`, `ready`, `drain` or `maint`. What a line does not say stays; a line that is not " +
      "understood changes nothing.",
    default: "none",
    interaction:
      "It is no check: one that cannot be reached changes nothing, and only it ends what it said: " +
      "`ready` a `drain` or `maint`, `up` a `down`. While it says `down`, the instance counts as one " +
      "whose check fails, `restart.unhealthyAfter` included; in `maint` it is not checked. A new " +
      "control asks before it changes anything, and does not know what an agent said earlier.",
    source: "HAProxy `agent-check`.",
    see: ["services.NAME.health.agent.port", "services.NAME.maxConnections"],
  }),
  interval: field(duration("10ms", "1h").prefault("1s"), {
    meaning: "Time between two checks of an instance while its verdict is settled.",
    interaction:
      "The longest time until a failure that traffic does not show is known is about `interval` + " +
      "(`fall` - 1) x (the longer of `fastInterval` and `timeout`) + `timeout`: 2.8 s by default, with the jitter; every detector's bound is in `detection.md`. " +
      "Refused and broken connections of real traffic are noticed at once and do not wait for a " +
      "check.",
    source: "HAProxy `inter` (2 s there); one second costs nothing on one machine.",
    see: ["services.NAME.health.fastInterval", "services.NAME.health.fall"],
  }),
  timeout: field(duration("1ms", "1m").optional(), {
    meaning: "A check without its whole answer by then has failed.",
    default: "`500ms`, or `interval` where that is shorter; `interval` for a `command`",
    interaction:
      "Longer than `interval` only delays the next check; `nines check` warns of it. While Nines " +
      "itself is short of CPU it waits up to eight times as long, and says so.",
    source: "Lifeguard (arXiv:1707.00788) for the eight times.",
    see: ["services.NAME.health.interval"],
  }),
  fall: field(integer(1, 100).prefault(3), {
    meaning: "Checks in a row that fail before an instance is down and gets no traffic.",
    source: "HAProxy `fall`.",
    see: ["services.NAME.health.rise"],
  }),
  rise: field(integer(1, 100).prefault(2), {
    meaning:
      "Checks in a row that pass before an instance that was down is up again. " +
      "One that has just started is ready with its first passed check.",
    source: "HAProxy `rise`; the first check as in Envoy.",
    see: ["services.NAME.health.fall"],
  }),
  fastInterval: field(duration("10ms", "1h").optional(), {
    meaning:
      "Time between two checks while the verdict is changing or not known yet: the first failure " +
      "after passes, the first pass after failures, an instance that starts.",
    default: "`250ms`, or `interval` where that is shorter",
    source: "HAProxy `fastinter`.",
    see: ["services.NAME.health.interval"],
  }),
  downInterval: field(duration("10ms", "1h").optional(), {
    meaning: "Time between two checks of an instance that is down and fails.",
    default: "`interval`",
    source: "HAProxy `downinter`.",
    see: ["services.NAME.health.fastInterval"],
  }),
  initialState: field(choice(["unchecked", "up", "down"]).prefault("unchecked"), {
    meaning:
      "What an instance counts as before its first check. `unchecked`: one that starts gets no " +
      "traffic before a check has passed, one that ran before Nines did goes on as it was. `up`: " +
      "gets traffic at once, and one failed check ends that. `down`: gets none before a check has " +
      "passed, also where it had traffic before.",
    source: "HAProxy `init-state`; there an unchecked server counts as up.",
    see: ["services.NAME.health.rise"],
  }),
});

const limits = z.strictObject({
  memory: field(size("4MiB", "16TiB").optional(), {
    meaning:
      "Memory of one instance, with its child processes. Held by a cgroup (version 1 or 2) where " +
      "Nines may make one; otherwise resident memory is sampled, and an instance above the limit " +
      "is restarted with that as the reason.",
    default: "no limit",
  }),
  openFiles: field(integer(16, 10_000_000).optional(), {
    meaning: "Open files and sockets of one process of an instance (`ulimit -n`).",
    default: "what the user that runs Nines has",
    interaction: "`maxConnections` needs at least as many.",
    see: ["services.NAME.maxConnections"],
  }),
});

const restart = z.strictObject({
  backoff: field(duration("10ms", "1h").prefault("100ms"), {
    meaning:
      "Wait before an instance that ended is started again. It doubles with every further end, " +
      "with jitter, up to `backoffMax`.",
    source: "systemd `RestartSec` (100 ms), and Kubernetes for the doubling.",
    see: ["services.NAME.restart.backoffMax", "services.NAME.restart.resetAfter"],
  }),
  backoffMax: field(duration("10ms", "1d").prefault("30s"), {
    meaning: "Longest wait before a restart, and the wait of a crash loop.",
    interaction: "Not below `backoff`.",
    see: ["services.NAME.restart.backoff", "services.NAME.restart.crashLoopCount"],
  }),
  resetAfter: field(duration("1s", "7d").prefault("1m"), {
    meaning: "An instance that stayed up this long starts from `backoff` again at its next end.",
    see: ["services.NAME.restart.backoff"],
  }),
  crashLoopCount: field(integer(2, 1000).prefault(5), {
    meaning:
      "This many ends within `crashLoopWithin` are called a crash loop: the instance is held back " +
      "at `backoffMax` from then on, and status and events say so with the last exit code.",
    source: "systemd `StartLimitBurst`; systemd then gives up, Nines goes on trying.",
    see: ["services.NAME.restart.crashLoopWithin"],
  }),
  crashLoopWithin: field(duration("1s", "1d").prefault("1m"), {
    meaning: "See `crashLoopCount`.",
    see: ["services.NAME.restart.crashLoopCount"],
  }),
  unhealthyAfter: field(duration("0s", "1d").prefault("30s"), {
    meaning:
      "An instance whose process runs while its checks fail this long is ended and started again. " +
      "`0s` is never.",
    interaction: "Counts from the moment the instance is down, so `health.fall` comes first.",
    source: "The liveness probe of Kubernetes, three periods of 10 s.",
    see: ["services.NAME.health.fall"],
  }),
});

const logs = z.strictObject({
  rotateAt: field(size("64KiB", "1TiB").prefault("16MiB"), {
    meaning:
      "A log file larger than this is copied to `INSTANCE.log.1` and emptied. What the instance " +
      "writes between the copy's end and the emptying is lost: some milliseconds of output. An " +
      "instance writes to its file directly, so that it never waits for Nines or depends on it.",
    see: ["services.NAME.logs.keep"],
  }),
  keep: field(integer(0, 100).prefault(3), {
    meaning: "Rotated files that are kept for each instance; older ones are deleted.",
    interaction:
      "An instance's logs take up to `rotateAt` x (`keep` + 1), and what one second adds.",
    see: ["services.NAME.logs.rotateAt"],
  }),
});

const amountKind: Kind = {
  accepts: "a number of instances from 0 to 1000, or a share of the replicas such as 25%",
  example: "1",
  json: { type: ["integer", "string"] },
};

const amount = scalar<number | `${number}%`, Amount>(amountKind, (written) => {
  if (typeof written === "number" && Number.isInteger(written) && written >= 0 && written <= 1000) {
    return { count: written };
  }
  const ratio = typeof written === "string" ? parsePercent(written) : undefined;
  return ratio !== undefined && ratio <= 1 ? { ratio } : unlike(amountKind, written);
});

const trafficKind: Kind = {
  accepts: "a share of the traffic above 0% and below 100%",
  example: "10%",
  json: { type: "string", pattern: "^\\d+(\\.\\d+)?%$" },
};

const traffic = scalar<`${number}%`, number>(trafficKind, (written) => {
  const ratio = typeof written === "string" ? parsePercent(written) : undefined;
  return ratio !== undefined && ratio > 0 && ratio < 1 ? ratio : unlike(trafficKind, written);
});

const deploy = z.strictObject({
  maxSurge: field(amount.prefault(0), {
    meaning:
      "Instances beyond the replicas while a deploy lasts, all of the new version, each with a port " +
      "and a data folder of its own. They leave at its end. A share is rounded up.",
    source: "Kubernetes `maxSurge` (25% there); 0 here, for a service whose instances own data.",
    interaction: "Not 0 together with `maxUnavailable`.",
    see: ["services.NAME.deploy.maxUnavailable"],
  }),
  maxUnavailable: field(amount.prefault(1), {
    meaning:
      "Instances that may be missing because of a deploy. What is missing for other reasons counts, " +
      "too: a deploy waits for an instance that has failed. A share is rounded down.",
    source: "Kubernetes `maxUnavailable` of a StatefulSet.",
    interaction: "Not 0 together with `maxSurge`.",
    see: ["services.NAME.deploy.maxSurge"],
  }),
  minimumHealthy: field(duration("0s", "1h").prefault("5s"), {
    meaning: "A new instance counts, and the next one is replaced, once it has been up this long.",
    source:
      "Kubernetes `minReadySeconds` (0 there: a version that falls over after a second passes).",
  }),
  canary: field(z.array(traffic).max(10).prefault([]), {
    meaning:
      "Shares of the traffic that the new version gets first, growing. For each as few instances as " +
      "can take it are replaced, and chosen less often where they are too many.",
    default: "none: the instances are replaced one after another, each with its full share",
    see: ["services.NAME.deploy.stepTime"],
  }),
  stepTime: field(duration("1s", "1d").prefault("30s"), {
    meaning: "How long each canary step lasts, once its instances are well.",
    see: ["services.NAME.deploy.canary"],
  }),
  rollback: field(choice(["automatic", "manual"]).prefault("automatic"), {
    meaning:
      "What follows when a new instance ends, does not get ready, fails its checks or answers clearly " +
      "more errors than the old ones: back to the old version, or a stop for a person to decide.",
  }),
  deadline: field(duration("10s", "1d").prefault("10m"), {
    meaning: "A deploy that has made no progress for this long has failed.",
    source: "Kubernetes `progressDeadlineSeconds` (600).",
    interaction: "The time of a canary step does not count.",
  }),
});

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

const availabilityKind: Kind = {
  accepts: "a share above 0% and below 100%",
  example: "99.95%",
  json: { type: "string", pattern: "^\\d+(\\.\\d+)?%$" },
};

const availability = scalar<`${number}%`, number>(availabilityKind, (written) => {
  const ratio = typeof written === "string" ? parsePercent(written) : undefined;
  return ratio !== undefined && ratio > 0 && ratio < 1 ? ratio : unlike(availabilityKind, written);
});

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

const endpoint = z.union([
  endpointAddress.transform((address) => ({
    address,
    weight: 1,
    backup: false,
    priority: undefined,
    zone: "",
  })),
  z.strictObject({
    address: field(endpointAddress, { meaning: '`"host:port"`; IPv6 addresses in brackets.' }),
    weight: field(integer(1, 256).prefault(1), {
      meaning: "Share of the traffic, relative to the other endpoints' weights.",
      interaction:
        "`round-robin`, `random` and `first` pass over it; the other ways to balance follow it.",
      see: ["gateway.routes[].balance"],
    }),
    backup: field(flag().prefault(false), {
      meaning: "Gets traffic only while no other endpoint of the service can.",
      source: "HAProxy `backup`.",
      interaction: "The same as `priority: 1`.",
      see: ["services.NAME.endpoints[].priority"],
    }),
    priority: field(integer(0, LEVELS_MAX - 1).optional(), {
      meaning:
        "The level that it belongs to. Traffic goes to level 0; to the next one when nobody of it can " +
        "take any, or, with `overProvisioning`, as much of it as the level cannot carry.",
      default: "0; 1 for a `backup`",
      source: "Envoy's priority levels.",
      see: ["services.NAME.overProvisioning"],
    }),
    zone: field(word("east").optional(), {
      meaning: "Where it runs.",
      see: ["gateway.zone"],
      default: "none",
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

const beginKind: Kind = {
  accepts: "a share from 1% to 100%",
  example: "10%",
  json: { type: "string", pattern: "^\\d+(\\.\\d+)?%$" },
};

// Not 0%: who gets nothing never warms up.
const begin = scalar<string, number>(beginKind, (written) => {
  const ratio = parsePercent(asText(written));
  return ratio === undefined || ratio < 0.01 ? unlike(beginKind, written) : ratio;
});

const slowStart = z.strictObject({
  time: field(slowStartTime, {
    meaning: "After how long it gets all of its share.",
  }),
  minimum: field(begin.prefault("10%"), {
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
      "answered 503 at once.",
    source: "Envoy's pending requests (1024).",
    see: ["gateway.timeouts.queue", "services.NAME.maxConnections"],
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
