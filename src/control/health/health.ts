// The health loop: watches every instance that may take traffic, and writes into the registry
// whether it is well. An instance has one signal or two: a check (active-check.ts), heartbeats
// (heartbeat-watch.ts). Well is what all its signals call up, down is what one of them does. It may
// have an agent beside them (agent-check.ts), whose `down` counts as a signal's, and whose `maint`
// ends the others for as long as it lasts.
//
// Invariant: evidence counts only for the process that gave it. The signals end with the process,
// and what they hear of it later is dropped.

import type { Config, HealthConfig } from "../../config/config.ts";
import type { Random } from "../../core/base/prng.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { Heartbeats } from "../../ports/heartbeats.ts";
import type { Probes } from "../../ports/probe.ts";
import type {
  AgentHeard,
  Health,
  InstanceRecord,
  Registry,
  RegistryChange,
} from "../registry/registry.ts";
import type { Surroundings } from "../registry/surroundings.ts";
import { sayChange, silentAgent, withReason } from "../../core/steer/agent-state.ts";
import type { Agents } from "../../ports/agents.ts";
import { ActiveCheck } from "./active-check.ts";
import { AgentCheck, type AgentNews } from "./agent-check.ts";
import { HeartbeatWatch } from "./heartbeat-watch.ts";
import { Observer } from "./observer.ts";
import type { News, Signal, Subject } from "./signal.ts";

export interface HealthPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly probes: Probes;
  readonly agents: Agents;
  readonly heartbeats: Heartbeats;
  readonly events: Events;
  readonly registry: Registry;
  /** What an instance's process lives in; undefined when nobody knows. */
  readonly surroundingsOf: (record: InstanceRecord) => Surroundings | undefined;
  /** How long a passed check of an instance took. */
  readonly measured: (instance: string, latencyMs: number) => void;
}

/** When many are checked from one moment on, their first checks are this far apart on average. */
const spreadMs = 5;

/** An agent that changes its weight with every word, or babbles, is quoted this often. */
const AGENT_QUOTED_MS = 10_000;

interface Watch {
  /** None while its agent says `maint`. */
  signals: readonly Signal[];
  isPaused: boolean;
  agent: AgentCheck | undefined;
  /** When its agent was quoted last. */
  quotedMs: number;
  /** What was said last of an agent that is not understood or not heard, and when. */
  complaint: string;
  complainedMs: number;
  /** What it was begun with: which signals it asks for, what differs is begun anew. */
  health: HealthConfig;
}

export class HealthLoop {
  readonly #ports: HealthPorts & { readonly observer: Observer };
  readonly #subscription: Disposable;
  readonly #watches = new Map<string, Watch>();
  #settings = new Map<string, HealthConfig>();

  constructor(ports: HealthPorts) {
    this.#ports = { ...ports, observer: new Observer(ports.clock, ports.events) };
    this.#subscription = ports.registry.subscribe((change) => this.#registryChanged(change));
  }

  follow(config: Config): void {
    this.#settings = new Map(config.services.map(({ name, health }) => [name, health]));
    for (const record of this.#ports.registry.instances()) this.#review(record);
  }

  /** Live traffic met a failure. Ignored for what is not watched, or known to be down. */
  suspect(instance: string, detail: string): void {
    for (const signal of this.#watches.get(instance)?.signals ?? []) signal.suspect(detail);
  }

  /** How many times as long as their settings say checks wait now: more than once in self-doubt. */
  get patience(): number {
    return this.#ports.observer.factor;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#ports.observer[Symbol.dispose]();
    for (const id of this.#watches.keys()) this.#end(id);
  }

  #registryChanged({ before, after }: RegistryChange): void {
    const id = (after ?? before)?.id ?? "";
    // As it is now, which may be newer than the change.
    const record = this.#ports.registry.get(id);
    if (record === undefined) this.#end(id);
    else this.#review(record);
  }

  /** Begins or ends the watch over an instance, as its phase and the file say. */
  #review(record: InstanceRecord): void {
    const { id } = record;
    const health = this.#settings.get(record.service);
    const watch = this.#watches.get(id);
    if (health === undefined || !isWatched(record)) {
      if (watch === undefined) return;
      this.#end(id);
      return this.#ports.registry.patch(id, unchecked);
    }
    if (watch !== undefined && watch.isPaused !== isPaused(record)) this.#pause(record, watch);
    if (watch?.health === health) return;
    if (watch !== undefined && askedBy(watch.health) === askedBy(health)) {
      watch.health = health;
      return;
    }
    this.#end(id);
    this.#begin(record, health);
  }

  #begin(record: InstanceRecord, health: HealthConfig): void {
    const { id } = record;
    const paused = isPaused(record);
    const none = { signals: [], agent: undefined, quotedMs: -Infinity, complainedMs: -Infinity };
    const complaint = complaintOf(record.agentHeard);
    const watch: Watch = { ...none, complaint, isPaused: paused, health };
    this.#watches.set(id, watch);
    this.#watchAgent(record, watch);
    if (!paused) this.#watchSignals(record, watch);
  }

