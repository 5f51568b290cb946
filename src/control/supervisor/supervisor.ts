// The supervisor: which instances there are to be, and in which order they start, change and end.
//
// One review does all of it: it looks at every instance and sends each the event that follows from
// the whole (its dependencies are ready, it is its turn in a rolling change, it has ended and is
// not wanted). Whatever changes asks for a review; all reviews of one turn are one. So there is no
// state of "a rolling change under way" that could be lost or left behind: it is seen in the
// instances. Which version each of them is to run is asked of the service's rollout (rollout.ts).

import type { CommandService, Config } from "../../config/config.ts";
import { present } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Ledger } from "../../core/deploy/versions.ts";
import type { CauseName } from "../../core/dispatch/ejections.ts";
import { changedParts, type Fingerprint, fingerprintOf } from "../../core/supervise/fingerprint.ts";
import { keptInstances, readKeptInstance } from "../../core/supervise/kept-instance.ts";
import { type RollingInstance, replaceNow } from "../../core/supervise/rolling.ts";
import { waitsFor } from "../../core/supervise/start-order.ts";
import type { Timer } from "../../ports/clock.ts";
import type {
  Health,
  InstanceRecord,
  Registry,
  RegistryChange,
  Remembered,
} from "../registry/registry.ts";
import type { Surroundings } from "../registry/surroundings.ts";
import { isReady } from "../registry/verdict.ts";
import { Instance, type InstancePorts } from "./instance.ts";
import { OperatorWords } from "./operator-words.ts";
import {
  type DeployAnswer,
  type DeployWish,
  type InstanceView,
  Rollout,
  type RolloutPorts,
} from "./rollout.ts";
import { Shutdown } from "./shutdown.ts";

export interface SupervisorPorts extends Omit<InstancePorts, "portsTaken" | "changed"> {
  readonly registry: Registry;
  /** What an earlier control told the data plane of an instance. */
  readonly remembered: (instance: string) => Remembered;
}

/** Where the kernel does not enforce a memory limit, somebody looks this often. */
const memorySampleMs = 1_000;

export class Supervisor {
  readonly #ports: SupervisorPorts;
  readonly #instancePorts: InstancePorts;
  readonly #rolloutPorts: RolloutPorts;
  readonly #instances = new Map<string, Instance>();
  readonly #unwanted = new Set<string>();
  /** Why an instance is to be restarted, by an operator or ahead of a failure, until its turn. */
  readonly #restarts = new Map<string, string>();
  /** By service. */
  readonly #rollouts = new Map<string, Rollout>();
  readonly #words: OperatorWords;
  readonly #subscription: Disposable;
  /** A deploy may want other versions, or other instances, than before. */
  #rolloutsMoved = false;
  #services: ReadonlyMap<string, CommandService> = new Map();
  #config: Config | undefined;
  #reviewPending: Timer | undefined;
  #memorySample: Timer | undefined;
  #shutdown: Shutdown | undefined;

