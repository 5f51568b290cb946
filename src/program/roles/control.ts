// Control, run: by `nines up` in the foreground, and by a keeper in the background.
//
// The order of its life: the file, the admin socket, what runs already, readiness; and at the end
// either a stop of everything, or a release that leaves everything running for the next control. It
// gives up its place by itself when somebody holds a newer term. What it is made of: parts.ts.

import type { ChildProcess } from "node:child_process";
import type { Config, ServiceConfig } from "../../config/config.ts";
import { sayDuration } from "../../core/base/duration.ts";
import { NinesError } from "../../core/base/errors.ts";
import { formatEvent, type RecordedEvent } from "../../runtime/event-log.ts";
import { identify } from "../../runtime/process-identity.ts";
import type { StateDirectory } from "../../state/directory.ts";
import { inspect } from "../../state/inspect.ts";
import type { AdminActions, ApplyResult, DeployOrder, DeployResult } from "../admin/endpoints.ts";
import { renderMetrics } from "../admin/metrics.ts";
import { type AdminServer, serveAdmin } from "../admin/server.ts";
import { type LoadedConfig, loadConfigFile } from "../config-file.ts";
import { addressOf, composeStatus } from "../status/compose.ts";
import { RateWindow, SAMPLE_INTERVAL_MS } from "../status/rates.ts";
import type { StatsRow } from "../stats/columns.ts";
import { renderStatsPage } from "../stats/page.ts";
import { statsRows } from "../stats/rows.ts";
import { incidentReports } from "../incidents/report.ts";
import type { ServiceReport, StatusReport } from "../status/report.ts";
import { deploysReport } from "../status/versions.ts";
import { describeChanges } from "./changes.ts";
import { wishOf, withStart } from "./deploying.ts";
import { forgetConfig, keepConfig } from "./last-config.ts";
import { avoidTakenPorts, isPortFree } from "./listen-ports.ts";
import { mendRecords } from "./mend-records.ts";
import { assemble, type Parts } from "./parts.ts";
import { startRole } from "./spawn.ts";
import { RemoteAdmin } from "./remote-admin.ts";
import { stopEverything } from "./stop-everything.ts";

export interface ControlOptions {
  readonly state: StateDirectory;
  /** The term that this process holds. */
  readonly term: number;
  readonly loaded: LoadedConfig;
  readonly nextFreePort: boolean;
  /** What a keeper is started with, where one is to keep this control. */
  readonly keeperWords?: readonly string[];
  /** Whether a stop was asked for while no control ran, between two of one process. */
  readonly stopAsked?: () => boolean;
  /** Where sentences go: the terminal, or control's own log. */
  readonly say: (sentence: string) => void;
}

export type Ending =
  | { readonly kind: "stopped" }
  /** Everything goes on; whoever runs control starts it again with this file. */
  | { readonly kind: "restart"; readonly file: string }
  /** Somebody else has become control; everything goes on under them. */
  | { readonly kind: "replaced" };

/**
 * Runs until it is told to end. Rejects when a first start cannot listen; then everything is
 * stopped again. What an earlier control left running is never stopped for that.
 */
export async function runControl(options: ControlOptions): Promise<Ending> {
  const print = (event: RecordedEvent) => options.say(formatEvent(event));
  const run = new ControlRun(options, await assemble({ state: options.state, print }));
  return run.untilItEnds();
}

const ownLogs = { rotateBytes: 10 * 1024 * 1024, keep: 2 };
/** Ctrl-C under npm arrives twice, from the terminal and from npm: that is one wish, not two. */
const SAME_SIGNAL_MS = 300;
const READY_LOOK_MS = 50;
const OFFICES_LOOK_MS = 1000;
const ADMIN_LOOK_MS = 1000;
/** Workers start within a second; a loaded machine may take longer, and it is only said. */
const GATEWAY_READY_MS = 15_000;

/** A first start that cannot listen ends again by itself. */
type InnerEnding = Ending | { readonly kind: "failed"; readonly error: NinesError };

