// The admin API: one table from which the server answers and the reference page is written.
//
// JSON over HTTP on a unix socket that only its owner may open (0600). Small on purpose: whatever
// the command line can ask of a running Nines, and nothing else. A refusal is `{ "error": { code,
// message, remedy, retriable } }` with the code of the error catalogue.

import { z } from "zod";
import type { RecordedEvent } from "../../runtime/event-log.ts";
import type { DeploysReport } from "../status/versions.ts";
import type { IncidentReport, Wanted } from "../incidents/report.ts";
import type { StatusReport } from "../status/report.ts";

/** What the endpoints ask of control. Each either does it or throws a NinesError. */
export interface AdminActions {
  status(): StatusReport;
  /** Those that came after the event with this number. */
  events(after: number): readonly RecordedEvent[];
  follow(after: number): Follow;
  incidents(wanted: Wanted): readonly IncidentReport[];
  table(): unknown;
  metrics(): string;
  apply(file: string | undefined): Promise<ApplyResult>;
  deploy(order: DeployOrder): Promise<DeployResult>;
  rollback(service: string, version: number | undefined, by: string): DeployResult;
  deploys(service: string): DeploysReport;
  scale(service: string, replicas: number): void;
  restart(target: string, force: boolean): void;
  drain(instance: string): void;
  undrain(instance: string): void;
  failover(service: string, to: string | undefined): void;
  failback(service: string): void;
  maintain(on: boolean, service: string | undefined): void;
  explainFailover(service: string): readonly string[];
  restartGateway(): void;
  restartControl(): void;
  stop(): void;
}

/** Sends what is there, then each event as it happens, until disposed. */
export type Follow = (send: (event: RecordedEvent) => void) => Disposable;

export interface ApplyResult {
  /** What is different now, a sentence each. */
  readonly changes: readonly string[];
  readonly warnings: readonly string[];
}

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

export interface DeployResult {
  readonly service: string;
  /** The version that it goes to. */
  readonly version: number;
  /** null when it is there already, and nothing is to be done. */
  readonly from: number | null;
  /** What is not as in the version before: names only. */
  readonly changed: readonly string[];
}

export interface Endpoint {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** One sentence for the reference page. */
  readonly summary: string;
  /** Fields of the JSON body (POST) or of the query (GET). */
  readonly input: z.ZodType;
  /** "stream" is answered with server-sent events, and `answer` returns a Follow. */
  readonly type: "json" | "text" | "stream";
  readonly answer: (actions: AdminActions, input: unknown) => unknown;
}

function endpoint<Input extends z.ZodType>(
  method: Endpoint["method"],
  path: string,
  summary: string,
  input: Input,
  answer: (actions: AdminActions, input: z.infer<Input>) => unknown,
  type: Endpoint["type"] = "json",
): Endpoint {
  return {
    method,
    path,
    summary,
    input,
    type,
    answer: (actions, raw) => answer(actions, raw as z.infer<Input>),
  };
}

const done = { done: true } as const;
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