  constructor(ports: SupervisorPorts) {
    this.#ports = ports;
    this.#instancePorts = {
      ...ports,
      portsTaken: (except) => this.#portsTaken(except),
      changed: () => this.#reviewSoon(),
    };
    this.#rolloutPorts = { ...ports, changed: () => this.#rolloutMoved() };
    this.#words = new OperatorWords(ports.records, ports.careful);
    this.#subscription = ports.registry.subscribe((change) => this.#registryChanged(change));
  }

  start(config: Config): void {
    this.#follow(config, "start");
    for (const key of this.#ports.careful.list(keptInstances)) this.#adopt(key);
    this.#want({ more: "the file names it", fewer: "the file wants fewer" });
  }

  /** Throws NINES_DEPLOY_UNDER_WAY when a file contradicts a deploy. */
  refuse(config: Config): void {
    for (const service of config.services) {
      const rollout = this.#rollouts.get(service.name);
      if (service.kind !== "command" || rollout?.contradicts(service) !== true) continue;
      const what = `${service.name} is being deployed, and the file says something else of it now.`;
      throw new NinesError("NINES_DEPLOY_UNDER_WAY", what);
    }
  }

  /** Returns a sentence for each service that goes on with another version than the file's. */
  apply(config: Config): readonly string[] {
    this.#words.forgetScales();
    const stays = this.#follow(config, "apply");
    this.#want({ more: "the changed file names it", fewer: "the changed file wants fewer" });
    return stays;
  }

  deploy(service: string, wish: DeployWish): DeployAnswer {
    return this.#rolloutOf(service).deploy(wish);
  }

  rollback(service: string, to: number | undefined, by: string): DeployAnswer {
    return this.#rolloutOf(service).rollback(to, by);
  }

  ledger(service: string): Ledger {
    return this.#rolloutOf(service).ledger;
  }

  ledgers(): ReadonlyMap<string, Ledger> {
    return new Map([...this.#rollouts].map(([name, rollout]) => [name, rollout.ledger]));
  }

  /** A worker ejected an instance: a deploy that brought it has failed. */
  ejected(id: string, cause: CauseName, detail: string): void {
    const instance = this.#instances.get(id);
    if (instance === undefined) return;
    this.#rollouts.get(instance.service)?.ejected(this.#view(instance), cause, detail);
  }

  scale(name: string, replicas: number): void {
    const service = this.#services.get(name);
    if (service === undefined) {
      throw new NinesError("NINES_SERVICE_UNKNOWN", `No service "${name}" is run by Nines.`);
    }
    const { min, max } = service.replicas;
    if (!Number.isInteger(replicas) || replicas < min || replicas > max) {
      const range = min === max ? `exactly ${min}` : `${min} to ${max}`;
      throw new NinesError("NINES_SCALE_RANGE", `"${name}" may have ${range} instances.`);
    }
    this.#words.scale(service, replicas);
    const cause = `an operator scaled ${name} to ${replicas}`;
    this.#want({ more: cause, fewer: cause });
  }

  /** In turn, as a change of the file would; `force` asks nobody whether it can be spared. */
  restart(target: string, force: boolean): void {
    const why = "an operator asked for a restart";
    const one = this.#services.has(target) ? undefined : this.#instances.get(target);
    const all = [...this.#instances.values()].filter((instance) => instance.service === target);
    const meant = one === undefined ? all : [one];
    if (meant.length === 0) {
      throw new NinesError("NINES_TARGET_UNKNOWN", `Nothing named "${target}" is run by Nines.`);
    }
    for (const instance of meant) {
      if (force) instance.tell({ kind: "replace", cause: why });
      else this.#restarts.set(instance.id, why);
    }
    this.#reviewSoon();
  }

  /** See Instance.kill. */
  kill(id: string): void {
    this.#instances.get(id)?.kill();
  }

  /** Replaces one instance when its turn has come in a rolling change: with all others well. */
  replaceInTurn(id: string, cause: string): void {
    if (!this.#instances.has(id)) return;
    this.#restarts.set(id, cause);
    this.#reviewSoon();
  }

  /** Memory of its process group now; undefined without one. */
  residentBytes(id: string): number | undefined {
    return this.#instances.get(id)?.residentBytes();
  }

  /** What an instance's process lives in; undefined for what Nines does not run. */
  surroundingsOf(id: string): Surroundings | undefined {
    return this.#instances.get(id)?.surroundings;
  }

  drain(id: string): void {
    this.#requireInstance(id);
    if (this.#words.isDrained(id)) return;
    this.#words.drain(id);
    this.#setDrained(id, true, "an operator drained it");
  }

  undrain(id: string): void {
    this.#requireInstance(id);
    if (!this.#words.isDrained(id)) return;
    this.#words.undrain(id);
    this.#setDrained(id, false, "an operator ended its drain");
  }

  /** Ends every instance, dependents first; SIGKILL for what is left of `withinMs`. */
  stop(withinMs: number | undefined): Promise<void> {
    this.#shutdown ??= new Shutdown({
      clock: this.#ports.clock,
      events: this.#ports.events,
      services: this.#config?.services ?? [],
      instances: () => [...this.#instances.values()],
      withinMs,
    });
    this.#reviewSoon();
    return this.#shutdown.done;
  }

  release(): void {
    this.#subscription[Symbol.dispose]();
    this.#reviewPending?.[Symbol.dispose]();
    this.#memorySample?.[Symbol.dispose]();
    this.#shutdown?.[Symbol.dispose]();
    for (const rollout of this.#rollouts.values()) rollout[Symbol.dispose]();
    for (const instance of this.#instances.values()) instance.release();
  }

  #follow(config: Config, how: "start" | "apply"): readonly string[] {
    this.#config = config;
    this.#services = new Map(
      config.services.flatMap((service) =>
        service.kind === "command" ? [[service.name, service] as const] : [],
      ),
    );
    const stays = [...this.#services.values()].flatMap((service) => {
      const known = this.#rollouts.get(service.name);
      if (known !== undefined) return known.follow(service, how) ?? [];
      this.#rollouts.set(service.name, new Rollout(this.#rolloutPorts, service, how));
      return [];
    });
    this.#forgetRollouts();
    this.#followSpecs();
    return stays;
  }

  #forgetRollouts(): void {
    for (const [name, rollout] of this.#rollouts) {
      if (this.#services.has(name)) continue;
      this.#rollouts.delete(name);
      rollout.forget();
    }
  }

  /** Each instance is started next as its rollout says. */
  #followSpecs(): void {
    for (const instance of this.#instances.values()) {
      instance.follow(this.#specOf(instance.service, instance.ordinal), this.#drainMs());
    }
  }

  #specOf(name: string, ordinal: number): CommandService | undefined {
    const service = this.#services.get(name);
    return service && this.#rolloutOf(name).specOf(ordinal, this.#words.replicasOf(service));
  }

  #rolloutOf(name: string): Rollout {
    const rollout = this.#rollouts.get(name);
    if (rollout !== undefined) return rollout;
    if (this.#config?.services.some((service) => service.name === name) === true) {
      const what = `"${name}" is run elsewhere: Nines can deploy only what it starts itself.`;
      throw new NinesError("NINES_DEPLOY_ENDPOINTS", what);
    }
    throw new NinesError("NINES_SERVICE_UNKNOWN", `No service "${name}" is run by Nines.`);
  }

  #drainMs(): number {
    return this.#config?.gateway?.drainMs ?? 0;
  }

  /** Takes over what a control before this one started, wanted or not. */
  #adopt(key: string): void {
    const { careful, processes, events } = this.#ports;
    const id = key.slice(keptInstances.length);
    const kept = readKeptInstance(careful.read(key));
    if (kept === undefined) return careful.remove(key);
    const process = processes.adopt(kept.process, id);
    const wanted = this.#isWanted(kept.service, kept.ordinal);
    if (process !== undefined)
      return this.#bear(id, kept.service, kept.ordinal).adopt(kept, process);
    careful.remove(key);
    const { pid } = kept.process;
    const sentence = `${id} ended while control was away: pid ${pid}, exit code unknown`;
    events.record({
      kind: "instance.ended-unseen",
      level: wanted ? "warning" : "info",
      sentence,
      service: kept.service,
      instance: id,
    });
    if (wanted) this.#bear(id, kept.service, kept.ordinal).endedUnseen(kept);
  }

  #isWanted(serviceName: string, ordinal: number): boolean {
    const service = this.#services.get(serviceName);
    if (service === undefined) return false;
    const replicas = this.#words.replicasOf(service);
    // Those of a deploy come and go by its moves (#roll).
    return ordinal <= replicas || this.#rolloutOf(serviceName).owns(ordinal, replicas);
  }

  #bear(id: string, service: string, ordinal: number): Instance {
    const { told, generation } = this.#ports.remembered(id);
    const named = this.#services.get(service);
    const instance = new Instance(this.#instancePorts, {
      id,
      service,
      ordinal,
      extra: named !== undefined && ordinal > this.#words.replicasOf(named),
      spec: this.#specOf(service, ordinal),
      drainMs: this.#drainMs(),
      drained: this.#words.isDrained(id),
      told,
      generation,
    });
    this.#instances.set(id, instance);
    return instance;
  }

  /** Brings the instances in line with the file and the operator's words. */
  #want(cause: { readonly more: string; readonly fewer: string }): void {
    if (this.#shutdown !== undefined) return;
    for (const service of this.#services.values()) {
      const replicas = this.#words.replicasOf(service);
      for (let ordinal = 1; ordinal <= replicas; ordinal++) {
        this.#wantOne(service.name, ordinal, cause.more);
      }
    }
    for (const instance of this.#instances.values()) {
      if (this.#isWanted(instance.service, instance.ordinal)) continue;
      if (this.#unwanted.has(instance.id)) continue;
      this.#unwanted.add(instance.id);
      const gone = !this.#services.has(instance.service);
      instance.tell({ kind: "stop", cause: gone ? "the file does not name it" : cause.fewer });
    }
    this.#reviewSoon();
  }

  #wantOne(service: string, ordinal: number, cause: string): void {
    const id = `${service}-${ordinal}`;
    const known = this.#instances.get(id);
    if (known === undefined) this.#bear(id, service, ordinal);
    if (this.#unwanted.delete(id)) known?.tell({ kind: "wanted", cause });
  }

  #registryChanged({ before, after }: RegistryChange): void {
    if (after === undefined) return;
    if (before === undefined) return this.#drainIfAsked(after);
    const moved = before.startHeld !== after.startHeld || before.standing !== after.standing;
    if (moved) this.#reviewSoon();
    const health = healthToKeep(after);
    if (healthToKeep(before) === health) return;
    const instance = this.#instances.get(after.id);
    if (health === "up") instance?.tell({ kind: "healthy" });
    if (health === "down") {
      const cause = `its checks fail: ${after.lastCheck ?? "no answer"}`;
      instance?.tell({ kind: "unhealthy", cause });
    }
    this.#reviewSoon();
  }

  /** An endpoint comes, and may have been drained before it went. Our own instances are told. */
  #drainIfAsked({ id, origin }: InstanceRecord): void {
    if (origin !== "endpoint" || !this.#words.isDrained(id)) return;
    this.#ports.registry.patch(id, { draining: true });
  }

  #rolloutMoved(): void {
    this.#rolloutsMoved = true;
    this.#reviewSoon();
  }

  #reviewSoon(): void {
    this.#reviewPending ??= this.#ports.clock.after(0, () => {
      this.#reviewPending = undefined;
      this.#review();
    });
  }

  #review(): void {
    if (this.#shutdown !== undefined) this.#shutdown.review();
    else this.#launchAndReplace();
    for (const instance of this.#instances.values()) {
      if (instance.phase === "stopped") this.#bury(instance);
    }
    this.#sampleMemoryLater();
  }

  #launchAndReplace(): void {
    if (this.#rolloutsMoved) {
      this.#rolloutsMoved = false;
      this.#followSpecs();
      this.#want({ more: "it is wanted", fewer: "the deploy is over" });
    }
    for (const service of this.#services.values()) {
      const rollout = this.#rolloutOf(service.name);
      const replicas = this.#words.replicasOf(service);
      for (const ordinal of rollout.extras(replicas)) {
        this.#wantOne(service.name, ordinal, "a deploy needs it");
      }
      const own = [...this.#instances.values()].filter((one) => one.service === service.name);
      own.sort((a, b) => a.ordinal - b.ordinal);
      const blocker = waitsFor(service, (name) => this.#isReady(name));
      for (const instance of own.filter((one) => one.phase === "waiting")) {
        this.#launchOrExplain(instance, rollout, blocker);
      }
      this.#roll(this.#primaryLast(own), rollout, replicas);
      rollout.review(
        own.map((instance) => this.#view(instance)),
        replicas,
      );
      this.#showVersions(own, rollout, replicas);
    }
  }

  #launchOrExplain(instance: Instance, rollout: Rollout, blocker: string | undefined): void {
    const held = this.#ports.registry.get(instance.id)?.startHeld ?? "";
    if (blocker !== undefined) {
      instance.explain(`${instance.id} waits for ${blocker}: none of its instances is ready`);
    } else if (held !== "") instance.explain(held);
    else this.#launch(instance, rollout);
  }

  /** A primary is replaced when its standbys have been: so its place is handed over once. */
  #primaryLast(own: readonly Instance[]): readonly Instance[] {
    const standsBy = ({ id }: Instance): boolean =>
      this.#ports.registry.get(id)?.standing === "standby";
    return [...own.filter(standsBy), ...own.filter((instance) => !standsBy(instance))];
  }

  #launch(instance: Instance, rollout: Rollout): void {
    const { id, ordinal } = instance;
    this.#restarts.delete(id);
    // Before it can have traffic: a canary never has more than its share.
    const service = present(this.#services.get(instance.service), "a service to start");
    const replicas = this.#words.replicasOf(service);
    const share = rollout.shareOf(fingerprintOf(rollout.specOf(ordinal, replicas)), replicas);
    this.#ports.registry.patch(id, { share });
    instance.tell({ kind: "may-start" });
  }

  /** Replaces what was started otherwise than it would be now, and lets go what a deploy leaves. */
  #roll(own: readonly Instance[], rollout: Rollout, replicas: number): void {
    const reasons = new Map<string, string>();
    const leaving = new Set<string>();
    const extras = rollout.extras(replicas);
    for (const instance of own) {
      const { id, ordinal } = instance;
      const surplus = ordinal > replicas && !extras.includes(ordinal);
      if (surplus && !this.#unwanted.has(id)) leaving.add(id);
      const reason = surplus ? undefined : this.#reasonToReplace(instance, rollout);
      if (reason !== undefined) reasons.set(id, reason);
    }
    if (reasons.size + leaving.size === 0) return;
    const outdated = (id: string): boolean => reasons.has(id) || leaving.has(id);
    const rolling = own.map((instance) => this.#rollingView(instance, rollout, outdated));
    const now = replaceNow(rolling, rollout.budget(replicas));
    for (const instance of own) {
      if (!this.#restarts.has(instance.id) || now.includes(instance.id)) continue;
      instance.explain(`${instance.id} waits for its restart: another instance is not well yet`);
    }
    for (const id of now) {
      this.#restarts.delete(id);
      const instance = present(this.#instances.get(id), `an instance ${id}`);
      if (leaving.has(id)) {
        this.#unwanted.add(id);
        instance.tell({ kind: "stop", cause: "the deploy does not need it any more" });
      } else {
        instance.tell({ kind: "replace", cause: reasons.get(id) ?? "" });
      }
    }
  }

  #reasonToReplace(instance: Instance, rollout: Rollout): string | undefined {
    if (instance.phase === "waiting") return undefined;
    const spec = this.#specOf(instance.service, instance.ordinal);
    if (spec === undefined) return undefined;
    const wanted = fingerprintOf(spec);
    const changed = changeSince(instance.fingerprint, wanted);
    if (changed === undefined) return this.#restarts.get(instance.id);
    return rollout.isMoving ? `it becomes version ${rollout.versionOf(wanted)}` : changed;
  }

  #view(instance: Instance): InstanceView {
    const { id, ordinal, fingerprint, phase, failure } = instance;
    const record = this.#ports.registry.get(id);
    const [health, readyAtMs] = [record?.health ?? "unknown", record?.readyAtMs];
    // A standby by its mode is as good as its primary, and takes its place.
    const byMode = this.#services.get(instance.service)?.failover.mode === "primary-standby";
    const heldBack = !byMode && record?.standing === "standby";
    return { id, ordinal, fingerprint, phase, failure, health, heldBack, readyAtMs };
  }

  /** By an operator's word; a drain is what a rolling change does to each itself. */
  #isOut(id: string): boolean {
    return this.#ports.registry.get(id)?.steered?.forced === "down";
  }

  #showVersions(own: readonly Instance[], rollout: Rollout, replicas: number): void {
    for (const { id, ordinal, fingerprint, phase } of own) {
      this.#ports.registry.patch(id, { extra: ordinal > replicas });
      if (phase === "waiting") continue;
      const version = rollout.versionOf(fingerprint);
      const share = rollout.shareOf(fingerprint, replicas);
      this.#ports.registry.patch(id, version === undefined ? { share } : { share, version });
    }
  }

  #rollingView(
    instance: Instance,
    rollout: Rollout,
    outdated: (id: string) => boolean,
  ): RollingInstance {
    const { id, phase } = instance;
    const view = this.#view(instance);
    return {
      id,
      outdated: outdated(id),
      serving: phase === "running" && view.health !== "down" && !view.heldBack && !this.#isOut(id),
      well: rollout.isWell(view),
      ending: phase === "draining" || phase === "stopping",
    };
  }

  #isReady(service: string): boolean {
    const records = this.#ports.registry.instances();
    return records.some((record) => record.service === service && isReady(record));
  }

  #bury(instance: Instance): void {
    instance.release();
    this.#instances.delete(instance.id);
    this.#unwanted.delete(instance.id);
    this.#restarts.delete(instance.id);
    this.#ports.registry.remove(instance.id);
  }

  #sampleMemoryLater(): void {
    const sampled = [...this.#instances.values()].some((instance) => instance.samplesMemory);
    if (!sampled) return;
    this.#memorySample ??= this.#ports.clock.after(memorySampleMs, () => {
      this.#memorySample = undefined;
      for (const instance of this.#instances.values()) {
        if (instance.samplesMemory) instance.sampleMemory();
      }
      this.#sampleMemoryLater();
    });
  }

  #portsTaken(except: string): ReadonlySet<number> {
    const ports = [...this.#instances.values()].map((one) => (one.id === except ? 0 : one.port));
    return new Set(ports.filter((port) => port > 0));
  }

  #requireInstance(id: string): void {
    if (this.#ports.registry.get(id) === undefined) {
      throw new NinesError("NINES_TARGET_UNKNOWN", `There is no instance "${id}".`);
    }
  }

  #setDrained(id: string, drained: boolean, cause: string): void {
    const { registry, events, clock } = this.#ports;
    const sentence = drained
      ? `${id} gets no new traffic: ${cause}`
      : `${id} gets traffic: ${cause}`;
    const instance = this.#instances.get(id);
    if (instance === undefined) registry.patch(id, { draining: drained });
    else instance.setDrained(drained);
    registry.patch(id, { why: sentence, sinceWallMs: clock.wallMs() });
    const kind = drained ? "instance.drained" : "instance.undrained";
    events.record({ kind, level: "info", sentence, instance: id });
  }
}

/**
 * Whoever is forced up is not ended for its checks. Whoever is forced down is ended for nothing
 * that they do not say.
 */
function healthToKeep({ health, steered }: InstanceRecord): Health {
  return health === "down" && steered?.forced === "up" ? "up" : health;
}

/** Why what was started so is to be replaced; undefined when it would be started the same now. */
function changeSince(started: Fingerprint | undefined, now: Fingerprint): string | undefined {
  if (started === undefined) return undefined;
  if (Object.keys(started).length === 0) return "nobody knows any more what it was started with";
  const parts = changedParts(started, now);
  return parts.length > 0 ? `its ${parts.join(", ")} changed in the file` : undefined;
}
