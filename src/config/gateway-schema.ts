// The gateway as it is written: `gateway`. Where clients connect, and where their requests go.
//
// What a request waits for is limited by a timeout each; all of them stand in `timeouts` below, so
// that the defaults can be judged side by side.

import { z } from "zod";
import { WORKERS_MAX } from "../core/balance/accept-share.ts";
import { priorities } from "../core/guard/concurrency-limit.ts";
import { defaultRetryOn, type RetryCondition, retryWords } from "../core/guard/retry-conditions.ts";
import {
  type BalanceRule,
  balanceAlgorithms,
  defaultHedge,
  type HashedPart,
  sameSites,
} from "../core/route/table.ts";
import {
  asText,
  choice,
  duration,
  type FieldEntry,
  field,
  flag,
  integer,
  type Kind,
  listed,
  percent,
  Refusal,
  scalar,
  serviceName,
  shown,
  size,
  text,
  unlike,
  urlPath,
  word,
} from "./fields.ts";
import { accessLog } from "./access-log-schema.ts";
import { type Address, parseAddress, printPercent } from "./units.ts";

const hashedKind: Kind = {
  accepts: "source, path, query, header NAME or cookie NAME",
  example: "header X-User",
  json: { type: "string", pattern: "^(source|path|query|(header|cookie) .+)$" },
};

const hashed = scalar<string, BalanceRule["hash"]>(hashedKind, (written) => {
  const [part, name, ...rest] = asText(written).split(" ");
  const isWhole = part === "source" || part === "path" || part === "query";
  if (isWhole && name === undefined) return { part, name: "" };
  const isNamed = part === "header" || part === "cookie";
  const isToken = name !== undefined && /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name);
  if (!isNamed || !isToken || rest.length > 0) return unlike(hashedKind, written);
  // Names of headers are compared in lower case, those of cookies as they are.
  return { part: part as HashedPart, name: part === "header" ? name.toLowerCase() : name };
});

const loadFactor = percent("101%", "1000%", "125%");

const algorithm = choice(balanceAlgorithms);

const balance = z.union([
  algorithm,
  z.strictObject({
    rule: field(algorithm, {
      meaning: "How an instance is chosen: the words that stand alone as well.",
    }),
    by: field(hashed.prefault("source"), {
      meaning:
        "What leads to an instance: the client's address (`source`), the `path`, the `query`, or the " +
        "value of a header or cookie. Requests without it are led by their client's address.",
      interaction:
        "Used by `rendezvous`, `ring` and `maglev`. `source-hash` and `tcp` listeners go by the address.",
    }),
    boundedLoad: field(loadFactor.optional(), {
      meaning:
        "Nobody gets more than so many times the mean of the requests under way; what is above it goes " +
        "to the instance that would be next.",
      default: "no bound",
      interaction: "Used by those that hash.",
      source:
        "Mirrokni, Thorup and Zadimoghaddam (2016); HAProxy `hash-balance-factor` (125 to 200).",
    }),
  }),
]);

const listenAddressKind: Kind = {
  accepts: "an address such as :8080, 127.0.0.1:8080 or [::1]:8080",
  example: ":8080",
  json: { type: "string", pattern: "^.*:\\d{1,5}$" },
};

const listenAddress = listenOn(
  listenAddressKind,
  (port) => `Write ":${port}" for every address.`,
  (port) => `Write an IP address of this machine, or ":${port}" for every address.`,
);

/** The remedies are for a port alone, and for a name. */
export function listenOn(
  kind: Kind,
  forPort: (port: string) => string,
  forName: (port: number) => string,
) {
  return scalar<string, Address>(kind, (written) => {
    const typed = asText(written);
    if (/^\d+$/.test(typed)) return new Refusal(`${typed} has no colon`, forPort(typed));
    const address = parseAddress(typed);
    if (address === undefined) return unlike(kind, written);
    const { host, port } = address;
    if (host === "") return { host: "0.0.0.0", port };
    if (host === "localhost") return { host: "127.0.0.1", port };
    if (isIpAddress(host)) return address;
    return new Refusal(`listens on the name "${host}"`, forName(port));
  });
}

