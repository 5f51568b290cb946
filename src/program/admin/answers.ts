// The answers of the admin API that are not the status: events, the routing table, refusals. What
// has its type elsewhere (the core knows no zod) is written down here a second time; a line under
// each makes the compiler refuse the smallest difference.

import { z } from "zod";
import { errorCatalogue } from "../../core/base/errors.ts";
import { versionOrigins } from "../../core/deploy/versions.ts";
import { priorities } from "../../core/guard/concurrency-limit.ts";
import { retryWords } from "../../core/guard/retry-conditions.ts";
import { incidentStates, momentKinds } from "../../core/incident/incident.ts";
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
import type { RecordedEvent } from "../../runtime/event-log.ts";
import { count, list, type Same, shape, time } from "../answer.ts";
import { type IncidentReport, incidentFields } from "../incidents/report.ts";
import { columns, type StatsRow } from "../stats/columns.ts";
import { deployReport } from "../status/report.ts";
import type { DeploysReport } from "../status/versions.ts";

export const recordedEvent = shape({
  number: count("Counts up over restarts, so that a follower can go on where it was"),
  time: time("When it happened"),
  kind: z.string().describe('Stable, "noun.verb-past": instance.ready'),
  level: z.enum(["info", "warning", "error"]),
  sentence: z.string().describe("What happened and its cause"),
  service: z.exactOptional(z.string()),
  instance: z.exactOptional(z.string()),
});
true satisfies Same<z.infer<typeof recordedEvent>, RecordedEvent>;

export const recordedEvents = list(recordedEvent);

/** The data of a `gap` event of the stream. */
export const eventGap = shape({
  after: count("The number that the follower had last"),
  next: count("The number of the next event that is kept; those between are lost to the stream"),
});
export type EventGap = z.infer<typeof eventGap>;

export const stats = list(
  z.partialRecord(z.enum(columns), z.union([z.string(), z.number()])).readonly(),
);
true satisfies Same<z.infer<typeof stats>, readonly StatsRow[]>;

export const sentences = list(z.string());

export const done = shape({ done: z.literal(true) });

export const followed = shape({ sentence: z.string().describe("What follows, or is so already") });

export const applyResult = shape({
  changes: list(z.string()).describe("What is different now, a sentence each"),
  warnings: list(z.string()),
});

export const deployResult = shape({
  service: z.string(),
  version: count("The version that it goes to"),
  from: count("null when it is there already, and nothing is to be done").nullable(),
  changed: list(z.string()).describe("What is not as in the version before: names only"),
});

export const deploysReport = shape({
  service: z.string(),
  inForce: count("The version that runs"),
  versions: list(
    shape({
      version: count("Its number"),
      inForce: z.boolean(),
      at: time("When it was wanted first"),
      by: z.string(),
      how: z.enum(versionOrigins),
      changed: list(z.string()).describe("What is not as in the version before: names only"),
      outcome: z.string().describe("What came of its last deploy; empty while nothing did"),
    }),
  ).describe("Oldest first"),
  deploy: deployReport.nullable().describe("The one under way, or the last; null before the first"),
});
true satisfies Same<z.infer<typeof deploysReport>, DeploysReport>;

const field = <Value extends z.ZodType>(name: keyof IncidentReport, value: Value) =>
  value.describe(incidentFields[name]);
const moment = z.string().nullable();
const span = z.number().nullable();

export const incident = shape({
  id: field("id", z.string()),
  service: field("service", z.string()),
  state: field("state", z.enum(incidentStates)),
  headline: field("headline", z.string()),
  cause: field("cause", z.string()),
  instances: field("instances", list(z.string())),
  startedAt: field("startedAt", z.string()),
  detectedAt: field("detectedAt", moment),
  transferredAt: field("transferredAt", moment),
  recoveredAt: field("recoveredAt", moment),
  closedAt: field("closedAt", moment),
  detectMs: field("detectMs", span),
  transferMs: field("transferMs", span),
  recoverMs: field("recoverMs", span),
  totalMs: field("totalMs", span),
  lost: field("lost", z.number()),
  serverErrors: field("serverErrors", z.number()),
  slow: field("slow", z.number()),
  worstMs: field("worstMs", span),
  requests: field("requests", z.number()),
  timeline: field(
    "timeline",
    list(
      shape({
        at: z.string(),
        afterMs: z.number(),
        kind: z.enum(momentKinds),
        sentence: z.string(),
      }),
    ),
  ),
  omitted: field("omitted", z.number()),
  notes: field("notes", list(z.string())),
});
true satisfies Same<z.infer<typeof incident>, IncidentReport>;

export const incidents = list(incident);

/** Stands in for the code of a failure that is a bug of ours. */
export const INTERNAL_ERROR = "NINES_INTERNAL";
const codes = Object.keys(errorCatalogue) as (keyof typeof errorCatalogue)[];

export const refused = shape({
  error: shape({
    code: z.enum([...codes, INTERNAL_ERROR]).describe("Stable; docs/reference/errors.md"),
    message: z.string().describe("What happened; may change from version to version"),
    remedy: z.exactOptional(z.string()).describe("What to do about it"),
    retriable: z.boolean().describe("Whether the same call may succeed later without a change"),
  }),
});

export const openApiDocument = z
  .looseObject({ openapi: z.string() })
  .readonly()
  .describe("An OpenAPI 3.1 document");

const ms = z.number().min(0);
const port = z.int().min(0).max(65_535);

