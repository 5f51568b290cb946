// The admin API: one table from which the server answers and the reference pages are written.
//
// JSON over HTTP on a unix socket that only its owner may open (0600), and where the file asks for
// it on a TCP port behind a token. Small on purpose: whatever the command line can ask of a running
// Nines, and nothing else. A refusal is `{ "error": { code, message, remedy, retriable } }` with the
// code of the error catalogue.

import { z } from "zod";
import type { EndpointConfig } from "../../config/config.ts";
import { parseAddress } from "../../config/units.ts";
import { LEVELS_MAX, type RoutingTable } from "../../core/route/table.ts";
import { PERCENT_MAX } from "../../core/steer/agent-line.ts";
import { WEIGHT_MAX, type WeightWord } from "../../core/steer/weights.ts";
import type { IncidentReport, Wanted } from "../incidents/report.ts";
import type { DeploysReport } from "../status/versions.ts";
import { renderCsv, type StatsRow } from "../stats/columns.ts";
import { type StatusReport, statusReport } from "../status/report.ts";
import {
  applyResult,
  deployResult,
  deploysReport,
  done,
  followed,
  incidents,
  openApiDocument,
  recordedEvent,
  recordedEvents,
  sentences,
  stats,
  tableInForce,
} from "./answers.ts";
import { type EventSource, since, streamEvents } from "./event-stream.ts";
import { describeApi } from "./openapi.ts";

/** What the endpoints ask of control. Each either does it or throws a NinesError. */
export interface AdminActions extends EventSource {
  status(): StatusReport;
  incidents(wanted: Wanted): readonly IncidentReport[];
  table(): RoutingTable | null;
  metrics(): string;
  stats(): readonly StatsRow[];
  statsPage(): string;
  apply(file: string | undefined): Promise<ApplyResult>;
  deploy(order: DeployOrder): Promise<DeployResult>;
  rollback(service: string, version: number | undefined, by: string): DeployResult;
  deploys(service: string): DeploysReport;
  scale(service: string, replicas: number): void;
  restart(target: string, force: boolean): void;
  drain(instance: string): void;
  undrain(instance: string): void;
  weigh(instance: string, word: WeightWord | undefined): string;
  force(instance: string, forced: "up" | "down" | undefined): string;
  closeConnections(instance: string, everything: boolean): string;
  addEndpoint(service: string, endpoint: EndpointConfig): string;
  removeEndpoint(instance: string): string;
  failover(service: string, to: string | undefined): string;
  failback(service: string): string;
  maintain(on: boolean, service: string | undefined): string;
  explainFailover(service: string): readonly string[];
  restartGateway(): void;
  restartControl(): void;
  stop(): void;
}

export type ApplyResult = z.infer<typeof applyResult>;

/** Writes to a follower until disposed. */
export type Follow = (write: (text: string) => void) => Disposable;

export interface DeployOrder {
  readonly service: string;
  /** Where its new version stands; undefined is the file that is followed. */
  readonly file: string | undefined;
  /** Shares of the traffic, in place of the file's. */
  readonly canary: readonly number[] | undefined;
  readonly replace: boolean;
  /** Who asks, for the log. */
  readonly by: string;
}

export type FollowedResult = z.infer<typeof followed>;

export type DeployResult = z.infer<typeof deployResult>;

export interface Endpoint {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** One sentence for the reference page. */
  readonly summary: string;
  /** Fields of the JSON body (POST) or of the query (GET). */
  readonly input: z.ZodType;
  /** Of a stream: each event's data. It has a name in the OpenAPI document (openapi.ts). */
  readonly output: z.ZodType;
  /** "stream" is answered with server-sent events, and `answer` returns a Follow. */
  readonly type: "json" | "text" | "stream";
  /** Of a text. */
  readonly media?: string;
  readonly answer: (actions: AdminActions, input: unknown) => unknown;
}

/** An endpoint that only looks. */
function look<Input extends z.ZodType, Output extends z.ZodType>(
  path: string,
  summary: string,
  { input, output }: { readonly input: Input; readonly output: Output },
  answer: (actions: AdminActions, input: z.infer<Input>) => z.infer<Output>,
): Endpoint {
  const untyped = (actions: AdminActions, raw: unknown) => answer(actions, raw as z.infer<Input>);
  return { method: "GET", path, summary, input, output, type: "json", answer: untyped };
}

/** An endpoint that changes something, and has more to say than that it is done. */
function change<Input extends z.ZodType, Output extends z.ZodType>(
  path: string,
  summary: string,
  { input, output }: { readonly input: Input; readonly output: Output },
  answer: (
    actions: AdminActions,
    input: z.infer<Input>,
  ) => z.infer<Output> | Promise<z.infer<Output>>,
): Endpoint {
  const untyped = (actions: AdminActions, raw: unknown) => answer(actions, raw as z.infer<Input>);
  return { method: "POST", path, summary, input, output, type: "json", answer: untyped };
}

