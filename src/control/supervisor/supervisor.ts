// The supervisor: which instances there are to be, and in which order they start, change and end.
//
// One review does all of it: it looks at every instance and sends each the event that follows from
// the whole (its dependencies are ready, it is its turn in a rolling change, it has ended and is
// not wanted). Whatever changes asks for a review; all reviews of one turn are one. So there is no
// state of "a rolling change under way" that could be lost or left behind: it is seen in the
// instances.

import type { CommandService, Config } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import { changedParts, type Fingerprint, fingerprintOf } from "../../core/supervise/fingerprint.ts";
import { keptInstances, readKeptInstance } from "../../core/supervise/kept-instance.ts";
import { replaceNow } from "../../core/supervise/rolling.ts";
import { waitsFor } from "../../core/supervise/start-order.ts";
import type { Timer } from "../../ports/clock.ts";
import type { Registry, RegistryChange, Remembered } from "../registry/registry.ts";
import type { Surroundings } from "../registry/surroundings.ts";
import { isReady } from "../registry/verdict.ts";
import { Instance, type InstancePorts } from "./instance.ts";
import { OperatorWords } from "./operator-words.ts";
import { Shutdown } from "./shutdown.ts";

export interface SupervisorPorts extends Omit<InstancePorts, "portsTaken" | "changed"> {
  readonly registry: Registry;
  /** What an earlier control told the data plane of an instance. */
  readonly remembered: (instance: string) => Remembered;
}

/** Where the kernel does not enforce a memory limit, somebody looks this often. */
export const memorySampleMs = 1_000;

export class Supervisor {
  readonly #ports: SupervisorPorts;
  readonly #instancePorts: InstancePorts;
  readonly #instances = new Map<string, Instance>();
  readonly #unwanted = new Set<string>();
  /** Why an instance is to be restarted, by an operator or ahead of a failure, until its turn. */
  readonly #restarts = new Map<string, string>();
  readonly #words: OperatorWords;
  readonly #subscription: Disposable;
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
    this.#words = new OperatorWords(ports.records, ports.careful);
    this.#subscription = ports.registry.subscribe((change) => this.#registryChanged(change));
  }

  start(config: Config): void {
    this.#follow(config);
    for (const key of this.#ports.careful.list(keptInstances)) this.#adopt(key);
    this.#want({ more: "the file names it", fewer: "the file wants fewer" });
  }

  apply(config: Config): void {
    this.#words.forgetScales();
    this.#follow(config);
    this.#want({ more: "the changed file names it", fewer: "the changed file wants fewer" });
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

  restart(target: string): void {
    const why = "an operator asked for a restart";
    const one = this.#instances.get(target);
    if (one !== undefined && !this.#services.has(target))
      return one.tell({ kind: "replace", cause: why });
    const all = [...this.#instances.values()].filter((instance) => instance.service === target);
    if (all.length === 0) {
      throw new NinesError("NINES_TARGET_UNKNOWN", `Nothing named "${target}" is run by Nines.`);
    }
    for (const instance of all) this.#restarts.set(instance.id, why);
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
    for (const instance of this.#instances.values()) instance.release();
  }

  #follow(config: Config): void {
    this.#config = config;
    this.#services = new Map(
      config.services.flatMap((service) =>
        service.kind === "command" ? [[service.name, service] as const] : [],
      ),
    );
    for (const instance of this.#instances.values()) {
      instance.follow(this.#services.get(instance.service), this.#drainMs());
    }
    for (const record of this.#ports.registry.instances()) {
      const draining = this.#words.isDrained(record.id);
      if (record.origin === "endpoint") this.#ports.registry.patch(record.id, { draining });
    }
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
    return service !== undefined && ordinal <= this.#words.replicasOf(service);
  }

  #bear(id: string, service: string, ordinal: number): Instance {
    const { told, generation } = this.#ports.remembered(id);
    const instance = new Instance(this.#instancePorts, {
      id,
      service,
      ordinal,
      spec: this.#services.get(service),
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
        const id = `${service.name}-${ordinal}`;
        const known = this.#instances.get(id);
        if (known === undefined) this.#bear(id, service.name, ordinal);
        if (this.#unwanted.delete(id)) known?.tell({ kind: "wanted", cause: cause.more });
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

  #registryChanged({ before, after }: RegistryChange): void {
    if (after === undefined || before === undefined) return;
    if (before.startHeld !== after.startHeld) this.#reviewSoon();
    if (before.health === after.health) return;
    const instance = this.#instances.get(after.id);
    if (after.health === "up") instance?.tell({ kind: "healthy" });
    if (after.health === "down") {
      const cause = `its checks fail: ${after.lastCheck ?? "no answer"}`;
      instance?.tell({ kind: "unhealthy", cause });
    }
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
    for (const service of this.#services.values()) {
      const own = [...this.#instances.values()].filter((one) => one.service === service.name);
      own.sort((a, b) => a.ordinal - b.ordinal);
      const blocker = waitsFor(service, (name) => this.#isReady(name));
      for (const instance of own.filter((one) => one.phase === "waiting")) {
        this.#launchOrExplain(instance, blocker);
      }
      this.#roll(service, this.#primaryLast(own));
    }
  }

  #launchOrExplain(instance: Instance, blocker: string | undefined): void {
    const held = this.#ports.registry.get(instance.id)?.startHeld ?? "";
    if (blocker !== undefined) {
      instance.explain(`${instance.id} waits for ${blocker}: none of its instances is ready`);
    } else if (held !== "") instance.explain(held);
    else this.#launch(instance);
  }

  /** A primary is replaced when its standbys have been: so its place is handed over once. */
  #primaryLast(own: readonly Instance[]): readonly Instance[] {
    const standsBy = ({ id }: Instance): boolean =>
      this.#ports.registry.get(id)?.standing === "standby";
    return [...own.filter(standsBy), ...own.filter((instance) => !standsBy(instance))];
  }

  #launch(instance: Instance): void {
    this.#restarts.delete(instance.id);
    instance.tell({ kind: "may-start" });
  }

  /** Replaces what was started otherwise than the file says now, in turn. */
  #roll(service: CommandService, own: readonly Instance[]): void {
    const fingerprint = fingerprintOf(service);
    const reasons = new Map<string, string>();
    for (const instance of own) {
      const changed = changeSince(instance.fingerprint, fingerprint);
      const reason = changed ?? this.#restarts.get(instance.id);
      if (reason !== undefined && instance.phase !== "waiting") reasons.set(instance.id, reason);
    }
    if (reasons.size === 0) return;
    const rolling = own.map((instance) => this.#rollingView(instance, reasons.has(instance.id)));
    for (const id of replaceNow(rolling)) {
      this.#restarts.delete(id);
      this.#instances.get(id)?.tell({ kind: "replace", cause: reasons.get(id) ?? "" });
    }
  }

  #rollingView(instance: Instance, outdated: boolean): Parameters<typeof replaceNow>[0][number] {
    const { id, phase } = instance;
    const health = this.#ports.registry.get(id)?.health;
    return {
      id,
      outdated,
      serving: phase === "running" && health !== "down",
      well: phase === "running" && health === "up",
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

/** Why what was started so is to be replaced; undefined when it would be started the same now. */
function changeSince(started: Fingerprint | undefined, now: Fingerprint): string | undefined {
  if (started === undefined) return undefined;
  if (Object.keys(started).length === 0) return "nobody knows any more what it was started with";
  const parts = changedParts(started, now);
  return parts.length > 0 ? `its ${parts.join(", ")} changed in the file` : undefined;
}