function isIpAddress(host: string): boolean {
  if (host.includes(":")) return true;
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}

export const listener = z.strictObject({
  address: field(listenAddress, {
    meaning:
      "Where clients connect. `:8080` is every IPv4 address of the machine, `[::]:8080` every IPv6 " +
      "and IPv4 address, `127.0.0.1:8080` this machine only.",
    interaction: "Ports below 1024 need root or the capability `CAP_NET_BIND_SERVICE`.",
  }),
  protocol: field(choice(["http", "tcp"], ["udp", "https", "http2", "tls"]).prefault("http"), {
    meaning:
      "`http`: requests go where `routes` say. `tcp`: each connection goes to `service`, byte by byte.",
    see: ["gateway.listen[].service", "gateway.routes[]"],
  }),
  service: field(serviceName().optional(), {
    meaning: "The service that takes the connections of a `tcp` listener.",
    default: "none",
    interaction: "`tcp` needs it; `http` refuses it, since routes say where requests go.",
    see: ["gateway.listen[].protocol"],
  }),
});

const hostPattern = text(
  "a host name without port, or one such as *.example.com",
  "shop.example.com",
  /^(?:(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])$/i,
  (written) =>
    /^[^[].*:\d+$/.test(written)
      ? new Refusal(`${JSON.stringify(written)} has a port`, "Leave the port out.")
      : undefined,
);

const headerName = text("the name of a header", "X-Beta", /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/);

const method = text("a method such as GET", "GET", /^[A-Za-z][A-Za-z-]{0,31}$/).transform((name) =>
  name.toUpperCase(),
);

/** `/a/` is `/a`: both are the segment and what is below it. */
const pathPrefix = urlPath.transform((path) => path.replace(/(?<=.)\/+$/, ""));

const match = z.strictObject({
  host: field(hostPattern.transform((host) => host.toLowerCase()).optional(), {
    meaning:
      "Host that the client asked for, without its port, in any case. `*.example.com` is every " +
      "name below example.com, and not example.com itself.",
    default: "any",
  }),
  path: field(pathPrefix.optional(), {
    meaning:
      "Start of the path, by whole segments: `/a` matches `/a` and `/a/b`, and not `/ab`. The " +
      "query is not part of it. `/` matches all.",
    default: "any",
    interaction: "Excludes `exactPath`.",
    see: ["gateway.routes[].match.exactPath"],
  }),
  exactPath: field(urlPath.optional(), {
    meaning: "The whole path, without the query.",
    default: "any",
    interaction: "Excludes `path`.",
    see: ["gateway.routes[].match.path"],
  }),
  method: field(method.optional(), {
    meaning: "Method of the request.",
    default: "any",
  }),
  headers: field(z.record(headerName, text("text", '"*"', /^[^\r\n]*$/)).optional(), {
    meaning:
      "Headers that the request must have, each with this very value, or with any when it is `*`.",
    default: "any",
  }),
});

const attempts = integer(0, 10);
const budget = percent();
const budgetPerSecond = integer(0, 1_000_000);
const replay = size("0B", "64MiB");

const conditionKind: Kind = {
  accepts: `${listed(retryWords)}, or a status from 400 to 599`,
  example: "gateway-error",
  json: { type: ["string", "integer"] },
};

const condition = scalar<RetryCondition, RetryCondition>(conditionKind, (written) => {
  const word = retryWords.find((one) => one === written);
  if (word !== undefined) return word;
  const isStatus = Number.isInteger(written) && Number(written) >= 400 && Number(written) < 600;
  return isStatus ? Number(written) : unlike(conditionKind, written);
});

const retryOn = z.array(condition).max(32);
const perTry = duration("10ms", "1d");
const retriesAtOnce = integer(0, 1_000_000);

const retry = z.strictObject({
  attempts: field(attempts.prefault(3), {
    meaning:
      "Further tries of a request on other instances. A try is made when nothing of the request " +
      "was sent, or when its method is idempotent and its body still in the replay buffer. The " +
      "same instance is not tried twice while another is left. `0` is none.",
    source: "HAProxy `retries` (3).",
    see: ["gateway.retry.budget", "gateway.retry.replay"],
  }),
  on: field(retryOn.optional(), {
    meaning:
      "What is tried again. `connect-failure`: no connection came about. `reset`: it broke before the " +
      "answer began. `response-timeout`: no answer in time. `junk-response`: the answer is not valid " +
      "HTTP. `gateway-error`: 502, 503 or 504. `5xx`, `retriable-4xx` (409), or single statuses. When " +
      "no try is left, the client gets the last answer.",
    default: listed(defaultRetryOn.map((one) => `\`${one}\``)),
    interaction:
      "What an instance may have begun to work on is tried again only when it may be sent twice " +
      "(`attempts`). An instance that is in doubt has its errors tried elsewhere whatever stands here.",
    source: "Envoy `retry_on`, HAProxy `retry-on`.",
    see: ["gateway.retry.attempts", "services.NAME.detection.consecutiveErrors"],
  }),
  perTry: field(perTry.optional(), {
    meaning:
      "An instance that has had the whole request for so long and has not begun to answer makes way " +
      "for another one. Where no other try can follow, it is waited for until `timeouts.response`.",
    default: "none: each try has `timeouts.response`",
    interaction: "Counts for the instance as unanswered: three in a row eject it.",
    source: "Envoy `per_try_timeout`, which fails the request where no try is left.",
    see: ["gateway.timeouts.response"],
  }),
  budget: field(budget.prefault("20%"), {
    meaning:
      "Retries as a share of the good answers (below 500) of the last 10 s. Of what these have saved no " +
      "more is spent in half a second than was earned in it.",
    interaction:
      "Keeps retries from multiplying the load on what is already failing: in a total outage nothing " +
      "is earned, and `budgetPerSecond` is what is left.",
    source:
      "Linkerd (0.2 over 10 s), Envoy (20 %); earned by answers as in gRPC's retry throttling.",
    see: ["gateway.retry.budgetPerSecond"],
  }),
  budgetPerSecond: field(budgetPerSecond.prefault(10), {
    meaning:
      "Retries a second that are allowed where `budget` gives fewer, for when requests are few; those " +
      "of 10 s at once.",
    source: "Linkerd (10), which adds it to the share.",
    see: ["gateway.retry.budget"],
  }),
  atOnce: field(retriesAtOnce.optional(), {
    meaning:
      "Requests of one service that may wait at once, in each worker, for the answer to a further try. " +
      "Past it a request that fails is not tried again. A kept connection that the instance had just " +
      "closed and a change of the primary are nobody's failures: requests that meet these are tried " +
      "again regardless and do not count, nor do connections of tcp listeners.",
    default: "none: `budget` is the bound",
    interaction:
      "For services whose answers take long, so that retries pile up within their budget. Smaller than " +
      "what one instance has under way, it loses requests when that instance ends.",
    source: "Envoy's circuit breaker `max_retries` (3 unless a retry budget stands in for it).",
    see: ["gateway.retry.budget", "services.NAME.maxConnections", "services.NAME.queueLength"],
  }),
  replay: field(replay.prefault("64KiB"), {
    meaning: "Largest request body that is kept for another try, for each request under way.",
    source: "Linkerd (64 KiB).",
    see: ["gateway.retry.attempts"],
  }),
});

const hedgeBudget = percent();
const hedgePerSecond = integer(0, 1_000_000);

const off = scalar<"off", "off">(
  { accepts: "off", example: "off", json: { type: "string", enum: ["off"] } },
  (written) =>
    written === "off"
      ? written
      : new Refusal(
          `must be off or a map of budget and perSecond, not ${shown(written)}`,
          "Leave it out for the defaults, or write `hedge: off`.",
        ),
);

const hedge = z.strictObject({
  budget: field(hedgeBudget.prefault(printPercent(defaultHedge.budgetRatio)), {
    meaning:
      "Share of the requests of the last 10 s that may get a second attempt on another instance, " +
      "while the first waits on one that has fallen silent. Only what may be sent twice is: an " +
      "idempotent request whose body is still kept.",
    interaction: "Not counted as retries, which have a budget of their own.",
    source: "Dean and Barroso, The Tail at Scale (2013): 2 to 5 % more requests.",
    see: ["gateway.retry.replay", "services.NAME.detection.stall"],
  }),
  perSecond: field(hedgePerSecond.prefault(defaultHedge.budgetPerSecond), {
    meaning:
      "Second attempts a second that are allowed where `budget` gives fewer, for when requests are " +
      "few; those of 10 s at once.",
    source: "An instance that is late is tried 20 times a second at most.",
    see: ["gateway.hedge.budget"],
  }),
});

const connect = duration("1ms", "1m");
const queue = duration("0s", "10m");
const response = duration("10ms", "1d");
const idle = duration("10ms", "1d");
const tunnel = duration("1s", "7d");

const timeouts = z.strictObject({
  head: field(duration("10ms", "1h").prefault("10s"), {
    meaning:
      "From the first byte of a client's request head to its last. Past it: 408 and the end.",
    interaction: "Ends clients that hold connections by sending a byte at a time.",
    source: "HAProxy `timeout http-request`.",
  }),
  keepAlive: field(duration("0s", "1d").prefault("1m"), {
    meaning: "A client's connection between two requests. Past it, it is closed.",
    source: "nginx `keepalive_timeout` (75 s).",
  }),
  connect: field(connect.prefault("1s"), {
    meaning: "For a connection to an instance. Past it the request goes to another one.",
    interaction: "Each further try has its own.",
    source: "Linkerd (1 s).",
    see: ["gateway.retry.attempts"],
  }),
  queue: field(queue.prefault("5s"), {
    meaning: "Waiting for an instance that can take the request. Past it: 503.",
    interaction: "Long enough for a single instance to be restarted without a failed request.",
    see: ["services.NAME.queueLength"],
  }),
  response: field(response.prefault("30s"), {
    meaning: "From the whole request sent to the head of its answer. Past it: 504.",
    source: "Between Envoy's route timeout (15 s) and nginx `proxy_read_timeout` (60 s).",
  }),
  idle: field(idle.prefault("30s"), {
    meaning: "Without a byte in either direction while a message is under way. Past it, the end.",
  }),
  tunnel: field(tunnel.prefault("1h"), {
    meaning: "Without a byte on an upgraded (WebSocket) or TCP connection. Past it, the end.",
    source: "HAProxy `timeout tunnel`.",
  }),
});

/** An entry for a field of a route that stands in for the gateway's field of the same name. */
function override(name: string): FieldEntry {
  const general = `gateway.${name}`;
  return { meaning: `As \`${general}\`, for this route.`, default: `that of \`${general}\`` };
}

const rateLimitBy = text(
  "address, route or header:NAME",
  "header:X-Api-Key",
  /^(?:address|route|header:[A-Za-z0-9!#$%&'*+.^_`|~-]+)$/,
);

const rateLimit = z.strictObject({
  requests: field(integer(1, 1_000_000), { meaning: "How many requests are let in, each `per`." }),
  per: field(duration("10ms", "1d").prefault("1s"), {
    meaning: "The time that `requests` are for. They are let in evenly, one each `per / requests`.",
  }),
  burst: field(integer(1, 1_000_000).optional(), {
    meaning: "How many may come at once, after a pause.",
    default: "`requests`",
    source: "GCRA (ITU-T I.371), as in nginx `limit_req`.",
  }),
  by: field(rateLimitBy.prefault("address"), {
    meaning:
      "Whose requests are counted together: those of one client address (IPv6: of its /64), all of " +
      "the route, or those with the same value of a header. Requests without the header are counted " +
      "by address.",
    interaction:
      "Who is free to choose a header's value is not held by it: add a limit by address. " +
      "Of each worker the 100,000 clients are remembered that asked last; another one has a whole " +
      "burst again.",
  }),
});

const sticky = z.strictObject({
  name: field(
    text("the name of a cookie", "sid", /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/).optional(),
    {
      meaning: "The cookie's name.",
      default: "`nines-` and the service's name",
    },
  ),
  secure: field(flag().prefault(false), {
    meaning: "Browsers send the cookie over TLS only.",
    interaction: "Say so when TLS ends before Nines. `sameSite: none` implies it.",
  }),
  sameSite: field(choice(sameSites).prefault("lax"), {
    meaning:
      "When browsers send it with requests that come from another site's pages: `lax` on following a " +
      "link, `strict` never, `none` always.",
    source: "What browsers take it for when nothing is said.",
  }),
  maxAge: field(duration("0s", "365d").prefault("0s"), {
    meaning: "How long browsers keep it. `0s`: until they are closed.",
  }),
});

export const route = z.strictObject({
  match: field(match.prefault({}), {
    meaning: "Requests that this route is for: those that fulfil all of its conditions.",
    default: "every request",
    interaction:
      "Of several routes that match, the most specific takes the request, wherever it stands: a " +
      "host before `*.host` before none, then `exactPath`, the longer `path`, more conditions.",
  }),
  service: field(serviceName(), { meaning: "The service that the requests go to." }),
  priority: field(choice(priorities).prefault("normal"), {
    meaning:
      "How important its requests are. Those that wait for an instance go in this order, and in a full " +
      "queue one takes the place of a less important one.",
    interaction: "Of a service with `concurrency` the least important are shed, too.",
    see: ["services.NAME.concurrency", "services.NAME.maxConnections"],
  }),
  rateLimits: field(z.array(rateLimit).max(8).prefault([]), {
    meaning: "How often clients may ask. All of them must let a request in; past one: 429.",
    default: "none",
    interaction:
      "Workers tell each other every 100 ms what they have let in, so that all of them keep one limit " +
      "together; within these 100 ms each lets in its share of the burst.",
  }),
  balance: field(balance.optional(), override("balance")),
  sticky: field(z.union([choice(["cookie"]), sticky]).optional(), {
    meaning:
      "A client stays with the instance that answered it first, by a cookie that the gateway sets: " +
      "`cookie`, or a map of `name`, `secure`, `sameSite` and `maxAge`. The cookie is `HttpOnly` and " +
      "signed: a word made of the instance's name and a secret key, which tells neither.",
    default: "none: each request goes as `balance` says",
    interaction:
      "When its instance is out, `balance` chooses another, which is the client's from then on; while " +
      "it is only silent or at `maxConnections`, another one bridges the time. All workers, reloads " +
      "and restarts know the cookie: the key is `gateway/sticky-key` in the state directory. Copy it " +
      "to another gateway of the same services, and both know it.",
    source: "HAProxy `cookie ... dynamic`; Envoy's stateful session filter.",
    see: ["gateway.routes[].balance"],
  }),
  retry: field(
    z
      .strictObject({
        attempts: field(attempts.optional(), override("retry.attempts")),
        on: field(retryOn.optional(), override("retry.on")),
        perTry: field(perTry.optional(), override("retry.perTry")),
        atOnce: field(retriesAtOnce.optional(), override("retry.atOnce")),
        budget: field(budget.optional(), override("retry.budget")),
        budgetPerSecond: field(budgetPerSecond.optional(), override("retry.budgetPerSecond")),
        replay: field(replay.optional(), override("retry.replay")),
      })
      .prefault({}),
    override("retry"),
  ),
  hedge: field(
    z
      .union([
        off,
        z.strictObject({
          budget: field(hedgeBudget.optional(), override("hedge.budget")),
          perSecond: field(hedgePerSecond.optional(), override("hedge.perSecond")),
        }),
      ])
      .prefault({}),
    override("hedge"),
  ),
  timeouts: field(
    z
      .strictObject({
        connect: field(connect.optional(), override("timeouts.connect")),
        queue: field(queue.optional(), override("timeouts.queue")),
        response: field(response.optional(), override("timeouts.response")),
        idle: field(idle.optional(), override("timeouts.idle")),
        tunnel: field(tunnel.optional(), override("timeouts.tunnel")),
      })
      .prefault({}),
    override("timeouts"),
  ),
});

const limits = z.strictObject({
  head: field(size("1KiB", "1MiB").prefault("16KiB"), {
    meaning: "Largest request or answer head. Past it: 431, or 502 for an answer.",
    source: "HAProxy and Node (16 KiB).",
  }),
  headers: field(integer(8, 1000).prefault(100), {
    meaning: "Most header fields of one head. Past it: 431, or 502 for an answer.",
    source: "HAProxy (101).",
  }),
  target: field(size("64B", "1MiB").prefault("8KiB"), {
    meaning: "Longest request target (path and query). Past it: 414.",
    interaction: "Part of `head`.",
    source: "RFC 9110, section 4.1: at least 8000 octets.",
    see: ["gateway.limits.head"],
  }),
  connections: field(integer(1, 1_000_000).prefault(10_000), {
    meaning:
      "Client connections of one worker. Past it, new ones wait in the kernel until others end.",
    interaction:
      "Each takes a file descriptor, and one more for its instance: a worker takes no more than half " +
      "of what `ulimit -n` leaves it, and says so when it gets there.",
  }),
  connectionsPerAddress: field(integer(1, 1_000_000).optional(), {
    meaning:
      "Those of one client address (IPv6: of its /64), at one worker. Past it, new ones are closed " +
      "at once.",
    default: "nine tenths of `connections`, so that nobody alone can shut all others out",
    interaction: "Many clients may share an address: a NAT, a proxy before Nines.",
    source: "nginx `limit_conn`.",
    see: ["gateway.limits.connections"],
  }),
  minimumRate: field(size("0B", "1GiB").prefault("240B"), {
    meaning:
      "Bytes a second that a request's body must come with, and that a client must take of an answer " +
      "that waits for it, on average from 5 s on. Past it: 408, or the end. `0B` is no limit.",
    interaction:
      "Ends clients that hold requests open by a byte at a time, which `timeouts.idle` lets pass.",
    source: "Kestrel `MinRequestBodyDataRate` (240 bytes/s after 5 s).",
    see: ["gateway.timeouts.idle"],
  }),
});

const entering = percent("1%", "99%", "50%");

const zoneName = word("east");

const zone = z.strictObject({
  name: field(zoneName, { meaning: "The zone that this gateway runs in." }),
  entering: field(entering.optional(), {
    meaning: "Of all that clients send to all gateways, the part that enters in this zone.",
    default: "the same for each zone that endpoints are in",
  }),
  minimum: field(integer(2, 1000).optional(), {
    meaning: "With fewer usable endpoints of a service its zones are not looked at.",
    default: "6",
    source: "Envoy `min_cluster_size` (6).",
  }),
});

export const gateway = z.strictObject({
  workers: field(integer(1, WORKERS_MAX).optional(), {
    meaning: "Processes that carry the traffic. All accept on the same ports.",
    default: `one a core, at most ${WORKERS_MAX}`,
    interaction: "With two or more, one can fail or be replaced while the others serve.",
  }),
  listen: field(z.array(listener).min(1).max(64), {
    meaning: "Where clients connect.",
  }),
  routes: field(z.array(route).max(1000).prefault([]), {
    meaning: "Which requests go to which service.",
    default: "everything to the one service, when the file has just one",
    interaction: "A request that no route matches is answered 404.",
  }),
  balance: field(balance.prefault("least-request"), {
    meaning:
      "How an instance is chosen: one of these words, or a map of `rule`, `by` and `boundedLoad`. " +
      "`least-request`: the one with the fewest requests under way. `least-time`: the one that is " +
      "expected to answer soonest. `p2c`: of two drawn by lot, the one with fewer requests. " +
      "`peak-ewma`: of two drawn by lot, the one that is expected to answer sooner, where one slow " +
      "answer counts for ten seconds. `round-robin`: in turn. `weighted`: in turn, by `weight`, " +
      "smoothly. `random`: by chance. `first`: the first one that is not at `maxConnections`. " +
      "By a hash, so that the same key stays with an instance while the instances stay the same: " +
      "`rendezvous` (only the keys of who comes or goes move), `ring` (the same, less even), `maglev` " +
      "(most even, moves some more), `source-hash` (rendezvous by the client's address).",
    interaction: "A route may say otherwise; `tcp` listeners go by this one.",
    source: "Least-request shifts load away from slow instances without being told.",
    see: ["services.NAME.endpoints[].weight"],
  }),
  retry: field(retry.prefault({}), {
    meaning: "When a request is tried again on another instance.",
    interaction: "A route may say otherwise.",
  }),
  hedge: field(z.union([off, hedge]).prefault({}), {
    meaning:
      "How many requests that wait on a silent instance are tried on another one beside it. The " +
      "first answer goes to the client, the other attempt is cut. `off`: none, which is both keys at 0.",
    default: "the defaults of its keys",
    interaction:
      "When nobody answers, nobody is silent beside his peers, and nothing is tried twice. A route " +
      "may say otherwise.",
    see: ["services.NAME.detection.stall"],
  }),
  timeouts: field(timeouts.prefault({}), {
    meaning: "How long the gateway waits for what.",
    interaction: "A route may say otherwise, except for `head` and `keepAlive`.",
  }),
  limits: field(limits.prefault({}), { meaning: "What one client may take." }),
  accessLog: field(accessLog.optional(), {
    meaning:
      "A line for each request, written beside the traffic: a disk that is slow costs lines.",
    default: "nothing is logged; `accessLog: {}` logs with the defaults of its keys",
  }),
  zone: field(z.union([zoneName, zone]).optional(), {
    meaning:
      "Where this gateway runs. Requests stay with the endpoints of that `zone` as far as these are as " +
      "large a part of all as their share of the traffic; what is beyond it goes to zones that have " +
      "more than theirs. Its name, or a map of `name`, `entering` and `minimum`.",
    default: "none: zones do not count",
    interaction:
      "Counts for the endpoints of priority 0, with one at least in the zone, and not in panic. " +
      "Rules that hash keep a key in one zone.",
    source: "Envoy's zone-aware routing.",
    see: ["services.NAME.endpoints[].zone"],
  }),
  drain: field(duration("0s", "1h").prefault("5s"), {
    meaning:
      "Longest that a stop, a reload or a replaced worker waits for requests under way. The rest is " +
      "cut.",
    see: ["services.NAME.stopGrace"],
  }),
});

export type GatewayInput = z.input<typeof gateway>;
export type WrittenGateway = z.output<typeof gateway>;
export type WrittenBalance = z.output<typeof balance>;
export type WrittenHedge = WrittenRoute["hedge"];
export type WrittenZone = NonNullable<WrittenGateway["zone"]>;
export type WrittenSticky = NonNullable<WrittenRoute["sticky"]>;
export type WrittenListener = z.output<typeof listener>;
export type WrittenRateLimit = WrittenRoute["rateLimits"][number];
export type WrittenRoute = z.output<typeof route>;
