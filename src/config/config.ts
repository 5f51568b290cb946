// The configuration as the program sees it: defaulted, checked, frozen, every duration in
// milliseconds and every size in bytes. schema.ts makes it from what a person wrote.

import type { FailoverSettings } from "../core/failover/settings.ts";
import type { DeploySettings } from "../core/deploy/settings.ts";
import type { ConcurrencySettings, Priority } from "../core/guard/concurrency-limit.ts";
import type { KeepRules } from "../core/vault/keep.ts";
import type { DutySchedule } from "../core/vault/duties.ts";
import type { Geometry } from "../core/vault/shard.ts";
import type { Costs } from "../core/predict/costs.ts";
import type { RatesSaid, ServiceRatesSaid } from "../core/predict/default-rates.ts";
import type { Place } from "../core/predict/deployment.ts";
import type {
  AccessLogPolicy,
  BalanceRule,
  DetectionPolicy,
  GatewayLimits,
  HedgePolicy,
  RampCurve,
  RateLimit,
  RetryPolicy,
  RouteMatch,
  StickyPolicy,
  Timeouts,
  ZonePolicy,
} from "../core/route/table.ts";

/** How an instance is asked; "none": it is not, its heartbeats are all there is. */
export type CheckConfig =
  | { readonly kind: "none" }
  | { readonly kind: "tcp" }
  | {
      readonly kind: "http";
      readonly path: string;
      readonly expectStatus: readonly (readonly [number, number])[];
      readonly expectBody?: string;
    }
  | { readonly kind: "command"; readonly command: readonly string[] }
  /** Empty: the server as a whole. */
  | { readonly kind: "grpc"; readonly service: string };

export interface HeartbeatConfig {
  readonly everyMs: number;
  readonly detector: "misses" | "phi";
  readonly misses: number;
  readonly phi: number;
  /** Relative to the instance's data folder. */
  readonly file: string;
}

/** HAProxy's agent-check. */
export interface AgentConfig {
  readonly port: number;
  readonly intervalMs: number;
  /** Sent as it is; empty: nothing. */
  readonly send: string;
}

export interface HealthConfig {
  readonly check: CheckConfig;
  /** Beside the check: says what the check cannot know. */
  readonly agent?: AgentConfig;
  /** Beside the check: an instance is well when both say so. */
  readonly heartbeat?: HeartbeatConfig;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Checks in a row that fail before an instance is down. */
  readonly fall: number;
  /** Checks, or heartbeats, in a row that pass before it is up again. */
  readonly rise: number;
  /** Interval while the verdict is changing or unknown (HAProxy's fastinter). */
  readonly fastIntervalMs: number;
  /** Interval while it is down and fails (HAProxy's downinter). */
  readonly downIntervalMs: number;
  /** What it counts as before its first check (HAProxy's init-state). */
  readonly initialState: "up" | "down" | "unchecked";
}

export interface RestartConfig {
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** Up this long, and the next failure starts from `backoffMs` again. */
  readonly resetAfterMs: number;
  /** This many ends within `crashLoopWithinMs` are a crash loop: held back at `backoffMaxMs`, and said. */
  readonly crashLoopCount: number;
  readonly crashLoopWithinMs: number;
  /** Checks failing this long while the process runs: it is restarted. 0 is never. */
  readonly unhealthyAfterMs: number;
}

export interface LimitsConfig {
  /** 0 is none. */
  readonly memoryBytes: number;
  /** 0 is what the user has. */
  readonly openFiles: number;
}

export interface LogConfig {
  /** Copy-and-truncate when the file is larger; the loss window is stated in the reference. */
  readonly rotateBytes: number;
  readonly keep: number;
}

interface ServiceBase {
  readonly name: string;
  readonly health: HealthConfig;
  readonly detection: DetectionPolicy;
  /** From a tenth of its share to all of it, for an instance that returns; 0 is at once. */
  readonly slowStartMs: number;
  /** Absent: a straight line from a tenth. */
  readonly slowStartCurve?: RampCurve;
  /** Weights follow what instances report of their load. */
  readonly loadReports?: true;
  /** How many instances a worker uses, at least; absent: all. */
  readonly subset?: number;
  /** How much larger a priority level is than it need be; 0: no spill-over before it is gone. */
  readonly overProvision: number;
  readonly failover: FailoverSettings;
  readonly dependsOn: readonly string[];
  readonly maxConnections: number;
  readonly queueLength: number;
  readonly concurrency?: ConcurrencySettings;
}

export interface CommandService extends ServiceBase {
  readonly kind: "command";
  /** Program and arguments. A string in the file becomes ["/bin/sh", "-c", "exec …"]. */
  readonly command: readonly string[];
  readonly replicas: { readonly min: number; readonly max: number };
  /** Absolute. */
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly limits: LimitsConfig;
  readonly restart: RestartConfig;
  /** An instance that is not ready by then is ended and restarted. */
  readonly startTimeoutMs: number;
  /** SIGTERM to SIGKILL. */
  readonly stopGraceMs: number;
  readonly logs: LogConfig;
  readonly deploy: DeploySettings;
  /** First port to try for the first ordinal; 0 lets Nines choose free ones. */
  readonly portBase: number;
}

export interface EndpointConfig {
  readonly host: string;
  readonly port: number;
  readonly weight: number;
  readonly backup: boolean;
  /** Its level; absent: 1 for a backup, else 0. */
  readonly priority?: number;
  readonly zone: string;
}

