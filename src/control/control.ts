// Control: the loops that make the world match the file, put together once for the program and the
// simulator alike. Whoever calls `createControl` gives it the world as ports.
//
// This file is the whole outside of control: what the CLI, the admin API and the simulator may ask.

import type { Config } from "../config/config.ts";
import type { Random } from "../core/base/prng.ts";
import type { Ledger } from "../core/deploy/versions.ts";
import type { Incident } from "../core/incident/incident.ts";
import type { RoutingTable } from "../core/route/table.ts";
import type { WeightWord } from "../core/steer/weights.ts";
import type { Agents } from "../ports/agents.ts";
import type { Clock } from "../ports/clock.ts";
import type { EventEntry, Events } from "../ports/events.ts";
import type { FreePorts } from "../ports/free-ports.ts";
import type { Heartbeats } from "../ports/heartbeats.ts";
import type { History } from "../ports/history.ts";
import type { Probes } from "../ports/probe.ts";
import type { Processes } from "../ports/processes.ts";
import type { Records } from "../ports/records.ts";
import type { RoutingTables } from "../ports/routing-tables.ts";
import type { Traffic } from "../ports/traffic.ts";
import { FailoverLoop } from "./failover/failover.ts";
import type { WorkerReports } from "../ports/worker-reports.ts";
import { DegradationLoop } from "./health/degradation.ts";
import { HealthLoop } from "./health/health.ts";
import { type Noticed, ObserveLoop } from "./observe/observe.ts";
import { carefulRecords } from "./registry/careful-records.ts";
import { createRegistry } from "./registry/create-registry.ts";
import type { Endpoint } from "./registry/endpoints.ts";
import type { InstanceRecord, Registry } from "./registry/registry.ts";
import type { Surroundings } from "./registry/surroundings.ts";
import { RoutingMemory } from "./routing/memory.ts";
import { RoutingLoop } from "./routing/routing.ts";
import type { DeployAnswer, DeployWish } from "./supervisor/rollout.ts";
import { Supervisor } from "./supervisor/supervisor.ts";
import { SteeringLoop } from "./steering/steering.ts";

export interface ControlPorts {
  /** The term that this control holds (ports/term-claims.ts): larger than of any control before. */
  readonly term: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly processes: Processes;
  readonly probes: Probes;
  readonly agents: Agents;
  readonly heartbeats: Heartbeats;
  readonly records: Records;
  readonly events: Events;
  readonly routingTables: RoutingTables;
  readonly traffic: Traffic;
  readonly workerReports: WorkerReports;
  readonly history: History;
  readonly freePorts: FreePorts;
  /** What every instance inherits: the environment of `nines up`, less NINES_*. */
  readonly baseEnvironment: Readonly<Record<string, string>>;
  /** Log file of an instance; its folder exists. */
  readonly logFileOf: (instance: string) => string;
  /** Data folder of an instance, made when missing, owned by `user`; kept across restarts. */
  readonly dataFolderOf: (instance: string, user: string | undefined) => string;
}

/** What the data plane noticed of an instance: reason enough for a check at once. */
export type Observation = Noticed;