const tableInstance = shape({
  id: z.string(),
  host: z.string(),
  port,
  weight: count("1 to 256"),
  backup: z.boolean().describe("Gets traffic only when no other instance of the service can"),
  priority: z.exactOptional(z.int().min(0)).describe("Its level; absent: 1 for a backup, else 0"),
  verdict: z.enum(instanceVerdicts),
  generation: count("Grows at each start and each passed re-check"),
  share: z.number().describe("Of a full instance's traffic; less than 1 for a canary"),
  backupOf: z.exactOptional(z.string()).describe("The instance that this one stands in for"),
  zone: z.exactOptional(z.string()).describe("Where it runs, where that counts"),
  maxConnections: z
    .exactOptional(z.int().min(0))
    .describe("Requests at once to this one, in place of the service's; 0 is no limit"),
});

const detectionPolicy = shape({
  stall: z.boolean(),
  consecutiveErrors: count("Errors in a row that eject; 0 is never"),
  successRate: z.boolean(),
  failureRatio: z.exactOptional(z.number()).describe("Share of errors that ejects; absent: none"),
  ejectionBaseMs: ms,
  ejectionMaxMs: ms,
  maxEjectedRatio: z.number(),
  panicRatio: z.number(),
});

const tableService = shape({
  name: z.string(),
  mode: z.enum(serviceModes),
  epoch: count("Grows with each change of the primary"),
  detection: detectionPolicy,
  slowStartMs: ms,
  slowStartCurve: z.exactOptional(
    shape({
      minimum: z.number().describe("The share that it begins with"),
      aggression: z.number().describe("Envoy's; 0: a straight line"),
    }),
  ),
  overProvision: z.number().describe("Of what a priority level must carry, what it can; 0: off"),
  loadReports: z.exactOptional(z.literal(true)).describe("Weights follow what instances report"),
  subset: z.exactOptional(count("Instances that a worker uses, at least; absent: all")),
  zones: z.exactOptional(
    shape({
      name: z.string().describe("The gateway's own"),
      entering: z.number().describe("Of all requests, what enters here; 0: each zone has the same"),
      minimum: count("With fewer usable instances zones are not looked at"),
    }),
  ),
  instances: list(tableInstance),
  maxConnections: count("Requests at once to one instance; 0 is no limit"),
  queueLength: count("Requests that may wait for an instance"),
  concurrency: z.exactOptional(
    shape({ min: z.number(), max: z.number(), tolerance: z.number() }).describe(
      "What is shed where the service bears no more; absent: nothing",
    ),
  ),
});

const tableRoute = shape({
  match: shape({
    host: z.exactOptional(z.string()),
    path: z.exactOptional(z.string()),
    exactPath: z.exactOptional(z.string()),
    method: z.exactOptional(z.string()),
    headers: z.exactOptional(z.record(z.string(), z.string()).readonly()),
  }),
  service: z.string(),
  priority: z.exactOptional(z.enum(priorities)).describe("Absent: normal"),
  rateLimits: list(
    shape({
      by: z.enum(rateLimitKeys),
      header: z.exactOptional(z.string()),
      requests: z.int(),
      perMs: ms,
      burst: z.int(),
    }),
  ),
  balance: shape({
    algorithm: z.enum(balanceAlgorithms),
    hash: shape({ part: z.enum(hashedParts), name: z.string() }),
    loadFactor: z
      .number()
      .describe("Above 1: of the mean load, what nobody gets more than; 0: none"),
  }),
  sticky: z.exactOptional(
    shape({
      cookie: z.string().describe("Its name; empty: nines- and the service's name"),
      sameSite: z.enum(sameSites),
      secure: z.boolean(),
      maxAgeMs: ms,
    }),
  ),
  retry: shape({
    attempts: count("Tries beyond the first"),
    budgetRatio: z.number(),
    budgetPerSecond: z.number(),
    replayBytes: count("Largest request body that is kept for another try"),
    on: z.exactOptional(
      list(z.union([z.enum(retryWords), z.int()])).describe("What is tried again; absent: usual"),
    ),
    perTryMs: z.exactOptional(ms),
    atOnce: z.exactOptional(count("Requests that wait for a further try; absent: no bound")),
  }),
  hedge: shape({ budgetRatio: z.number(), budgetPerSecond: z.number() }),
  timeouts: shape({
    connectMs: ms,
    headMs: ms,
    idleMs: ms,
    keepAliveMs: ms,
    queueMs: ms,
    responseMs: ms,
    tunnelMs: ms,
  }),
});

export const routingTable = shape({
  version: count("Grows with each table"),
  workers: count("Worker processes"),
  listeners: list(
    shape({
      host: z.string(),
      port,
      protocol: z.enum(["http", "tcp"]),
      tcpRoute: z.exactOptional(z.int().min(0)),
    }),
  ),
  routes: list(tableRoute).describe("The first match wins; the most specific stands first"),
  services: list(tableService),
  limits: shape({
    headBytes: z.int(),
    headerCount: z.int(),
    targetBytes: z.int(),
    connections: z.int(),
    connectionsPerAddress: z.int(),
    minimumRate: z.int(),
  }),
  accessLog: z.exactOptional(
    shape({
      file: z.exactOptional(z.string()).describe("Absent: logs/access.log in the state directory"),
      format: z.enum(accessFormats),
      sampleRatio: z.number().describe("Of the requests that went well"),
      query: z.boolean().describe("Whether queries are written"),
      rotateBytes: z.int(),
      keep: count("Renamed files that are kept"),
    }),
  ),
  drainMs: ms,
});
true satisfies Same<z.infer<typeof routingTable>, RoutingTable>;

export const tableInForce = routingTable.nullable();
