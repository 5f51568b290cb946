// What an operator said while everything ran, beside the file: weights, forced verdicts, endpoints
// more and fewer. Kept on disk before it takes effect, so that it holds across restarts of control;
// a word that cannot be kept is refused.

import { isObject } from "../../core/base/objects.ts";
import { LEVELS_MAX } from "../../core/route/table.ts";
import { PERCENT_MAX } from "../../core/steer/agent-line.ts";
import { WEIGHT_MAX, type WeightWord } from "../../core/steer/weights.ts";
import type { Records } from "../../ports/records.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import { KeptWord } from "../registry/kept-word.ts";
import type { Endpoint } from "../registry/endpoints.ts";
import type { Steered } from "../registry/registry.ts";

export interface AddedEndpoint {
  readonly service: string;
  readonly endpoint: Endpoint;
}

export interface Words {
  /** By instance. */
  readonly steered: Readonly<Record<string, Steered>>;
  readonly added: readonly AddedEndpoint[];
  /** Instances of the file that are to be left out. */
  readonly removed: readonly string[];
}

export class SteeringWords {
  readonly #words: KeptWord<Words>;

  constructor(records: Records, careful: CarefulRecords) {
    this.#words = new KeptWord(records, careful, "operator/steering", readWords);
  }

  get now(): Words {
    return this.#words.now;
  }

  steeredOf(instance: string): Steered | undefined {
    return this.now.steered[instance];
  }

  /** Throws NINES_STATE_WRITE, and then nothing has changed; so do the next two. */
  steer(instance: string, steered: Steered): void {
    const { [instance]: _before, ...others } = this.now.steered;
    const isPlain = steered.weight === undefined && steered.forced === undefined;
    this.#words.keep({
      ...this.now,
      steered: isPlain ? others : { ...others, [instance]: steered },
    });
  }

  /** Of words on an endpoint that has gone nothing is kept. */
  change(words: Partial<Pick<Words, "added" | "removed">>): void {
    this.#words.keep({ ...this.now, ...words });
  }

  /** The file has changed: what it says itself now, or does not name any more, is forgotten. */
  forget(words: Words): void {
    this.#words.replace(words);
  }
}

function readWords(value: unknown): Words {
  const words = isObject(value) ? value : {};
  const steered = isObject(words["steered"]) ? Object.entries(words["steered"]) : [];
  const added = Array.isArray(words["added"]) ? words["added"] : [];
  const removed = Array.isArray(words["removed"]) ? words["removed"] : [];
  return {
    steered: Object.fromEntries(steered.flatMap(([id, one]) => readSteered(id, one))),
    added: added.filter((one): one is AddedEndpoint => isAdded(one)),
    removed: removed.filter((one): one is string => typeof one === "string"),
  };
}

function readSteered(id: string, value: unknown): readonly (readonly [string, Steered])[] {
  if (!isObject(value)) return [];
  const { weight, forced } = value;
  const steered = {
    ...(isWeightWord(weight) ? { weight } : {}),
    ...(forced === "up" || forced === "down" ? { forced } : {}),
  } satisfies Steered;
  return Object.keys(steered).length === 0 ? [] : [[id, steered]];
}

function isWeightWord(value: unknown): value is WeightWord {
  return isObject(value) && (isIn(value["weight"], 1, WEIGHT_MAX) || isPercent(value["percent"]));
}

function isPercent(value: unknown): boolean {
  return isIn(value, 1, PERCENT_MAX);
}

function isAdded(value: unknown): value is AddedEndpoint {
  if (!isObject(value) || typeof value["service"] !== "string") return false;
  const endpoint = value["endpoint"];
  return (
    isObject(endpoint) &&
    typeof endpoint["host"] === "string" &&
    isIn(endpoint["port"], 1, 65_535) &&
    isIn(endpoint["weight"], 1, WEIGHT_MAX) &&
    typeof endpoint["backup"] === "boolean" &&
    (endpoint["priority"] === undefined || isIn(endpoint["priority"], 0, LEVELS_MAX - 1)) &&
    typeof endpoint["zone"] === "string"
  );
}

function isIn(value: unknown, from: number, to: number): boolean {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to;
}