export interface Control {
  readonly registry: Pick<Registry, "instances" | "get" | "subscribe" | "epoch">;
  /** Adopts what still runs (by the records), then makes the world match the file. Called once. */
  start(config: Config): void;
  /**
   * Follows a changed file: instances whose start would differ are replaced one at a time, each
   * drained first and its successor ready before the next; the rest is left alone. Returns a
   * sentence for each service that stays at another version than the file's, and for each word of
   * an operator that goes on beside it. Throws NINES_DEPLOY_UNDER_WAY, and changes nothing, when
   * the file contradicts a deploy.
   */
  apply(config: Config): readonly string[];
  /**
   * Brings a new version of one service, a few instances at a time, and goes back when it fails.
   * Throws NINES_SERVICE_UNKNOWN, NINES_DEPLOY_ENDPOINTS, NINES_DEPLOY_UNDER_WAY, or
   * NINES_STATE_WRITE.
   */
  deploy(service: string, wish: DeployWish): DeployAnswer;
  /**
   * Goes back to a version that is remembered, by default the one before; a deploy under way turns
   * round. Throws as `deploy`, and NINES_VERSION_UNKNOWN.
   */
  rollback(service: string, to: number | undefined, by: string): DeployAnswer;
  /** The versions of a service and its deploy. Throws as `deploy`. */
  versions(service: string): Ledger;
  /** The same of all services that Nines starts. */
  ledgers(): ReadonlyMap<string, Ledger>;
  /**
   * Throws NINES_SERVICE_UNKNOWN, or NINES_SCALE_RANGE outside `replicas`. Kept until the next
   * apply.
   */
  scale(service: string, replicas: number): void;
  /**
   * A service or an instance: drained, ended, started, one at a time, and only while the others are
   * well; `force` does not wait for them. Throws NINES_TARGET_UNKNOWN.
   */
  restart(target: string, force?: boolean): void;
  /** No new traffic to this instance until `undrain`; kept across restarts of control. */
  drain(instance: string): void;
  undrain(instance: string): void;
  /**
   * An operator's weight in place of the file's and the agent's; undefined ends that. Says what
   * follows and is kept across restarts of control, as the next three. Throws
   * NINES_TARGET_UNKNOWN, NINES_STATE_WRITE.
   */
  weigh(instance: string, word: WeightWord | undefined): string;
  /** Counts as well, or gets nothing, whatever its checks say; undefined ends that. */
  force(instance: string, forced: "up" | "down" | undefined): string;
  /** An endpoint beside those of the file. Throws NINES_ENDPOINT_REFUSED; so does `remove`. */
  addEndpoint(service: string, endpoint: Endpoint): string;
  removeEndpoint(instance: string): string;
  /** Endpoints of the file that an operator has taken out. */
  removedEndpoints(service: string): readonly string[];
  /**
   * Moves the primary of a `primary-standby` service, to `to` or to the best other one, by plan: no
   * request is lost. Says what follows, as do the next two. Throws NINES_SERVICE_UNKNOWN,
   * NINES_FAILOVER_MODE, NINES_FAILOVER_REFUSED.
   */
  failover(service: string, to?: string): string;
  /** Gives the preferred one its place back; throws as `failover`. */
  failback(service: string): string;
  /** While it is on, nobody takes over by itself; of one service, or of all. Kept on disk. */
  maintain(on: boolean, service?: string): string;
  isInMaintenance(service: string): boolean;
  /** Who is primary, and what would follow now, a sentence each; throws as `failover`. */
  explainFailover(service: string): readonly string[];
  observe(observation: Observation): void;
  /** How many times as long as their settings say checks wait: more than 1 in self-doubt. */
  patience(): number;
  /** An event that somebody else has recorded: part of the account of an incident. */
  noted(entry: EventEntry): void;
  /** Those that are kept and those under way, oldest first. */
  incidents(): readonly Incident[];
  /** The table in force. */
  table(): RoutingTable | undefined;
  /**
   * Ends every instance in reverse order of dependsOn. Resolves when nothing is left, or what is
   * left does not even end by SIGKILL (said). `withinMs` shortens the graces: each layer has its
   * share.
   */
  stop(withinMs?: number): Promise<void>;
  /** Lets go of everything and leaves it running: for `nines control restart`. */
  release(): void;
}

