// What `nines status --json` prints and GET /v1/status answers: stable fields, described for
// readers in docs/reference/status.md. Fields may be added; none is renamed, removed or given
// another meaning.

import type { ServiceMode } from "../../core/route/table.ts";
import type { DeployPhase } from "../../core/deploy/deploy-table.ts";

export type ControlState =
  /** It answered. */
  | "running"
  /** Its process lives and did not answer in time: stopped or hung. */
  | "not-answering"
  | "not-running";

export interface ProcessReport {
  readonly pid: number;
  /** How often this office has changed hands, from 1. */
  readonly term: number;
}

export interface WorkerReport {
  readonly worker: number;
  readonly pid: number;
  readonly state: "starting" | "serving" | "draining" | "hung";
  /** Client connections open now. */
  readonly connections: number;
  /** The routing table that it follows. */
  readonly tableVersion: number;
  readonly residentBytes: number;
  /** ISO 8601; null when control is not running. */
  readonly since: string | null;
}

export interface GatewayReport {
  /** "http://127.0.0.1:8080", "tcp://0.0.0.0:5432". */
  readonly addresses: readonly string[];
  readonly parent: ProcessReport | null;
  readonly workers: readonly WorkerReport[];
  /** The table in force. */
  readonly tableVersion: number;
}

/** One word for an instance: what it is doing and whether it gets traffic. */
export type InstanceState =
  | "waiting"
  | "starting"
  /** Ready; gets traffic. */
  | "up"
  /** Its process runs, its checks fail; gets none. */
  | "down"
  /** Well, and to get no traffic: the standby of a primary, or held back after flapping. */
  | "standby"
  | "draining"
  | "stopping"
  | "backoff"
  | "crash-loop"
  | "stopped"
  /** Control is not running, and its process lives. */
  | "alive"
  /** Control is not running, and its process has ended. */
  | "ended";

export interface InstanceReport {
  readonly id: string;
  readonly state: InstanceState;
  /** The sentence of its last state change. */
  readonly why: string;
  /** ISO 8601; null when unknown. */
  readonly since: string | null;
  /** null for an endpoint, and for an instance without a process. */
  readonly pid: number | null;
  /** "127.0.0.1:8501"; null while it has no port. */
  readonly address: string | null;
  /** Of the last ten seconds. */
  readonly requestsPerSecond: number;
  /** Answers 5xx, connections refused or broken, and timeouts, since the gateway started. */
  readonly errors: number;
  /** Starts after the first. */
  readonly restarts: number;
  /** Of what its process was started with; null for an endpoint, and when nobody remembers. */
  readonly version: number | null;
  /** Of a full instance's traffic, in (0, 1]; less than 1 while it is a canary. */
  readonly share: number;
}

/** A deploy that is under way, or the last one. */
export interface DeployReport {
  readonly from: number;
  readonly to: number;
  readonly phase: DeployPhase;
  /** Canary steps that are behind it, and how many there are. */
  readonly step: number;
  readonly steps: number;
  readonly by: string;
  /** ISO 8601: when it began. */
  readonly since: string;
  /** The sentence of its last step. */
  readonly why: string;
}

export interface ServiceReport {
  readonly name: string;
  readonly kind: "command" | "endpoints";
  /** Who of it takes traffic: "active-active", "primary-standby" or "hot-standby". */
  readonly mode: ServiceMode;
  /** In "primary-standby": the instance that takes traffic; null while nobody does. */
  readonly primary: string | null;
  /** Of the latest promotion of a primary: grows with each; 0 where there was none. */
  readonly epoch: number;
  /** An operator said that no instance is to take over by itself. */
  readonly maintenance: boolean;
  /** Instances that get traffic, or are ready to. */
  readonly up: number;
  /** Instances that there should be. */
  readonly wanted: number;
  /** Of the last ten seconds, as are the latencies. */
  readonly requestsPerSecond: number;
  readonly errorsPerSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Answers 5xx to clients since the gateway started. */
  readonly errors: number;
  readonly retries: number;
  readonly queued: number;
  readonly restarts: number;
  /** The version in force; null for endpoints, and when control is not running. */
  readonly version: number | null;
  /** null when none is under way. */
  readonly deploy: DeployReport | null;
  readonly instances: readonly InstanceReport[];
}

export interface OpenIncidentReport {
  readonly id: string;
  readonly service: string;
  readonly state: "open" | "detected" | "transferred" | "recovered";
  /** ISO 8601. */
  readonly since: string;
  readonly headline: string;
}

export interface StatusReport {
  /** Version of Nines. */
  readonly nines: string;
  /** ISO 8601. */
  readonly at: string;
  /** The configuration file; null when control is not running. */
  readonly file: string | null;
  readonly stateDirectory: string;
  readonly control: {
    readonly state: ControlState;
    readonly pid: number | null;
    readonly term: number | null;
    readonly since: string | null;
  };
  /** null when the file has no gateway, or none runs. */
  readonly gateway: GatewayReport | null;
  readonly services: readonly ServiceReport[];
  /** Under way, oldest first; of others `nines incidents` tells. */
  readonly incidents: readonly OpenIncidentReport[];
}
