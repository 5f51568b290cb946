// The admin API as an OpenAPI 3.1 document, written from the table that the server answers by.
//
// Its schemas are JSON Schema 2020-12, as OpenAPI 3.1 takes it. Bodies are closed, since the server
// refuses a field that it does not know; answers are open, since fields may be added. That the
// answers are what the document says is tested on a real Nines, endpoint by endpoint. Checked in as
// docs/reference/openapi.json. Rejected: writing it by hand (it drifts), decorators (two sources).

import { z } from "zod";
import {
  deployReport,
  gatewayReport,
  instanceReport,
  serviceReport,
  statusReport,
  workerReport,
} from "../status/report.ts";
import {
  applyResult,
  deployResult,
  deploysReport,
  done,
  followed,
  eventGap,
  incident,
  incidents,
  openApiDocument,
  recordedEvent,
  recordedEvents,
  refused,
  routingTable,
  sentences,
  stats,
  tableInForce,
} from "./answers.ts";
import type { Endpoint } from "./endpoints.ts";

/** Every answer that is JSON, under its name in the document. */
const answers: Readonly<Record<string, z.ZodType>> = {
  ApplyResult: applyResult,
  Deploy: deployReport,
  DeployResult: deployResult,
  Deploys: deploysReport,
  Done: done,
  Followed: followed,
  Event: recordedEvent,
  EventGap: eventGap,
  Events: recordedEvents,
  Gateway: gatewayReport,
  Incident: incident,
  Incidents: incidents,
  Instance: instanceReport,
  OpenApi: openApiDocument,
  Refused: refused,
  RoutingTable: routingTable,
  Sentences: sentences,
  Service: serviceReport,
  Stats: stats,
  Status: statusReport,
  TableInForce: tableInForce,
  Worker: workerReport,
};

type Json = Readonly<Record<string, unknown>>;

const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` });

export function describeApi(endpoints: readonly Endpoint[]): Json & { readonly openapi: string } {
  const paths: Record<string, Record<string, Json>> = {};
  for (const endpoint of endpoints) {
    const path = (paths[endpoint.path] ??= {});
    path[endpoint.method.toLowerCase()] = operation(endpoint);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Nines admin API",
      version: "1",
      description:
        "What the command line asks of a running Nines. On the unix socket `run/admin.sock` of the " +
        "state directory without a token; on the TCP address that `admin.listen` names with one.",
    },
    servers: [
      { url: "http://127.0.0.1:{port}", variables: { port: { default: "9190" } } },
      { url: "http://nines", description: "through the unix socket" },
    ],
    security: [{ token: [] }, {}],
    paths,
    components: {
      schemas: answerSchemas(),
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function operation(endpoint: Endpoint): Json {
  return {
    operationId: operationId(endpoint),
    summary: endpoint.summary,
    ...inputOf(endpoint),
    responses: {
      "200": answerOf(endpoint),
      "4XX": refusal("Refused: nothing was changed."),
      "5XX": refusal("Failed."),
    },
  };
}

/** "POST /v1/gateway/restart" is "postGatewayRestart". */
function operationId({ method, path }: Endpoint): string {
  const words = path.split(/[/.]/).filter((word) => word !== "" && word !== "v1");
  const capitals = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return method.toLowerCase() + capitals.join("");
}

function inputOf({ method, input, type }: Endpoint): Json {
  const schema = bare(z.toJSONSchema(input, { io: "input", override: plain }));
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, Json>);
  if (properties.length === 0) return {};
  const required = (schema["required"] ?? []) as readonly string[];
  if (method === "POST") {
    const content = { "application/json": { schema } };
    return { requestBody: { required: required.length > 0, content } };
  }
  const parameters = properties.map(([name, { description, ...property }]) => {
    const must = required.includes(name);
    return { name, in: "query", required: must, description, schema: property };
  });
  return { parameters: type === "stream" ? [...parameters, lastEventId] : parameters };
}

const lastEventId = {
  name: "Last-Event-ID",
  in: "header",
  required: false,
  description: "As `after`, and before it: what an EventSource sends when it connects again",
  schema: { type: "integer", minimum: 0 },
};

function answerOf({ type, output, media = "text/plain" }: Endpoint): Json {
  if (type === "text") {
    const [kind = media] = media.split(";");
    return { description: "Text.", content: { [kind]: { schema: { type: "string" } } } };
  }
  const [name] = Object.entries(answers).find(([, schema]) => schema === output) ?? [];
  if (name === undefined) throw new Error("an endpoint's answer has a name in openapi.ts");
  if (type === "json") {
    return { description: "Done.", content: { "application/json": { schema: reference(name) } } };
  }
  const description =
    "An endless stream. The data of each event is JSON: an Event; in an event named `gap`, an EventGap.";
  const schema = { anyOf: [reference(name), reference("EventGap")] };
  return { description, content: { "text/event-stream": { schema } } };
}

function refusal(description: string): Json {
  return { description, content: { "application/json": { schema: reference("Refused") } } };
}

function answerSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(answers)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: "output",
    uri: (id) => reference(id).$ref,
    override({ jsonSchema, ...context }) {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      plain({ jsonSchema, ...context });
    },
  });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, bare(schema)]));
}

/** Without what says nothing here: that a value is read-only, and that an integer is a safe one. */
function plain({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  delete jsonSchema.readOnly;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}

/** A schema inside the document: the document says the dialect and where it stands. */
function bare(schema: z.core.JSONSchema.BaseSchema): Json {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !/^\$(schema|id)$/.test(key)));
}