  /** Its agent has said `maint`, or ended that: then it is as one that nobody has checked yet. */
  #pause(record: InstanceRecord, watch: Watch): void {
    watch.isPaused = isPaused(record);
    for (const signal of watch.signals) signal[Symbol.dispose]();
    watch.signals = [];
    this.#ports.registry.patch(record.id, unchecked);
    if (!watch.isPaused) this.#watchSignals(record, watch);
  }

  #watchAgent(record: InstanceRecord, watch: Watch): void {
    const { id } = record;
    const { agent } = watch.health;
    if (agent === undefined) {
      if (record.agent !== undefined) {
        this.#ports.registry.patch(id, { agent: undefined, agentHeard: undefined });
      }
      return;
    }
    const current = (): InstanceRecord | undefined => this.#subject(id, watch)?.record;
    const delayMs = this.#firstDelayMs(record, watch.health);
    watch.agent = new AgentCheck(this.#ports, agent, record, delayMs, current, (news) =>
      this.#agentSaid(id, watch, news),
    );
    // What it said of an earlier process is forgotten; and weights that are shares begin here.
    this.#ports.registry.patch(id, { agent: watch.agent.state });
  }

  #watchSignals(record: InstanceRecord, watch: Watch): void {
    const { id } = record;
    const { health } = watch;
    const signals: Signal[] = [];
    const subject: Subject = () => this.#subject(id, watch);
    const tell = (news: News): void => this.#heard(id, watch, news);
    if (health.check.kind !== "none") {
      const delayMs = this.#firstDelayMs(record, health);
      signals.push(new ActiveCheck(this.#ports, health, subject, delayMs, tell));
    }
    const { heartbeat } = health;
    const file = heartbeat && this.#ports.surroundingsOf(record)?.heartbeatFile;
    if (heartbeat !== undefined && file !== undefined) {
      signals.push(new HeartbeatWatch(this.#ports, file, { health, heartbeat }, subject, tell));
    }
    watch.signals = signals;
    this.#assume(record, watch);
  }

  /**
   * What it counts as before the first evidence. One that runs and that nobody asks anything of (it
   * was started before heartbeats were asked for) is well until it is replaced.
   */
  #assume(record: InstanceRecord, watch: Watch): void {
    const assumed = overall(watch);
    const starting = record.phase === "starting";
    if (assumed === "unknown" || (starting && assumed === "down")) return;
    if (starting && watch.signals.length === 0) return;
    this.#ports.registry.patch(record.id, { health: assumed, lastCheck: "not checked yet" });
  }

  #end(id: string): void {
    const watch = this.#watches.get(id);
    for (const signal of watch?.signals ?? []) signal[Symbol.dispose]();
    watch?.agent?.[Symbol.dispose]();
    this.#watches.delete(id);
  }

  #subject(id: string, watch: Watch): ReturnType<Subject> {
    const record = this.#ports.registry.get(id);
    const health = record && this.#settings.get(record.service);
    const current = this.#watches.get(id) === watch;
    return record === undefined || health === undefined || !current
      ? undefined
      : { record, health };
  }

  #heard(id: string, watch: Watch, { detail, changed }: News): void {
    const record = this.#subject(id, watch)?.record;
    if (record === undefined) return;
    const health = overall(watch);
    const same = health === "unknown" || health === record.health;
    const failingSinceMs = earliest(watch.signals);
    this.#ports.registry.patch(id, { lastCheck: detail, failingSinceMs });
    if (same || changed === undefined) return;
    const isAgents = health === "down" && watch.signals.every(({ verdict }) => verdict !== "down");
    this.#changed(record, health, isAgents ? agentsDown(watch) : changed);
  }

  #agentSaid(id: string, watch: Watch, { before, state, heard }: AgentNews): void {
    const record = this.#subject(id, watch)?.record;
    if (record === undefined) return;
    const { registry } = this.#ports;
    this.#quote(record, watch, { before, state, heard });
    const isSame = record.agentHeard?.text === heard.text;
    registry.patch(id, { agent: state, ...(isSame ? {} : { agentHeard: heard }) });
    const now = this.#subject(id, watch)?.record;
    const health = overall(watch);
    if (now === undefined || watch.isPaused || health === "unknown" || health === now.health) {
      return;
    }
    const up = "up: its checks pass, and its agent says nothing against it";
    this.#changed(now, health, health === "up" ? up : agentsDown(watch));
  }

  /** What follows from its word, or that none came any more. */
  #quote(record: InstanceRecord, watch: Watch, { before, state, heard }: AgentNews): void {
    const { events, clock } = this.#ports;
    const { id, service } = record;
    const said = sayChange(before, state);
    const isState =
      before.operating !== state.operating || before.administrative !== state.administrative;
    const complaint = complaintOf(heard);
    if (complaint === "") watch.complaint = "";
    const nowMs = clock.monotonicMs();
    let sentence = "";
    if (said !== "" && (isState || nowMs >= watch.quotedMs + AGENT_QUOTED_MS)) {
      sentence = `${id}: its agent says ${said}`;
      watch.quotedMs = nowMs;
    } else if (complaint !== watch.complaint && nowMs >= watch.complainedMs + AGENT_QUOTED_MS) {
      const what =
        heard.outcome === "refused"
          ? "what its agent says is not understood and changes nothing"
          : "its agent cannot be asked, what it said last holds";
      sentence = `${id}: ${what}: ${heard.text}`;
      watch.complaint = complaint;
      watch.complainedMs = nowMs;
    }
    if (sentence === "") return;
    const level = heard.outcome === "refused" ? "warning" : "info";
    const kind = heard.outcome === "said" ? "instance.agent-said" : "instance.agent-not-heard";
    events.record({ kind, level, sentence, service, instance: id });
  }

  /** Announces a new verdict. The end of a start is for the supervisor to say. */
  #changed(record: InstanceRecord, health: Health, why: string): void {
    const { registry, events, clock } = this.#ports;
    const { id, service } = record;
    const up = health === "up";
    if (record.phase === "starting") {
      if (up) registry.patch(id, { health });
      return;
    }
    const sentence = `${id} is ${why}`;
    const kind = up ? "instance.up" : "instance.down";
    events.record({ kind, level: up ? "info" : "warning", sentence, service, instance: id });
    const wasOut = record.told?.verdict === "down" || record.told?.verdict === "failing";
    const readmitted = up && (wasOut || record.health === "down");
    const generation = record.generation + (readmitted ? 1 : 0);
    const sinceWallMs = clock.wallMs();
    registry.patch(id, { health, generation, why: sentence, sinceWallMs });
  }

  /** A start is checked at once; what already runs is, with all others, spread a little. */
  #firstDelayMs(record: InstanceRecord, { fastIntervalMs }: HealthConfig): number {
    if (record.phase === "starting") return 0;
    const spread = Math.min(fastIntervalMs, spreadMs * this.#ports.registry.instances().length);
    return this.#ports.random.ratio() * spread;
  }
}

