// What `nines status --json` prints and GET /v1/status answers: stable fields, described for
// readers in docs/reference/status.md. Fields may be added; none is renamed, removed or given
// another meaning.

import { z } from "zod";
import { deployPhases } from "../../core/deploy/deploy-table.ts";
import { dutyKinds } from "../../core/vault/duties.ts";
import { serviceModes } from "../../core/route/table.ts";
import { count, list, shape, time } from "../answer.ts";

const pid = z.int().min(1);

const controlState = z
  .enum(["running", "not-answering", "not-running"])
  .describe("`not-answering`: its process lives and did not answer in time, stopped or hung");

const processReport = shape({
  pid,
  term: count("How often this office has changed hands, from 1"),
});

export const workerReport = shape({
  worker: count("Its number, never used twice"),
  pid,
  state: z.enum(["starting", "serving", "draining", "hung"]),
  connections: count("Client connections open now"),
  tableVersion: count("The routing table that it follows"),
  residentBytes: count("Its memory"),
  since: time("In this state since; null when control is not running").nullable(),
});

export const gatewayReport = shape({
  addresses: list(z.string()).describe('"http://127.0.0.1:8080", "tcp://0.0.0.0:5432"'),
  parent: processReport.nullable(),
  workers: list(workerReport),
  tableVersion: count("The table in force"),
});

/** One word for an instance: what it is doing and whether it gets traffic. */
const instanceState = z.enum([
  "waiting",
  "starting",
  /** Ready; gets traffic. */
  "up",
  /** Its process runs, its checks fail; gets none. */
  "down",
  /** Well, and to get no traffic: the standby of a primary, or held back after flapping. */
  "standby",
  "draining",
  "stopping",
  "backoff",
  "crash-loop",
  "stopped",
  /** Control is not running, and its process lives. */
  "alive",
  /** Control is not running, and its process has ended. */
  "ended",
]);

const requestsPerSecond = z.number().min(0).describe("Of the last ten seconds");

export const instanceReport = shape({
  id: z.string(),
  state: instanceState,
  why: z.string().describe("The sentence of its last state change"),
  since: time("In this state since; null when unknown").nullable(),
  pid: pid.nullable().describe("null for an endpoint, and for an instance without a process"),
  address: z.string().nullable().describe('"127.0.0.1:8501"; null while it has no port'),
  requestsPerSecond,
  errors: count(
    "Answers 5xx, connections refused or broken, and timeouts, since the gateway started",
  ),
  restarts: count("Starts after the first"),
  version: count(
    "Of what its process was started with; null for an endpoint, or when forgotten",
  ).nullable(),
  share: z.number().describe("Of a full instance's traffic; less than 1 while it is a canary"),
  weight: z.number().describe("Beside the others', by the file, an operator or its agent"),
  weightBy: z.enum(["file", "operator", "agent"]).describe("Who says so"),
  forced: z
    .enum(["up", "down"])
    .nullable()
    .describe("What an operator forced it to be, whatever its checks say"),
  agent: z.string().nullable().describe("What its agent said last; null where none is asked"),
  added: z.boolean().describe("An operator added it; the file does not name it"),
});

/** A deploy that is under way, or the last one. */
export const deployReport = shape({
  from: count("The version that it leaves"),
  to: count("The version that it brings"),
  phase: z.enum(deployPhases),
  step: count("Canary steps that are behind it"),
  steps: count("Canary steps"),
  by: z.string(),
  since: time("When it began"),
  why: z.string().describe("The sentence of its last step"),
});

const latency = z.number().min(0).nullable();

