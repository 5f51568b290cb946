// The steering loop: what an operator says of single instances while everything runs, without a
// change of the file. How much of the traffic one gets, whether it counts as well whatever its
// checks say, which endpoints there are beside those of the file.
//
// Each word is on disk before it takes effect, holds across restarts of control and changes of the
// file, is shown by `nines status`, and ends by one word of its own: `auto`, or the opposite. Only
// the file itself ends one otherwise: by naming an endpoint that was added, or by no longer naming
// what the word was on. Drains are the supervisor's, since a start and an end drain as well.
//
// Rejected: words that a change of the file ends, as it ends `nines scale`. Whoever applies a file
// for another reason does not think of the instance that was taken out in the night.

import type { Config } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { WeightWord } from "../../core/steer/weights.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { Records } from "../../ports/records.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import {
  type Endpoint,
  endpointId,
  followEndpoints,
  type NamedEndpoints,
} from "../registry/endpoints.ts";
import type { InstanceRecord, Registry, Remembered } from "../registry/registry.ts";
import { SteeringWords } from "./steering-words.ts";

export interface SteeringPorts {
  readonly clock: Clock;
  readonly events: Events;
  readonly records: Records;
  readonly careful: CarefulRecords;
  readonly registry: Registry;
  /** What an earlier control told the data plane of an instance. */
  readonly remembered: (instance: string) => Remembered;
}

/** As many as a file may name. */
const ENDPOINTS_MAX = 1000;

export class SteeringLoop {
  readonly #ports: SteeringPorts;
  readonly #words: SteeringWords;
  readonly #subscription: Disposable;
  #services: readonly NamedEndpoints[] = [];