class ControlRun {
  readonly #options: ControlOptions;
  readonly #parts: Parts;
  readonly #rates = new RateWindow();
  readonly #remoteAdmin: RemoteAdmin;
  readonly #startedAtMs: number;
  readonly #startedAtWallMs: number;
  readonly #hurry = new AbortController();
  readonly #ended: Promise<InnerEnding>;
  #end: (ending: InnerEnding) => void = () => undefined;
  #config: Config;
  /** Until it holds its office, only we know of it. */
  #newKeeper: ChildProcess | undefined;
  #stopping = false;
  #lettingGo = false;
  #askedToStopAtMs = 0;
  /** One change of the file after another. */
  #applying: Promise<unknown> = Promise.resolve();

  constructor(options: ControlOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.#config = options.loaded.config;
    const { clock, events } = parts;
    this.#remoteAdmin = new RemoteAdmin({ clock, events, actions: this.#actions() });
    this.#startedAtMs = parts.clock.monotonicMs();
    this.#startedAtWallMs = parts.clock.wallMs();
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async untilItEnds(): Promise<Ending> {
    const admin = await serveAdmin(this.#options.state.adminSocket, this.#actions());
    const duties = this.#beginDuties();
    try {
      await this.#begin();
      if (this.#options.stopAsked?.() === true) this.#stopOrHurry();
      const ending = this.#lastWord(await this.#ended);
      if (ending.kind === "failed" || ending.kind === "stopped") await this.#stop();
      if (ending.kind === "failed") throw ending.error;
      return ending;
    } finally {
      for (const duty of duties) duty[Symbol.dispose]();
      await this.#letGo(admin);
    }
  }

  /** A stop that was asked for right after a restart is the newer word. */
  #lastWord(ending: InnerEnding): InnerEnding {
    return ending.kind === "restart" && this.#stopping ? { kind: "stopped" } : ending;
  }

  async #begin(): Promise<void> {
    const { control } = this.#parts;
    const { loaded, say, term } = this.#options;
    const first = !this.#somethingRuns();
    this.#config = await this.#onFreePorts(loaded.config);
    if (loaded.warnings !== "") say(loaded.warnings.trimEnd());
    const addresses = (this.#config.gateway?.listen ?? []).map(addressOf);
    const where = addresses.length === 0 ? "" : `, on ${addresses.join(" and ")}`;
    const who = `Control (pid ${process.pid}, term ${term})`;
    this.#record("control.started", `${who} follows ${this.#config.file}${where}`);
    this.#keep(this.#config);
    await this.#remoteAdmin.follow(this.#config.admin);
    mendRecords(this.#parts);
    control.start(this.#config);
    this.#parts.vaultDuties.follow(this.#config.backup);
    this.#watchLogs();
    if (addresses.length > 0) void this.#awaitGateway(first);
    void this.#sayWhenReady();
  }

  /** What an earlier control left running is never stopped because a port is taken. */
  async #awaitGateway(first: boolean): Promise<void> {
    try {
      await this.#parts.steward.ready(GATEWAY_READY_MS);
    } catch (error) {
      if (!(error instanceof NinesError)) throw error;
      if (this.#stopping) return;
      const fatal = first && error.code !== "NINES_GATEWAY_NOT_SERVING";
      this.#record(fatal ? "control.start-failed" : "gateway.not-ready", error.message, "error");
      if (fatal) this.#end({ kind: "failed", error });
    }
  }

  /** What goes on beside the loops of control; all of it ends together. */
  #beginDuties(): readonly Disposable[] {
    const { clock, control, steward } = this.#parts;
    const stop = () => this.#stopOrHurry();
    const reload = () => void this.#apply(undefined).catch((error: unknown) => this.#refuse(error));
    return [
      repeat(SAMPLE_INTERVAL_MS, () => {
        this.#rates.add(clock.monotonicMs(), steward.status().totals.services);
      }),
      repeat(OFFICES_LOOK_MS, () => this.#lookAtOffices()),
      repeat(ADMIN_LOOK_MS, () => this.#remoteAdmin.look()),
      onSignal("SIGINT", stop),
      onSignal("SIGTERM", stop),
      onSignal("SIGHUP", reload),
      control.registry.subscribe(({ before, after }) => {
        if (before === undefined || after === undefined) this.#watchLogs();
      }),
    ];
  }

  #lookAtOffices(): void {
    const { offices, state } = this.#parts;
    if (offices.control.holder()?.term !== this.#options.term) this.#end({ kind: "replaced" });
    const words = this.#options.keeperWords;
    if (words === undefined || this.#stopping || offices.keeper.holder()?.alive === true) return;
    this.#newKeeper = startRole("keeper", words, state.controlLog);
  }

  #stopOrHurry(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (!this.#stopping) this.#askedToStopAtMs = nowMs;
    else if (nowMs - this.#askedToStopAtMs >= SAME_SIGNAL_MS) this.#hurry.abort();
    this.#stopping = true;
    this.#end({ kind: "stopped" });
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    this.#newKeeper?.kill("SIGKILL");
    this.#record("control.stopping", "Stopping: the gateway drains, then the instances end");
    const drainMs = this.#config.gateway?.drainMs ?? 0;
    await stopEverything(this.#parts, { drainMs, hurried: this.#hurry.signal });
    forgetConfig(this.#parts.records);
    const ranMs = this.#parts.clock.monotonicMs() - this.#startedAtMs;
    this.#record("control.stopped", `Everything has ended; control ran for ${sayDuration(ranMs)}`);
  }

  /** Whatever is still running goes on. */
  async #letGo(admin: AdminServer): Promise<void> {
    this.#lettingGo = true;
    const { control, events, heartbeats, history, logRotation, steward } = this.#parts;
    control.release();
    this.#parts.vaultDuties.release();
    heartbeats[Symbol.dispose]();
    steward.release();
    logRotation[Symbol.dispose]();
    await Promise.all([admin.close(), this.#remoteAdmin.close()]);
    await history.close();
    events[Symbol.dispose]();
  }

  async #sayWhenReady(): Promise<void> {
    const { clock } = this.#parts;
    while (!this.#isReady()) {
      if (this.#stopping) return;
      await new Promise<void>((resolve) => void clock.after(READY_LOOK_MS, resolve));
    }
    const counts = this.#status().services.map(({ name, up, wanted }) => `${name} ${up}/${wanted}`);
    const tookMs = clock.monotonicMs() - this.#startedAtMs;
    this.#record(
      "control.ready",
      `Ready after ${sayDuration(tookMs)}: ${counts.join(", ") || "no services"}`,
    );
  }

  /**
   * Endpoints are run elsewhere: whether they are up is not ours to wait for, but that we know is.
   */
  #isReady(): boolean {
    const { services, gateway } = this.#status();
    const serves = gateway === null || gateway.workers.some(({ state }) => state === "serving");
    return serves && services.every((service) => isSettled(service));
  }

  #status(): StatusReport {
    const { clock, control, state, steward, vaultDuties, version } = this.#parts;
    const { stats, totals, ...gateway } = steward.status();
    return composeStatus({
      version,
      stateDirectory: state.path,
      config: this.#config,
      instances: control.registry.instances(),
      epochOf: (service) => control.registry.epoch(service),
      inMaintenance: (service) => control.isInMaintenance(service),
      removedOf: (service) => control.removedEndpoints(service),
      gateway: { ...gateway, workerStats: stats, totals: totals.services },
      rates: this.#rates,
      ledgers: control.ledgers(),
      incidents: control.incidents(),
      vault: vaultDuties.state(),
      control: {
        pid: process.pid,
        term: this.#options.term,
        sinceWallMs: this.#startedAtWallMs,
      },
      nowMs: clock.monotonicMs(),
      wallMs: clock.wallMs(),
    });
  }

  #stats(): readonly StatsRow[] {
    const { clock, control, steward } = this.#parts;
    return statsRows({
      config: this.#config,
      instances: control.registry.instances(),
      totals: steward.status().totals,
      rates: this.#rates,
      table: control.table(),
      nowMs: clock.monotonicMs(),
      wallMs: clock.wallMs(),
    });
  }

  #apply(file: string | undefined): Promise<ApplyResult> {
    const applied = this.#applying.then(async () => {
      this.#refuseWhenStopping();
      const loaded = await loadConfigFile(file ?? this.#config.file);
      const config = await this.#onFreePorts(loaded.config);
      this.#refuseWhenStopping();
      const different = describeChanges(this.#config, config);
      // Before anything of it is kept: it refuses a file that contradicts a deploy.
      const stays = this.#parts.control.apply(config);
      const changes = [...different, ...stays];
      this.#config = config;
      this.#keep(config);
      this.#parts.vaultDuties.follow(config.backup);
      this.#watchLogs();
      const what = changes.length === 0 ? "nothing has changed" : changes.join(" ");
      this.#record("config.applied", `Follows ${config.file}: ${what}`);
      const admin = await this.#remoteAdmin.follow(config.admin);
      const warnings = [loaded.warnings.trimEnd(), admin].filter((warning) => warning !== "");
      return { changes, warnings };
    });
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  #deploy({ service, file, canary, replace, by }: DeployOrder): Promise<DeployResult> {
    const deployed = this.#applying.then(async () => {
      this.#refuseWhenStopping();
      const { config } = await loadConfigFile(file ?? this.#config.file);
      this.#refuseWhenStopping();
      const wanted = config.services.find(({ name }) => name === service);
      if (wanted === undefined) {
        throw new NinesError(
          "NINES_SERVICE_UNKNOWN",
          `${config.file} has no service "${service}".`,
        );
      }
      const fromFile = config.file === this.#config.file;
      const answer = this.#parts.control.deploy(
        service,
        wishOf(wanted, { canary, replace, by, fromFile }),
      );
      if (fromFile) this.#takeOver(wanted);
      return { service, ...answer, from: answer.from ?? null };
    });
    this.#applying = deployed.catch(() => undefined);
    return deployed;
  }

  /** The file says so now; what else has changed in it waits for an apply. */
  #takeOver(deployed: ServiceConfig): void {
    const services = this.#config.services.map((service) => withStart(service, deployed));
    this.#config = { ...this.#config, services };
    this.#keep(this.#config);
  }

  #refuse(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#record(
      "config.refused",
      `The file is not followed, nothing has changed: ${why}`,
      "error",
    );
  }

  #refuseWhenStopping(): void {
    if (!this.#stopping) return;
    throw new NinesError("NINES_CONTROL_STOPPING", "Everything is being stopped.");
  }

  async #onFreePorts(config: Config): Promise<Config> {
    if (!this.#options.nextFreePort) return config;
    const { offices, records } = this.#parts;
    return avoidTakenPorts(config, {
      records,
      gatewayLives: offices.gateway.holder()?.alive === true,
      isFree: isPortFree,
      say: (sentence) => this.#record("gateway.port-taken", sentence, "warning"),
    });
  }

  #keep(config: Config): void {
    try {
      keepConfig(this.#parts.records, config);
    } catch (error) {
      // A full disk: it is followed all the same, and only not known to a control after a crash.
      if (!(error instanceof NinesError)) throw error;
      this.#record("config.not-kept", error.message, "warning");
    }
  }

  #somethingRuns(): boolean {
    const { gateway, instances } = inspect(this.#parts.state, identify);
    return gateway?.alive === true || instances.some(({ alive }) => alive);
  }

  #watchLogs(): void {
    const { control, logRotation, state } = this.#parts;
    const logs = control.registry.instances().flatMap(({ id, service }) => {
      const config = this.#config.services.find(({ name }) => name === service);
      return config?.kind === "command" ? [{ file: state.logFileOf(id), ...config.logs }] : [];
    });
    const own = [state.controlLog, state.gatewayLog, state.backupLog].map((file) => ({
      file,
      ...ownLogs,
    }));
    logRotation.watch([...logs, ...own]);
  }

  #record(kind: string, sentence: string, level: "info" | "warning" | "error" = "info"): void {
    this.#parts.events.record({ kind, level, sentence });
  }

  #closeConnections(id: string, everything: boolean): string {
    const { control, events, steward } = this.#parts;
    const record = control.registry.get(id);
    if (record === undefined) {
      throw new NinesError("NINES_TARGET_UNKNOWN", `There is no instance "${id}".`);
    }
    const workers = steward.closeConnections(id, everything);
    const who = workers === 1 ? "1 worker closes" : `${workers} workers close`;
    const what = everything
      ? "every connection to it, requests under way included"
      : "idle connections to it and tunnels, the others after their request";
    const sentence = `${id}: ${who} ${what}; an operator said so`;
    const { service } = record;
    const kind = "instance.connections-closed";
    events.record({ kind, level: "info", sentence, service, instance: id });
    return sentence;
  }

  /** What may be asked of us from outside: see admin/endpoints.ts. */
  #actions(): AdminActions {
    const { control, events, steward } = this.#parts;
    const orderly =
      <Words extends readonly unknown[], Answer>(order: (...words: Words) => Answer) =>
      (...words: Words) => {
        this.#refuseWhenStopping();
        return order(...words);
      };
    return {
      status: () => this.#status(),
      events: () => events.recent(),
      subscribe: (listener) => events.subscribe(listener),
      incidents: (wanted) => incidentReports(control.incidents(), wanted),
      table: () => control.table() ?? null,
      metrics: () => renderMetrics(this.#status(), steward.tellTotals()),
      stats: () => this.#stats(),
      statsPage: () => renderStatsPage(this.#status(), this.#stats()),
      apply: (file) => this.#apply(file),
      deploy: (order) => this.#deploy(order),
      rollback: (service, version, by) => {
        this.#refuseWhenStopping();
        const answer = control.rollback(service, version, by);
        return { service, ...answer, from: answer.from ?? null };
      },
      deploys: (service) => deploysReport(service, control.versions(service)),
      scale: orderly((service, replicas) => control.scale(service, replicas)),
      restart: orderly((target, force) => control.restart(target, force)),
      drain: orderly((instance) => control.drain(instance)),
      undrain: orderly((instance) => control.undrain(instance)),
      weigh: orderly((instance, word) => control.weigh(instance, word)),
      force: orderly((instance, forced) => control.force(instance, forced)),
      closeConnections: orderly((instance, everything) =>
        this.#closeConnections(instance, everything),
      ),
      addEndpoint: orderly((service, endpoint) => control.addEndpoint(service, endpoint)),
      removeEndpoint: orderly((instance) => control.removeEndpoint(instance)),
      failover: orderly((service, to) => control.failover(service, to)),
      failback: orderly((service) => control.failback(service)),
      maintain: orderly((on, service) => control.maintain(on, service)),
      explainFailover: (service) => control.explainFailover(service),
      restartGateway: orderly(() => void steward.replaceWorkers()),
      restartControl: orderly(() => this.#end({ kind: "restart", file: this.#config.file })),
      stop: () => {
        if (this.#lettingGo) throw new NinesError("NINES_NOT_RUNNING", "This control ends.");
        this.#stopOrHurry();
      },
    };
  }
}

function isSettled({ kind, up, wanted, instances }: ServiceReport): boolean {
  if (kind === "command") return up >= wanted;
  return instances.every(({ state }) => state !== "starting");
}

function repeat(everyMs: number, run: () => void): Disposable {
  const timer = setInterval(run, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function onSignal(signal: NodeJS.Signals, run: () => void): Disposable {
  process.on(signal, run);
  return { [Symbol.dispose]: () => void process.off(signal, run) };
}
