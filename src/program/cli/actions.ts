// What each command is given, and what it must be able to do.

import type { Growth } from "../load/steps.ts";
import type { LatencyGoal } from "./amounts.ts";

export interface PlaceOptions {
  readonly file?: string;
  readonly stateDir?: string;
  /** Of another machine's Nines, or another folder's: its `admin.listen`. */
  readonly admin?: URL;
  readonly tokenFile?: string;
}
export interface UpOptions extends PlaceOptions {
  readonly detach?: true;
  readonly nextFreePort?: true;
}
export interface StatusOptions extends PlaceOptions {
  readonly watch?: true;
  readonly json?: true;
}
export interface LogsOptions extends PlaceOptions {
  readonly follow?: true;
  readonly lines: number;
}
export interface EventsOptions extends LogsOptions {
  readonly json?: true;
}
export interface FailoverOptions extends PlaceOptions {
  readonly to?: string;
}
export interface PlanOptions extends PlaceOptions {
  readonly target: number;
  readonly load?: number;
  readonly latency?: LatencyGoal;
  readonly instances?: number;
  readonly machines: number;
  readonly zones: number;
  readonly gateways?: number;
  readonly years: number;
  readonly seed: number;
  readonly json?: true;
}
export interface ModelOptions extends PlaceOptions {
  readonly json?: true;
}
export interface SimulateOptions extends PlaceOptions {
  readonly years: number;
  readonly seed: number;
  readonly replay?: ReplayPoint;
  readonly json?: true;
}
/** A moment of one simulated lifetime. */
export interface ReplayPoint {
  readonly seed: number;
  readonly atMs: number;
}
export interface IncidentsOptions extends PlaceOptions {
  readonly json?: true;
  readonly last: number;
}
export interface LoadOptions extends PlaceOptions {
  readonly from: number;
  readonly to: number;
  readonly step: Growth;
  readonly duration: number;
  readonly path?: string;
  readonly method: string;
  readonly direct?: true;
  readonly latency: LatencyGoal;
  readonly errors: number;
  readonly timeout: number;
  readonly connections: number;
  readonly json?: true;
}
export interface JournalOptions {
  readonly json?: true;
}
export interface JournalDumpOptions extends JournalOptions {
  readonly from?: number;
  readonly through?: number;
}
export interface JournalRepairOptions {
  readonly write?: true;
}
export interface BackupListOptions extends PlaceOptions {
  readonly json?: true;
}
export interface BackupRestoreOptions extends PlaceOptions {
  readonly path?: string;
  readonly resume?: true;
}
export interface BackupScrubOptions extends PlaceOptions {
  /** Bytes a second. */
  readonly rate?: number;
}
export interface BackupPruneOptions extends PlaceOptions {
  readonly forget?: readonly string[];
  readonly dryRun?: true;
}
export interface BackupKeyOptions extends PlaceOptions {
  readonly to: string;
}
/** A number, "50%" of the file's, or "auto". */
export type WeightText = number | `${number}%` | "auto";

export interface StatsOptions extends PlaceOptions {
  readonly json?: boolean;
  readonly html?: boolean;
}

export interface CloseOptions extends PlaceOptions {
  readonly everything?: boolean;
}

export interface AddOptions extends PlaceOptions {
  readonly weight?: number;
  readonly backup?: boolean;
  readonly priority?: number;
  readonly zone?: string;
}

export interface RestartOptions extends PlaceOptions {
  readonly force?: true;
}
export interface WaitOptions extends PlaceOptions {
  /** Absent: yes. */
  readonly wait?: boolean;
}
export interface DeployOptions extends WaitOptions {
  readonly canary?: readonly number[];
  readonly replace?: true;
}
export interface RollbackOptions extends WaitOptions {
  readonly to?: number;
}
export interface DeploysOptions extends PlaceOptions {
  readonly json?: true;
}
export interface CompletionOptions extends PlaceOptions {
  readonly names?: "service" | "instance" | "any";
}
export interface InitOptions {
  readonly file: string;
}
export interface CheckOptions {
  readonly file?: string;
  readonly json?: true;
}