export const endpoints: readonly Endpoint[] = [
  endpoint("GET", "/v1/status", "What runs, in what state, and why.", nothing, (actions) =>
    actions.status(),
  ),
  endpoint(
    "GET",
    "/v1/events",
    "The latest events (at most 1,000), or those after an event's number.",
    z.strictObject({ after: z.coerce.number().int().min(0).default(0) }),
    (actions, { after }) => actions.events(after),
  ),
  endpoint(
    "GET",
    "/v1/events/stream",
    "The same, then each event as it happens, as server-sent events.",
    z.strictObject({ after: z.coerce.number().int().min(0).default(0) }),
    (actions, { after }) => actions.follow(after),
    "stream",
  ),
  endpoint(
    "GET",
    "/v1/incidents",
    "The latest incidents, oldest first, those under way included; of one service, or one by its id.",
    z.strictObject({
      service: name.optional(),
      id: name.optional(),
      last: z.coerce.number().int().min(0).max(10_000).default(20),
    }),
    (actions, wanted) => actions.incidents(wanted),
  ),
  endpoint("GET", "/v1/table", "The routing table in force.", nothing, (actions) =>
    actions.table(),
  ),
  endpoint(
    "GET",
    "/metrics",
    "Counters and histograms in Prometheus' text format.",
    nothing,
    (actions) => actions.metrics(),
    "text",
  ),
  endpoint(
    "POST",
    "/v1/apply",
    "Checks the file and follows it; a wrong file changes nothing.",
    z.strictObject({ file: z.string().max(4096).optional() }),
    (actions, { file }) => actions.apply(file),
  ),
  endpoint(
    "GET",
    "/v1/deploys",
    "The versions of a service, and its deploy: the one under way, or the last one.",
    z.strictObject({ service: name }),
    (actions, { service }) => actions.deploys(service),
  ),
  endpoint(
    "POST",
    "/v1/deploy",
    "Brings the version of a service that stands in the file, and goes back when it fails.",
    z.strictObject({
      service: name,
      file: z.string().max(4096).optional(),
      canary: growing.optional(),
      replace: z.boolean().default(false),
      by,
    }),
    (actions, { file, canary, ...order }) => actions.deploy({ file, canary, ...order }),
  ),
  endpoint(
    "POST",
    "/v1/rollback",
    "Turns a deploy round, or goes back to a version, by default the one before.",
    z.strictObject({ service: name, version: z.int().min(1).optional(), by }),
    (actions, order) => actions.rollback(order.service, order.version, order.by),
  ),
  endpoint(
    "POST",
    "/v1/scale",
    "Sets a service's number of instances, within `replicas`, until the next apply.",
    z.strictObject({ service: name, replicas: z.int().min(0).max(1000) }),
    (actions, { service, replicas }) => (actions.scale(service, replicas), done),
  ),
  endpoint(
    "POST",
    "/v1/restart",
    "Restarts a service or an instance, one instance at a time, drained first, and only while the " +
      "others are well; with `force` at once.",
    z.strictObject({ target: name, force: z.boolean().default(false) }),
    (actions, { target, force }) => (actions.restart(target, force), done),
  ),
  endpoint(
    "POST",
    "/v1/drain",
    "Sends an instance no new traffic.",
    z.strictObject({ instance: name }),
    (actions, { instance }) => (actions.drain(instance), done),
  ),
  endpoint(
    "POST",
    "/v1/undrain",
    "Sends a drained instance traffic again.",
    z.strictObject({ instance: name }),
    (actions, { instance }) => (actions.undrain(instance), done),
  ),
  endpoint(
    "POST",
    "/v1/failover",
    "Moves the primary of a service to another instance, by plan: no request is lost.",
    z.strictObject({ service: name, to: name.optional() }),
    (actions, { service, to }) => (actions.failover(service, to), done),
  ),
  endpoint(
    "POST",
    "/v1/failback",
    "Gives the preferred instance of a service its place as primary back.",
    z.strictObject({ service: name }),
    (actions, { service }) => (actions.failback(service), done),
  ),
  endpoint(
    "POST",
    "/v1/maintenance",
    "While it is on, for a service or for all, no instance takes over by itself.",
    z.strictObject({ on: z.boolean(), service: name.optional() }),
    (actions, { on, service }) => (actions.maintain(on, service), done),
  ),
  endpoint(
    "GET",
    "/v1/failover/explain",
    "Who is primary of a service, and what would follow if it were lost, a sentence each.",
    z.strictObject({ service: name }),
    (actions, { service }) => actions.explainFailover(service),
  ),
  endpoint(
    "POST",
    "/v1/gateway/restart",
    "Replaces the gateway's workers one after another.",
    nothing,
    (actions) => (actions.restartGateway(), done),
  ),
  endpoint(
    "POST",
    "/v1/control/restart",
    "Restarts control; what it started goes on and is adopted.",
    nothing,
    (actions) => (actions.restartControl(), done),
  ),
  endpoint("POST", "/v1/stop", "Stops everything in order.", nothing, (actions) => {
    actions.stop();
    return done;
  }),
];
