// The person at the keyboard: restarts, drains, scales, edits, deploys while all else goes wrong.
//
// What was asked for is kept here, so that checkers know what to expect and whom to excuse: a word
// may end what started before it, at any time, since a rolling change waits for each step. Words
// that meet a dead control are not spoken; an edited file waits for it.

import type { Random } from "../../src/core/base/prng.ts";
import { NinesError } from "../../src/core/base/errors.ts";
import type { CommandService } from "../../src/config/config.ts";
import type { Control } from "../../src/control/control.ts";
import { underWay } from "../../src/core/deploy/versions.ts";
import { startPartsOf } from "../../src/control/supervisor/start-parts.ts";
import { defects } from "./program.ts";
import type { World } from "./world.ts";

/** A launch under way when the word comes may be undone by it. */
const LAUNCH_MS = 2000;
/** Before the same word is said again. */
const PATIENCE_MS = 5000;

export class Operator {
  /** Instances that get no new traffic, by a person's word, and since when. */
  readonly drainedSinceMs = new Map<string, number>();
  /** Services whose instances may not take over by themselves, by a person's word. */
  readonly maintained = new Set<string>();
  /** Replicas asked for since the file was applied last. */
  readonly scaled = new Map<string, number>();
  words = 0;
  readonly #world: World;
  readonly #random: Random;
  readonly #askedAtMs = new Map<string, number>();
  readonly #movedAtMs = new Map<string, number>();
  /** When a deploy of the service was seen under way last. */
  readonly #deployingAtMs = new Map<string, number>();
  /** When something else than a deploy was said last, that may end or begin an instance. */
  otherWordAtMs = Number.NEGATIVE_INFINITY;
  /** Words that control died over: kept or not, nobody knows. */
  readonly #doubtful = new Set<string>();
  #fileInDoubt = false;
  #over = false;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  start(meanGapMs: number): void {
    const gapMs = -Math.log(1 - this.#random.ratio()) * meanGapMs;
    this.#world.loop.after(gapMs, () => {
      if (this.#over) return;
      this.#act();
      this.start(meanGapMs);
    });
  }

  replicas(service: CommandService): number {
    return this.scaled.get(service.name) ?? service.replicas.min;
  }

  /** Whether a person took every instance of the service out of traffic. */
  drainedWhole(service: CommandService): boolean {
    const ids = Array.from(
      { length: this.replicas(service) },
      (_, i) => `${service.name}-${i + 1}`,
    );
    return ids.every((id) => this.drainedSinceMs.has(id));
  }

  /** When a person last said something that may end this instance; long ago when nobody did. */
  askedAtMs(id: string): number {
    return this.#askedAtMs.get(id) ?? Number.NEGATIVE_INFINITY;
  }

  /** Whether a person's word is reason enough for ending what started then: it is older. */
  mayEnd(id: string, startedAtMs: number): boolean {
    if (this.isDeploying(id.slice(0, id.indexOf("-")))) return true;
    return startedAtMs <= this.askedAtMs(id) + LAUNCH_MS;
  }

  #act(): void {
    // A stopped control answers nobody; a person waits.
    if (this.#world.control?.gate.state === "stopped") return;
    const services = this.#world.commandServices();
    const service = services[this.#random.below(services.length)];
    if (service === undefined) return;
    const ordinal = 1 + this.#random.below(this.replicas(service));
    const instance = `${service.name}-${ordinal}`;
    if (service.failover.mode === "primary-standby" && this.#random.ratio() < 0.5) {
      return this.#movePrimary(service.name, instance);
    }
    const word = this.#random.below(9);
    if (word === 0) this.restart(service.name);
    else if (word === 1) this.restart(instance);
    else if (word === 2) this.drain(instance);
    else if (word === 3) this.undrainAll();
    else if (word === 4) {
      const { min, max } = service.replicas;
      this.scale(service.name, min + this.#random.below(max - min + 1));
    } else if (word === 5) this.edit(service.name);
    else if (word === 6) this.deploy(service.name);
    else if (word === 7) this.deploy(service.name, defects[this.#random.below(defects.length)]);
    else this.rollback(service.name);
  }

  #movePrimary(service: string, instance: string): void {
    const word = this.#random.below(5);
    if (word === 0) this.failover(service);
    else if (word === 1) this.failover(service, instance);
    else if (word === 2) this.failback(service);
    else this.maintain(word === 3 && !this.maintained.has(service), service);
  }

  /** When a person last said something that may move the service's primary. */
  movedAtMs(service: string): number {
    return this.#movedAtMs.get(service) ?? Number.NEGATIVE_INFINITY;
  }

  failover(service: string, to?: string): void {
    this.otherWordAtMs = this.#world.loop.nowMs;
    this.#movedAtMs.set(service, this.#world.loop.nowMs);
    this.#say(`failover ${service} ${to ?? ""}`.trim(), (control) => control.failover(service, to));
  }

  failback(service: string): void {
    this.otherWordAtMs = this.#world.loop.nowMs;
    this.#movedAtMs.set(service, this.#world.loop.nowMs);
    this.#say(`failback ${service}`, (control) => control.failback(service));
  }

  maintain(on: boolean, service: string): void {
    const word = `maintenance ${on ? "on" : "off"} ${service}`;
    const answer = this.#say(word, (control) => control.maintain(on, service));
    if (on && answer !== "unheard") this.maintained.add(service);
    if (!on && answer === "done") this.maintained.delete(service);
  }

  restart(target: string): void {
    this.otherWordAtMs = this.#world.loop.nowMs;
    this.#allowEnds(target);
    this.#say(`restart ${target}`, (control) => control.restart(target));
  }

  drain(instance: string): void {
    this.#movedAtMs.set(instance.slice(0, instance.lastIndexOf("-")), this.#world.loop.nowMs);
    const answer = this.#say(`drain ${instance}`, (control) => control.drain(instance));
    if (answer === "done" && !this.drainedSinceMs.has(instance)) {
      this.drainedSinceMs.set(instance, this.#world.loop.nowMs);
    }
    if (answer === "unknown") this.#doubt(instance);
  }

  undrain(instance: string): void {
    const answer = this.#say(`undrain ${instance}`, (control) => control.undrain(instance));
    if (answer === "done") this.drainedSinceMs.delete(instance);
    if (answer === "unknown") this.#doubt(instance);
  }

  undrainAll(): void {
    for (const instance of this.drainedSinceMs.keys()) this.undrain(instance);
  }

  scale(service: string, replicas: number): void {
    this.otherWordAtMs = this.#world.loop.nowMs;
    this.#allowEnds(service);
    const answer = this.#say(`scale ${service} ${replicas}`, (control) =>
      control.scale(service, replicas),
    );
    if (answer === "done") this.scaled.set(service, replicas);
    if (answer === "unknown") this.#fileInDoubt = true;
  }

  /** Changes the file: the service's programs start differently from now on. */
  edit(service: string): void {
    const revision = String(++this.words);
    const known = this.#world.commandServices().find((each) => each.name === service);
    if (known === undefined) return;
    this.#follow({ ...known, environment: { ...known.environment, REVISION: revision } });
    this.#world.note("operator", service, "edits the file");
    this.apply();
  }

  /** A new version: of the file when it is good, of a file of its own when it has a defect. */
  deploy(name: string, defect?: (typeof defects)[number]): void {
    const service = this.#world.commandServices().find((each) => each.name === name);
    if (service === undefined) return;
    const revision = String(++this.words);
    const own = defect === undefined ? { REVISION: revision } : { DEFECT: defect, TRY: revision };
    const next = { ...service, environment: { ...service.environment, ...own } };
    if (defect === undefined) this.#follow(next);
    this.#allowEnds(name);
    const answer = this.#say(`deploy ${name}, ${defect ?? "good"}`, (control) => {
      control.deploy(name, {
        parts: startPartsOf(next),
        settings: service.deploy,
        by: "the-operator",
        fromFile: defect === undefined,
        replace: this.#random.ratio() < 0.3,
      });
    });
    // What the file says now was not taken: it is followed at the end.
    if (defect === undefined && answer !== "done") this.#fileInDoubt = true;
  }

  rollback(name: string): void {
    this.#allowEnds(name);
    this.#say(`rollback ${name}`, (control) => control.rollback(name, undefined, "the-operator"));
  }

  /** Whether a deploy of the service is under way, as control knows, or was a moment ago. */
  isDeploying(name: string): boolean {
    const ledger = this.#world.control?.control?.ledgers().get(name);
    if (ledger !== undefined && underWay(ledger) !== undefined) {
      this.#deployingAtMs.set(name, this.#world.loop.nowMs);
    }
    const atMs = this.#deployingAtMs.get(name) ?? Number.NEGATIVE_INFINITY;
    return this.#world.loop.nowMs - atMs <= LAUNCH_MS;
  }

  #follow(changed: CommandService): void {
    const services = this.#world.file.services.map((each) =>
      each.name === changed.name ? changed : each,
    );
    this.#world.file = { ...this.#world.file, services };
  }

  apply(): void {
    this.otherWordAtMs = this.#world.loop.nowMs;
    const { file } = this.#world;
    for (const service of this.#world.commandServices()) this.#allowEnds(service.name);
    const answer = this.#say("apply", (control) => control.apply(file));
    // Unheard: the next control starts by the new file, and what was scaled still holds.
    if (answer === "done") this.scaled.clear();
    else if (answer !== "unheard") this.#fileInDoubt = true;
    // On a full disk a file is followed, and what it replaced may come back with the next control.
    if (this.#world.files.refusing) this.#fileInDoubt = true;
  }

  #doubt(instance: string): void {
    this.drainedSinceMs.delete(instance);
    this.#doubtful.add(instance);
  }

  /** No more words, but those that nobody knows whether they were heard are said again. */
  goHome(): void {
    this.#over = true;
    for (const instance of this.#doubtful) this.undrain(instance);
    for (const service of this.maintained) this.maintain(false, service);
    if (this.#fileInDoubt) this.#applyUntilTaken();
  }

  /** Whether the file is still to be followed: a deploy may have to end first. */
  get waits(): boolean {
    return this.#over && this.#fileInDoubt;
  }

  /** A control that starts follows the file, also what the one before did not take of it. */
  controlStarts(): void {
    if (!this.#fileInDoubt) return;
    this.otherWordAtMs = this.#world.loop.nowMs;
    for (const { name } of this.#world.commandServices()) this.#allowEnds(name);
  }

  #applyUntilTaken(): void {
    this.#fileInDoubt = false;
    this.apply();
    if (this.#fileInDoubt) this.#world.loop.after(PATIENCE_MS, () => this.#applyUntilTaken());
  }

  #allowEnds(target: string): void {
    for (const { name } of this.#world.file.services) {
      if (target === name || target.startsWith(`${name}-`)) {
        this.#movedAtMs.set(name, this.#world.loop.nowMs);
      }
    }
    const ids = this.#world.knownIds.filter((id) => id === target || id.startsWith(`${target}-`));
    for (const id of ids) this.#askedAtMs.set(id, this.#world.loop.nowMs);
  }

  #say(word: string, act: (control: Control) => void): Answer {
    const incarnation = this.#world.control;
    if (!this.#world.controlRuns() || incarnation === undefined) return "unheard";
    this.words++;
    this.#world.note("operator", "", word);
    let answer: Answer = "done";
    incarnation.enter(() => {
      try {
        if (incarnation.control !== undefined) act(incarnation.control);
      } catch (error) {
        // An answer like any other: an unknown instance, a disk that is full.
        if (!(error instanceof NinesError)) throw error;
        answer = "refused";
        this.#world.note("operator", "", `was refused: ${error.message}`);
      }
    });
    return incarnation.gate.state === "ended" ? "unknown" : answer;
  }
}

/** "unknown": control was killed over the word. "unheard": there was no control. */
type Answer = "done" | "refused" | "unknown" | "unheard";