/** An endpoint that changes something; its answer is that it is done. */
function order<Input extends z.ZodType>(
  path: string,
  summary: string,
  input: Input,
  give: (actions: AdminActions, input: z.infer<Input>) => void,
): Endpoint {
  const answer = (actions: AdminActions, raw: unknown): z.infer<typeof done> => {
    give(actions, raw as z.infer<Input>);
    return { done: true };
  };
  return { method: "POST", path, summary, input, output: done, type: "json", answer };
}

const nothing = z.strictObject({});
const name = z.string().min(1).max(200);
const by = z
  .string()
  .regex(/^[\w.@+-]{1,64}$/)
  .default("the-admin-api");
const growing = z
  .array(z.number().gt(0).lt(1))
  .max(10)
  .refine((shares) => shares.every((share, index) => share > (shares[index - 1] ?? 0)), {
    error: "each share is more than the one before",
  });
const weight = z
  .union([
    z.int().min(1).max(WEIGHT_MAX),
    z
      .string()
      .regex(/^[1-9]\d{0,4}%$/)
      .refine((text) => Number.parseInt(text, 10) <= PERCENT_MAX, { error: "is too much" }),
    z.literal("auto"),
  ])
  .describe('As the file would have it, "50%" of what it has, or "auto": the file\'s own again');
const address = z
  .string()
  .max(300)
  .refine((text) => (parseAddress(text)?.host ?? "") !== "", { error: 'is no "host:port"' })
  .describe('"10.0.0.7:8080", "[::1]:8080"');
const after = z.coerce
  .number()
  .int()
  .min(0)
  .optional()
  .describe("The number of the event that the asker had last; left out: all that are kept");