/** What each command does. Resolves to the exit code; a NinesError is printed and mapped to one. */
export interface Actions {
  up(options: UpOptions): Promise<number>;
  down(options: PlaceOptions): Promise<number>;
  status(options: StatusOptions): Promise<number>;
  logs(names: readonly string[], options: LogsOptions): Promise<number>;
  events(options: EventsOptions): Promise<number>;
  incidents(service: string | undefined, options: IncidentsOptions): Promise<number>;
  incident(id: string, options: Omit<IncidentsOptions, "last">): Promise<number>;
  metrics(options: PlaceOptions): Promise<number>;
  stats(options: StatsOptions): Promise<number>;
  load(service: string, options: LoadOptions): Promise<number>;
  model(service: string | undefined, options: ModelOptions): Promise<number>;
  simulate(service: string | undefined, options: SimulateOptions): Promise<number>;
  plan(service: string | undefined, options: PlanOptions): Promise<number>;
  apply(options: PlaceOptions): Promise<number>;
  scale(service: string, replicas: number, options: PlaceOptions): Promise<number>;
  deploy(service: string, options: DeployOptions): Promise<number>;
  rollback(service: string, options: RollbackOptions): Promise<number>;
  deploys(service: string, options: DeploysOptions): Promise<number>;
  restart(target: string, options: RestartOptions): Promise<number>;
  drain(instance: string, options: PlaceOptions): Promise<number>;
  undrain(instance: string, options: PlaceOptions): Promise<number>;
  weight(instance: string, weight: WeightText, options: PlaceOptions): Promise<number>;
  force(instance: string, to: "up" | "down" | "auto", options: PlaceOptions): Promise<number>;
  close(instance: string, options: CloseOptions): Promise<number>;
  addEndpoint(service: string, address: string, options: AddOptions): Promise<number>;
  removeEndpoint(instance: string, options: PlaceOptions): Promise<number>;
  failover(service: string, options: FailoverOptions): Promise<number>;
  failback(service: string, options: PlaceOptions): Promise<number>;
  maintenance(on: boolean, service: string | undefined, options: PlaceOptions): Promise<number>;
  explainFailover(service: string | undefined, options: PlaceOptions): Promise<number>;
  controlRestart(options: PlaceOptions): Promise<number>;
  gatewayRestart(options: PlaceOptions): Promise<number>;
  journalVerify(folder: string, options: JournalOptions): Promise<number>;
  journalRepair(folder: string, options: JournalRepairOptions): Promise<number>;
  journalDump(folder: string, options: JournalDumpOptions): Promise<number>;
  backupRun(sources: readonly string[], options: PlaceOptions): Promise<number>;
  backupList(options: BackupListOptions): Promise<number>;
  backupStatus(options: BackupListOptions): Promise<number>;
  backupDrill(snapshot: string | undefined, options: PlaceOptions): Promise<number>;
  backupBrowse(snapshot: string, path: string | undefined, options: PlaceOptions): Promise<number>;
  backupDiff(before: string, after: string, options: PlaceOptions): Promise<number>;
  backupRestore(snapshot: string, to: string, options: BackupRestoreOptions): Promise<number>;
  backupVerify(options: PlaceOptions): Promise<number>;
  backupScrub(options: BackupScrubOptions): Promise<number>;
  backupRebalance(options: PlaceOptions): Promise<number>;
  backupPrune(options: BackupPruneOptions): Promise<number>;
  backupTargetAdopt(name: string, options: PlaceOptions): Promise<number>;
  backupKeyRotate(options: BackupKeyOptions): Promise<number>;
  backupErase(service: string, subject: string, options: PlaceOptions): Promise<number>;
  init(options: InitOptions): Promise<number>;
  check(options: CheckOptions): Promise<number>;
  schema(): Promise<number>;
  completion(
    shell: "bash" | "zsh" | "fish" | undefined,
    options: CompletionOptions,
  ): Promise<number>;
  version(): Promise<number>;
}
