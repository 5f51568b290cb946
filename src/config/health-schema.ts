// How an instance is known to work, as it is written: `services.NAME.health`.
//
// Two of its defaults depend on other fields (timeout and fastInterval) and are completed in
// resolve.ts. What the words do is core/detect and control/health; agents are core/steer.

import { z } from "zod";
import {
  asText,
  choice,
  duration,
  field,
  flag,
  integer,
  type Kind,
  scalar,
  text,
  unlike,
  urlPath,
  word,
} from "./fields.ts";

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

export const health = z.strictObject({
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