  constructor(ports: SteeringPorts) {
    this.#ports = ports;
    this.#words = new SteeringWords(ports.records, ports.careful);
    this.#subscription = ports.registry.subscribe(({ before, after }) => {
      if (before === undefined && after !== undefined) this.#show(after.id);
    });
  }

  /** Returns a sentence for each word that goes on beside the file. */
  follow(config: Config): readonly string[] {
    this.#services = config.services.filter((service) => service.kind === "endpoints");
    this.#forget(config);
    this.#followEndpoints();
    return this.#staying();
  }

  /** Throws NINES_TARGET_UNKNOWN or NINES_STATE_WRITE, as all that follow. */
  weigh(id: string, word: WeightWord | undefined): string {
    const record = this.#require(id);
    const { weight: _before, ...others } = record.steered ?? {};
    this.#words.steer(id, word === undefined ? others : { ...others, weight: word });
    const has = `${id} has ${sayWeight(record, word)}: an operator said so`;
    this.#say("instance.weighed", has, record);
    this.#show(id, { why: has });
    return has;
  }

  force(id: string, forced: "up" | "down" | undefined): string {
    const record = this.#require(id);
    const { forced: _before, ...others } = record.steered ?? {};
    this.#words.steer(id, forced === undefined ? others : { ...others, forced });
    const sentence = sayForced(id, forced);
    this.#say(forced === undefined ? "instance.force-ended" : "instance.forced", sentence, record);
    // A worker that has ejected it hears of a newer one.
    const generation = record.generation + (forced === "up" ? 1 : 0);
    const sinceWallMs = this.#ports.clock.wallMs();
    this.#show(id, { generation, why: sentence, sinceWallMs });
    return sentence;
  }

  /** Throws NINES_ENDPOINT_REFUSED as well; so does `remove`. */
  add(service: string, endpoint: Endpoint): string {
    const known = this.#requireService(service);
    const id = endpointId(service, endpoint);
    const { added, removed } = this.#words.now;
    const own = this.#ports.registry.instances().filter((one) => one.service === service);
    if (own.some((one) => one.id === id)) throw refused(`${id} is there already.`);
    if (own.length >= ENDPOINTS_MAX) {
      throw refused(`${service} has ${own.length} endpoints, and ${ENDPOINTS_MAX} are the most.`);
    }
    const isOfFile = known.endpoints.some((one) => endpointId(service, one) === id);
    if (isOfFile) this.#words.change({ removed: removed.filter((one) => one !== id) });
    else this.#words.change({ added: [...added, { service, endpoint }] });
    const how = isOfFile ? "as the file names it" : `weight ${endpoint.weight}, beside the file`;
    const sentence = `${id} is one of ${own.length + 1} endpoints, ${how}: an operator added it`;
    this.#say("endpoint.added", sentence, { id, service });
    this.#followEndpoints();
    return sentence;
  }

  remove(id: string): string {
    const record = this.#require(id);
    const { service } = record;
    if (record.origin !== "endpoint") {
      throw refused(`${id} is run by Nines: \`nines scale ${service}\` runs fewer.`);
    }
    const { added, removed } = this.#words.now;
    const others = added.filter((one) => endpointId(one.service, one.endpoint) !== id);
    if (others.length < added.length) this.#words.change({ added: others });
    else this.#words.change({ removed: [...removed, id].sort() });
    const all = this.#ports.registry.instances().filter((one) => one.service === service);
    const rest = all.length === 1 ? "none is left" : `${all.length - 1} are left`;
    const sentence = `${id} is no endpoint of ${service} any more, ${rest}: an operator removed it`;
    this.#say("endpoint.removed", sentence, record);
    this.#followEndpoints();
    return sentence;
  }

  /** Endpoints of the file that are left out. */
  removed(service: string): readonly string[] {
    const own = this.#services.find(({ name }) => name === service)?.endpoints ?? [];
    const ids = new Set(own.map((endpoint) => endpointId(service, endpoint)));
    return this.#words.now.removed.filter((id) => ids.has(id));
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  /** Whoever comes, or comes back, is as an operator said. */
  #show(id: string, more: Partial<InstanceRecord> = {}): void {
    this.#ports.registry.patch(id, { steered: this.#words.steeredOf(id), ...more });
  }

  #followEndpoints(): void {
    const { registry, remembered, clock } = this.#ports;
    const { added, removed } = this.#words.now;
    const wanted = this.#services.map(({ name, endpoints }) => ({
      name,
      endpoints: [
        ...endpoints.filter((endpoint) => !removed.includes(endpointId(name, endpoint))),
        ...added
          .filter(({ service }) => service === name)
          .map(({ endpoint }) => ({ ...endpoint, added: true })),
      ],
    }));
    followEndpoints(registry, wanted, remembered, clock.wallMs());
  }

  /** Of what the file says itself now, or names no more. */
  #forget(config: Config): void {
    const { added, removed, steered } = this.#words.now;
    const named = new Set(
      this.#services.flatMap(({ name, endpoints }) =>
        endpoints.map((endpoint) => endpointId(name, endpoint)),
      ),
    );
    const services = new Set(this.#services.map(({ name }) => name));
    const kept = {
      added: added.filter(
        ({ service, endpoint }) =>
          services.has(service) && !named.has(endpointId(service, endpoint)),
      ),
      removed: removed.filter((id) => named.has(id)),
      steered: Object.fromEntries(
        Object.entries(steered).filter(([id]) =>
          config.services.some(({ name }) => id.startsWith(`${name}-`)),
        ),
      ),
    };
    const isSame = JSON.stringify(kept) === JSON.stringify({ added, removed, steered });
    if (!isSame) this.#words.forget(kept);
  }

  #staying(): readonly string[] {
    const { added, removed, steered } = this.#words.now;
    return [
      ...added.map(({ service, endpoint }) => {
        const id = endpointId(service, endpoint);
        return `${id} stays, an operator added it: \`nines remove ${id}\` ends that.`;
      }),
      ...removed.map((id) => `${id} stays out, an operator removed it: \`nines add\` ends that.`),
      ...Object.entries(steered).flatMap(([id, { weight, forced }]) => [
        ...(weight === undefined
          ? []
          : [`${id} keeps an operator's weight: \`nines weight ${id} auto\` ends that.`]),
        ...(forced === undefined
          ? []
          : [`${id} stays forced ${forced}: \`nines force ${id} auto\` ends that.`]),
      ]),
    ];
  }

  #require(id: string): InstanceRecord {
    const record = this.#ports.registry.get(id);
    if (record !== undefined) return record;
    throw new NinesError("NINES_TARGET_UNKNOWN", `There is no instance "${id}".`);
  }

  #requireService(name: string): NamedEndpoints {
    const service = this.#services.find((one) => one.name === name);
    if (service !== undefined) return service;
    const what = `No service "${name}" has endpoints; what Nines runs itself, \`nines scale\` adds.`;
    throw new NinesError("NINES_SERVICE_UNKNOWN", what);
  }

  /** Before it takes effect: what follows from it is said after it. */
  #say(kind: string, sentence: string, { id, service }: { id: string; service: string }): void {
    this.#ports.events.record({ kind, level: "info", sentence, service, instance: id });
  }
}

function sayWeight({ weight }: InstanceRecord, word: WeightWord | undefined): string {
  if (word === undefined) return `the weight of the file again, ${weight}`;
  if ("percent" in word) return `weight ${word.percent}% of the file's ${weight}`;
  return `weight ${word.weight} instead of the file's ${weight}`;
}

function sayForced(id: string, forced: "up" | "down" | undefined): string {
  switch (forced) {
    case "up":
      return `${id} counts as well whatever its checks say: an operator forced it up`;
    case "down":
      return `${id} gets no traffic whatever its checks say: an operator forced it down`;
    case undefined:
      return `${id} is what its checks say again: an operator ended what was forced`;
  }
}

function refused(sentence: string): NinesError {
  return new NinesError("NINES_ENDPOINT_REFUSED", sentence);
}