function isWatched(record: InstanceRecord): boolean {
  const { phase, port } = record;
  return port > 0 && (phase === "starting" || phase === "running" || phase === "external");
}

/** Which signals these settings ask for; all else is followed as they go. */
function askedBy({ check, heartbeat, agent }: HealthConfig): string {
  return JSON.stringify([check.kind === "none", heartbeat, agent]);
}

/** Nobody knows how it is. */
const unchecked = { health: "unknown", failingSinceMs: undefined } as const;

/** Its agent says that it is not to be checked. */
function isPaused({ agent }: InstanceRecord): boolean {
  return agent?.administrative === "maint";
}

/** What is wrong with an agent's answer, the same text for the same; "" when nothing is. */
function complaintOf(heard: AgentHeard | undefined): string {
  if (heard === undefined || heard.outcome === "said") return "";
  return heard.outcome === "refused" ? heard.text : heard.outcome;
}

function agentsDown({ agent }: Watch): string {
  const { operating, reason } = agent?.state ?? silentAgent;
  return `down: its agent says ${operating}${withReason({ reason })}`;
}

/** Up when all say so, down when one does; in `maint` nobody is asked. */
function overall({ signals, agent, isPaused: paused }: Watch): Health {
  if (paused) return "unknown";
  let [areUp, isDown] = [true, false];
  const count = (verdict: Health): void => {
    areUp &&= verdict === "up";
    isDown ||= verdict === "down";
  };
  for (const { verdict } of signals) count(verdict);
  if (agent !== undefined) count(agent.verdict);
  if (isDown) return "down";
  return areUp ? "up" : "unknown";
}

function earliest(signals: readonly Signal[]): number | undefined {
  let earliestMs: number | undefined;
  for (const { failingSinceMs: sinceMs } of signals) {
    if (sinceMs !== undefined) earliestMs = Math.min(sinceMs, earliestMs ?? sinceMs);
  }
  return earliestMs;
}