export const endpoints: readonly Endpoint[] = [
  look(
    "/v1/status",
    "What runs, in what state, and why.",
    { input: nothing, output: statusReport },
    (actions) => actions.status(),
  ),
  look(
    "/v1/events",
    "The latest events (at most 1,000), or those after an event's number.",
    { input: z.strictObject({ after }), output: recordedEvents },
    (actions, input) => since(actions.events(), input.after).events,
  ),
  {
    method: "GET",
    path: "/v1/events/stream",
    summary: "The same, then each event as it happens, as server-sent events.",
    input: z.strictObject({ after }),
    output: recordedEvent,
    type: "stream",
    answer:
      (actions, input): Follow =>
      (write) =>
        streamEvents(actions, (input as { after?: number }).after, write),
  },
  look(
    "/v1/table",
    "The routing table in force; null before the first.",
    { input: nothing, output: tableInForce },
    (actions) => actions.table(),
  ),
  look(
    "/v1/incidents",
    "The latest incidents, oldest first, those under way included; of one service, or one by its id.",
    {
      input: z.strictObject({
        service: name.optional(),
        id: name.optional(),
        last: z.coerce.number().int().min(1).max(10_000).default(20),
      }),
      output: incidents,
    },
    (actions, wanted) => actions.incidents(wanted),
  ),
  look(
    "/v1/deploys",
    "The versions of a service, and its deploy: the one under way, or the last one.",
    { input: z.strictObject({ service: name }), output: deploysReport },
    (actions, { service }) => actions.deploys(service),
  ),
  look(
    "/v1/openapi.json",
    "This API as an OpenAPI 3.1 document.",
    { input: nothing, output: openApiDocument },
    () => describeApi(endpoints),
  ),
  {
    method: "GET",
    path: "/metrics",
    summary: "Counters and histograms in Prometheus' text format.",
    input: nothing,
    output: z.string(),
    type: "text",
    media: "text/plain; version=0.0.4; charset=utf-8",
    answer: (actions) => actions.metrics(),
  },
  {
    method: "GET",
    path: "/stats",
    summary: "The state of everything as a page for a browser, which asks again by itself.",
    input: nothing,
    output: z.string(),
    type: "text",
    media: "text/html; charset=utf-8",
    answer: (actions) => actions.statsPage(),
  },
  {
    method: "GET",
    path: "/stats.csv",
    summary: "The same in the columns of HAProxy's statistics; what has no value is empty.",
    input: nothing,
    output: z.string(),
    type: "text",
    media: "text/csv; charset=utf-8",
    answer: (actions) => renderCsv(actions.stats()),
  },
  look(
    "/stats.json",
    "The same as JSON: a row for the gateway, each instance and each service, by HAProxy's names.",
    { input: nothing, output: stats },
    (actions) => actions.stats(),
  ),
  change(
    "/v1/apply",
    "Checks the file and follows it; a wrong file changes nothing.",
    { input: z.strictObject({ file: z.string().max(4096).optional() }), output: applyResult },
    (actions, { file }) => actions.apply(file),
  ),
  change(
    "/v1/deploy",
    "Brings the version of a service that stands in the file, and goes back when it fails.",
    {
      input: z.strictObject({
        service: name,
        file: z.string().max(4096).optional(),
        canary: growing.optional(),
        replace: z.boolean().default(false),
        by,
      }),
      output: deployResult,
    },
    (actions, { file, canary, ...rest }) => actions.deploy({ file, canary, ...rest }),
  ),
  change(
    "/v1/rollback",
    "Turns a deploy round, or goes back to a version, by default the one before.",
    {
      input: z.strictObject({ service: name, version: z.int().min(1).optional(), by }),
      output: deployResult,
    },
    (actions, wanted) => actions.rollback(wanted.service, wanted.version, wanted.by),
  ),
  order(
    "/v1/scale",
    "Sets a service's number of instances, within `replicas`, until the next apply.",
    z.strictObject({ service: name, replicas: z.int().min(0).max(1000) }),
    (actions, { service, replicas }) => actions.scale(service, replicas),
  ),
  order(
    "/v1/restart",
    "Restarts a service or an instance, one instance at a time, drained first, and only while the " +
      "others are well; with `force` at once.",
    z.strictObject({ target: name, force: z.boolean().default(false) }),
    (actions, { target, force }) => actions.restart(target, force),
  ),
  order(
    "/v1/drain",
    "Sends an instance no new traffic.",
    z.strictObject({ instance: name }),
    (actions, { instance }) => actions.drain(instance),
  ),
  order(
    "/v1/undrain",
    "Sends a drained instance traffic again.",
    z.strictObject({ instance: name }),
    (actions, { instance }) => actions.undrain(instance),
  ),
  change(
    "/v1/weight",
    "Gives an instance another weight than the file and its agent do, until `auto`; kept on disk.",
    { input: z.strictObject({ instance: name, weight }), output: followed },
    (actions, wanted) => ({ sentence: actions.weigh(wanted.instance, weightWord(wanted.weight)) }),
  ),
  change(
    "/v1/force",
    "Makes an instance count as up or down whatever its checks say, until `auto`; kept on disk.",
    {
      input: z.strictObject({ instance: name, to: z.enum(["up", "down", "auto"]) }),
      output: followed,
    },
    (actions, { instance, to }) => ({
      sentence: actions.force(instance, to === "auto" ? undefined : to),
    }),
  ),
  change(
    "/v1/close",
    "Closes the gateway's connections to an instance: idle ones and tunnels at once, those with a " +
      "request under way after it, or with `everything` at once. Done once, kept nowhere.",
    {
      input: z.strictObject({ instance: name, everything: z.boolean().default(false) }),
      output: followed,
    },
    (actions, { instance, everything }) => ({
      sentence: actions.closeConnections(instance, everything),
    }),
  ),
  change(
    "/v1/endpoints/add",
    "Adds an endpoint to a service of endpoints, beside those of the file; kept on disk.",
    {
      input: z.strictObject({
        service: name,
        address,
        weight: z.int().min(1).max(WEIGHT_MAX).default(1),
        backup: z.boolean().default(false),
        priority: z
          .int()
          .min(0)
          .max(LEVELS_MAX - 1)
          .optional(),
        zone: z.string().max(200).default(""),
      }),
      output: followed,
    },
    (actions, { service, address: place, priority, ...rest }) => {
      const level = priority === undefined ? {} : { priority };
      const { host, port } = parseAddress(place) ?? { host: place, port: 0 };
      return { sentence: actions.addEndpoint(service, { host, port, ...rest, ...level }) };
    },
  ),
  change(
    "/v1/endpoints/remove",
    "Takes an endpoint out, of the file or added; what is under way there ends first. Kept on disk.",
    { input: z.strictObject({ instance: name }), output: followed },
    (actions, { instance }) => ({ sentence: actions.removeEndpoint(instance) }),
  ),
  change(
    "/v1/failover",
    "Moves the primary of a service to another instance, by plan: no request is lost.",
    { input: z.strictObject({ service: name, to: name.optional() }), output: followed },
    (actions, { service, to }) => ({ sentence: actions.failover(service, to) }),
  ),
  change(
    "/v1/failback",
    "Gives the preferred instance of a service its place as primary back.",
    { input: z.strictObject({ service: name }), output: followed },
    (actions, { service }) => ({ sentence: actions.failback(service) }),
  ),
  change(
    "/v1/maintenance",
    "While it is on, for a service or for all, no standby takes over by itself.",
    {
      input: z.strictObject({ on: z.boolean(), service: name.optional() }),
      output: followed,
    },
    (actions, { on, service }) => ({ sentence: actions.maintain(on, service) }),
  ),
  look(
    "/v1/failover/explain",
    "Who is primary of a service, and what would follow if it were lost, a sentence each.",
    { input: z.strictObject({ service: name }), output: sentences },
    (actions, { service }) => actions.explainFailover(service),
  ),
  order(
    "/v1/gateway/restart",
    "Replaces the gateway's workers one after another.",
    nothing,
    (actions) => actions.restartGateway(),
  ),
  order(
    "/v1/control/restart",
    "Restarts control; what it started goes on and is adopted.",
    nothing,
    (actions) => actions.restartControl(),
  ),
  order("/v1/stop", "Stops everything in order.", nothing, (actions) => actions.stop()),
];

function weightWord(word: number | string): WeightWord | undefined {
  if (typeof word === "number") return { weight: word };
  return word === "auto" ? undefined : { percent: Number.parseInt(word, 10) };
}