export const serviceReport = shape({
  name: z.string(),
  kind: z.enum(["command", "endpoints"]),
  mode: z.enum(serviceModes).describe("Who of it takes traffic"),
  primary: z
    .string()
    .nullable()
    .describe("In `primary-standby` the instance that takes traffic; null while nobody does"),
  epoch: count("Of the latest promotion of a primary: grows with each; 0 where there was none"),
  maintenance: z.boolean().describe("No standby is to take over by itself; `primary-standby` only"),
  up: count("Instances that get traffic, or are ready to"),
  wanted: count("Instances that there should be"),
  requestsPerSecond,
  errorsPerSecond: z.number().min(0).describe("Of the last ten seconds"),
  p50Ms: latency.describe("Of the last ten seconds; null when nothing was asked"),
  p99Ms: latency.describe("Of the last ten seconds; null when nothing was asked"),
  errors: count("Answers 5xx to clients since the gateway started"),
  retries: count("Requests sent again to another instance"),
  queued: count("Requests that wait for an instance now"),
  concurrency: shape({
    limit: count("Requests at once, of all workers together"),
    waiting: count("Requests that count against it now"),
    baselineMs: z
      .number()
      .min(0)
      .nullable()
      .describe("What an answer takes when nobody queues; null before it is known"),
  })
    .nullable()
    .describe("What it is found to bear; null where all requests are let in"),
  restarts: count("Of all its instances"),
  version: count(
    "The version in force; null for endpoints, and when control is not running",
  ).nullable(),
  deploy: deployReport.nullable().describe("null when none is under way"),
  instances: list(instanceReport),
  removed: list(z.string()).describe("Endpoints of the file that an operator took out"),
});

const openIncidentReport = shape({
  id: z.string(),
  service: z.string(),
  state: z.enum(["open", "detected", "transferred", "recovered"]),
  since: time("The first sign"),
  headline: z.string(),
});

const dutyReport = shape({
  duty: z.enum(dutyKinds),
  next: time("When it is due; in the past when another one is under way"),
  last: time("When the last success began; null before the first").nullable(),
  failures: count("In a row, since then"),
  why: z.string().describe("What came of the last attempt"),
});

const vaultReport = shape({
  running: z.enum(dutyKinds).nullable().describe("The duty under way"),
  since: time("Since when; null when none is").nullable(),
  sources: list(
    shape({
      name: z.string(),
      stale: z.boolean().describe("Older than `backup.staleAfter` allows, or failed in a drill"),
      why: z.string(),
      newest: time("Beginning of the newest snapshot that can be restored").nullable(),
    }),
  ),
  duties: list(dutyReport),
  redundancy: shape({
    objects: count("Objects of the vault"),
    whole: count("Of these, with every shard"),
    unreadable: count("Of these, with too few shards to be read"),
    spare: count("So many shards of each readable object may be lost at least"),
    away: list(z.string()).describe("Targets that could not be listed"),
  })
    .nullable()
    .describe("By the last look or scrub; null before the first"),
  erasures: list(
    shape({
      subject: z.string().describe("As the record of the erasure calls it, the beginning"),
      at: time("When it was erased"),
      pending: list(z.string()).describe("Targets that may keep a copy of its key until then"),
    }),
  ).describe("Whose key is destroyed on the targets that are back, and not yet on these"),
});

export const statusReport = shape({
  nines: z.string().describe("Version of Nines"),
  at: time("When this was said"),
  file: z.string().nullable().describe("The configuration file; null when control is not running"),
  stateDirectory: z.string(),
  control: shape({
    state: controlState,
    pid: pid.nullable(),
    term: count("How often control has started here").nullable(),
    since: time("Since when it runs").nullable(),
  }),
  gateway: gatewayReport.nullable().describe("null when the file has none, or none runs"),
  services: list(serviceReport),
  backup: vaultReport.nullable().describe("null when the file has none, or control does not run"),
  incidents: list(openIncidentReport).describe(
    "Under way, oldest first; of others `nines incidents` tells",
  ),
});

export type WorkerReport = z.infer<typeof workerReport>;
export type GatewayReport = z.infer<typeof gatewayReport>;
export type InstanceState = z.infer<typeof instanceState>;
export type InstanceReport = z.infer<typeof instanceReport>;
export type DeployReport = z.infer<typeof deployReport>;
export type OpenIncidentReport = z.infer<typeof openIncidentReport>;
export type ServiceReport = z.infer<typeof serviceReport>;
export type VaultReport = z.infer<typeof vaultReport>;
export type StatusReport = z.infer<typeof statusReport>;