export function createControl(ports: ControlPorts): Control {
  const loops = createLoops(ports);
  const { registry, observing, health, supervisor, steering, failover, degradation } = loops;
  const { routing, follow } = loops;
  return {
    registry,
    start(config) {
      follow(config);
      supervisor.start(config);
      for (const loop of [failover, health, degradation, routing]) loop.follow(config);
    },
    apply(config) {
      supervisor.refuse(config);
      const steered = follow(config);
      const stays = supervisor.apply(config);
      for (const loop of [failover, health, degradation, routing]) loop.follow(config);
      return [...stays, ...steered];
    },
    deploy: (service, wish) => supervisor.deploy(service, wish),
    rollback: (service, to, by) => supervisor.rollback(service, to, by),
    versions: (service) => supervisor.ledger(service),
    ledgers: () => supervisor.ledgers(),
    scale: (service, replicas) => supervisor.scale(service, replicas),
    restart: (target, force) => supervisor.restart(target, force ?? false),
    drain: (instance) => supervisor.drain(instance),
    undrain: (instance) => supervisor.undrain(instance),
    weigh: (instance, word) => steering.weigh(instance, word),
    force: (instance, forced) => steering.force(instance, forced),
    addEndpoint: (service, endpoint) => steering.add(service, endpoint),
    removeEndpoint: (instance) => steering.remove(instance),
    removedEndpoints: (service) => steering.removed(service),
    failover: (service, to) => failover.failover(service, to),
    failback: (service) => failover.failback(service),
    maintain: (on, service) => failover.maintain(on, service),
    isInMaintenance: (service) => failover.isInMaintenance(service),
    explainFailover: (service) => failover.explain(service),
    patience: () => health.patience,
    observe(observation) {
      const { instance, detail, kind, cause } = observation;
      if (cause !== undefined) supervisor.ejected(instance, cause, detail);
      const isWell = kind === "readmitted" || cause === "flapping";
      if (!isWell) health.suspect(instance, detail);
      observing.noticed(observation);
    },
    noted: (entry) => observing.recorded(entry),
    incidents: () => observing.incidents(),
    table: () => routing.table,
    stop(withinMs) {
      // Nobody takes over from those that end.
      failover[Symbol.dispose]();
      return supervisor.stop(withinMs);
    },
    release() {
      failover[Symbol.dispose]();
      supervisor.release();
      steering[Symbol.dispose]();
      health[Symbol.dispose]();
      degradation[Symbol.dispose]();
      routing[Symbol.dispose]();
      observing[Symbol.dispose]();
    },
  };
}

/** Who meets whom, by the registry alone; `follow` is what comes before every loop. */
function createLoops(ports: ControlPorts) {
  const { random, term } = ports;
  const registry = createRegistry();
  const observing = new ObserveLoop({ ...ports, registry, table: () => routing.table });
  const events = alsoTo(observing, ports.events);
  const careful = carefulRecords(ports.records, events);
  const memory = new RoutingMemory(careful, term);
  const remembered = (id: string) => memory.of(id);
  // The loops hear of a change in this order: whoever comes is as an operator said before anybody
  // looks; a check ends with its process before others do.
  const steering = new SteeringLoop({ ...ports, events, registry, careful, remembered });
  const health = new HealthLoop({
    ...ports,
    events,
    registry,
    random: random.stream("health"),
    surroundingsOf: (record) =>
      record.origin === "endpoint"
        ? beside(record, ports.baseEnvironment)
        : supervisor.surroundingsOf(record.id),
    measured: (instance, latencyMs) => degradation.measured(instance, latencyMs),
  });
  const supervisorRandom = random.stream("supervisor");
  const supervisor = new Supervisor({
    ...ports,
    events,
    registry,
    careful,
    remembered,
    random: supervisorRandom,
  });
  const degradation = new DegradationLoop({
    ...ports,
    events,
    registry,
    residentBytes: (instance) => supervisor.residentBytes(instance),
    replace: (instance, cause) => supervisor.replaceInTurn(instance, cause),
  });
  const failover = new FailoverLoop({
    ...ports,
    events,
    registry,
    careful,
    kill: (instance) => supervisor.kill(instance),
  });
  const routing = new RoutingLoop({ ...ports, registry, memory });

  function follow(config: Config): readonly string[] {
    registry.orderServices(config.services.map((service) => service.name));
    const steered = steering.follow(config);
    observing.follow(config);
    return steered;
  }

  const watching = { observing, health, degradation };
  return { registry, ...watching, supervisor, steering, failover, routing, follow };
}

/** Events are part of the account of an incident that is under way. */
function alsoTo(observing: ObserveLoop, events: Events): Events {
  return {
    record(entry) {
      events.record(entry);
      observing.recorded(entry);
    },
  };
}

/** What is checked by a command and runs elsewhere. */
function beside(
  { id, service, host, port }: InstanceRecord,
  baseEnvironment: ControlPorts["baseEnvironment"],
): Surroundings {
  const own = { HOST: host, PORT: String(port), NINES_INSTANCE: id, NINES_SERVICE: service };
  return { workingDirectory: "/", environment: { ...baseEnvironment, ...own } };
}
