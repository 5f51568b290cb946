// The admin API: one table from which the server answers and the reference page is written.
//
// JSON over HTTP on a unix socket that only its owner may open (0600). Small on purpose: whatever
// the command line can ask of a running Nines, and nothing else. A refusal is `{ "error": { code,
// message, remedy, retriable } }` with the code of the error catalogue.

import { z } from "zod";
import type { RecordedEvent } from "../../runtime/event-log.ts";
import type { StatusReport } from "../status/report.ts";

/** What the endpoints ask of control. Each either does it or throws a NinesError. */
export interface AdminActions {
  status(): StatusReport;
  /** Those that came after the event with this number. */
  events(after: number): readonly RecordedEvent[];
  follow(after: number): Follow;
  table(): unknown;
  metrics(): string;
  apply(file: string | undefined): Promise<ApplyResult>;
  scale(service: string, replicas: number): void;
  restart(target: string): void;
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
    "POST",
    "/v1/scale",
    "Sets a service's number of instances, within `replicas`, until the next apply.",
    z.strictObject({ service: name, replicas: z.int().min(0).max(1000) }),
    (actions, { service, replicas }) => (actions.scale(service, replicas), done),
  ),
  endpoint(
    "POST",
    "/v1/restart",
    "Restarts a service or an instance, one instance at a time, drained first.",
    z.strictObject({ target: name }),
    (actions, { target }) => (actions.restart(target), done),
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