export interface EndpointService extends ServiceBase {
  readonly kind: "endpoints";
  readonly endpoints: readonly EndpointConfig[];
}

export type ServiceConfig = CommandService | EndpointService;

export interface ListenConfig {
  readonly host: string;
  readonly port: number;
  readonly protocol: "http" | "tcp";
  /** For tcp: the service that takes its connections. */
  readonly service?: string;
}

/** How requests and connections are sent on, once it is known to which service. */
export interface RoutePolicy {
  readonly balance: BalanceRule;
  readonly retry: RetryPolicy;
  readonly hedge: HedgePolicy;
  readonly timeouts: Timeouts;
}

export interface RouteConfig extends RoutePolicy {
  readonly match: RouteMatch;
  readonly service: string;
  /** Absent: normal. */
  readonly priority?: Priority;
  readonly rateLimits: readonly RateLimit[];
  /** Absent: each request goes as `balance` says. */
  readonly sticky?: StickyPolicy;
}

/** Its own policy is that of tcp listeners, and of each route where that says nothing else. A route
 * never differs from it in `headMs` and `keepAliveMs`, which pass before a route is known. */
export interface GatewayConfig extends RoutePolicy {
  readonly workers: number;
  readonly listen: readonly ListenConfig[];
  /** Most specific first: exact host, wildcard host, no host; then exact path, longer prefix, more
   * conditions; then as written. Host before path, as in nginx and the Gateway API: who is given a
   * host of his own does not lose a path of it to a route for all hosts. */
  readonly routes: readonly RouteConfig[];
  readonly limits: GatewayLimits;
  /** Absent: nothing is logged. Its file is absolute. */
  readonly accessLog?: AccessLogPolicy;
  readonly drainMs: number;
  /** Where the gateway runs; absent: zones do not count. */
  readonly zone?: ZonePolicy;
}

export interface Config {
  /** Absolute path of the file. */
  readonly file: string;
  readonly services: readonly ServiceConfig[];
  /** Absent: nothing listens, the services are only supervised. */
  readonly gateway?: GatewayConfig;
  /** Absent: the admin API is on its unix socket only. */
  readonly admin?: AdminConfig;
  /** Absent: there is no vault. */
  readonly backup?: BackupConfig;
  /** Absent: predictions are made of what the rest of the file says. */
  readonly predict?: PredictConfig;
  readonly costs?: Costs;
}

/** The vault. Paths are absolute. */
export interface BackupConfig {
  readonly key: BackupKeyConfig;
  readonly targets: readonly BackupTargetConfig[];
  readonly geometry: Geometry;
  readonly shareDomains: boolean;
  readonly sources: readonly BackupSourceConfig[];
  readonly keep: KeepRules;
  readonly graceMs: number;
  readonly packBytes: number;
  /** What control does by itself. */
  readonly schedule: DutySchedule;
  readonly scrubBytesPerSecond: number;
  /** Absent: nobody is told how old the newest snapshot is. */
  readonly staleAfterMs?: number;
  /** Absent: in the state directory. */
  readonly drillFolder?: string;
}

/** Where the master key comes from. */
export type BackupKeyConfig =
  | { readonly kind: "file" | "passphrase"; readonly file: string }
  | {
      readonly kind: "command";
      /** Program and arguments. */
      readonly command: readonly string[];
      readonly workingDirectory: string;
    };

export interface BackupTargetConfig {
  readonly name: string;
  readonly domain: string;
  readonly retire: boolean;
  /** Nothing is removed there. */
  readonly appendOnly: boolean;
  readonly place: FolderPlaceConfig | BucketPlaceConfig;
}

export interface FolderPlaceConfig {
  readonly kind: "folder";
  readonly path: string;
}

export interface BucketPlaceConfig {
  readonly kind: "bucket";
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly virtualHost: boolean;
  /** "" for none. */
  readonly prefix: string;
  /** Absent: the credentials are in the environment. */
  readonly credentialsFile?: string;
}

export interface BackupSourceConfig {
  readonly name: string;
  readonly service: string;
  readonly from: BackupFrom;
}

export type BackupFrom = BackupFiles | BackupCommand | BackupJournal;

export interface BackupFiles {
  readonly kind: "files";
  readonly path: string;
  readonly exclude: readonly string[];
  /** The parts of a subject's folder's path, the last of them "*". */
  readonly subjects?: readonly string[];
}

export interface BackupCommand {
  readonly kind: "command";
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

export interface BackupJournal {
  readonly kind: "journal";
  readonly path: string;
}

/** What is said for predictions alone. */
export interface PredictConfig {
  /** Empty: one machine. */
  readonly machines: readonly Place[];
  /** Names of machines; empty: the first one. */
  readonly gateway: readonly string[];
  readonly rates: RatesSaid;
  readonly services: Readonly<Record<string, ServicePredictionConfig>>;
}

export interface ServicePredictionConfig {
  readonly needed?: number;
  /** Empty: spread over all. */
  readonly machines: readonly string[];
  readonly loadPerSecond?: number;
  readonly capacityPerInstance?: number;
  readonly slotsPerInstance?: number;
  readonly serviceTimeMs?: number;
  readonly resentShare?: number;
  readonly rates: ServiceRatesSaid;
}

/** The admin API on TCP. Paths are absolute. */
export interface AdminConfig {
  readonly host: string;
  readonly port: number;
  readonly tokenFile: string;
  readonly readTokenFile?: string;
  /** Lower-case names by which it may be asked, beside addresses and localhost. */
  readonly hosts: readonly string[];
}
