// What an operator said while everything ran, beside the file: weights, forced verdicts, endpoints
// more and fewer. Kept on disk before it takes effect, so that it holds across restarts of control;
// a word that cannot be kept is refused.

import { LEVELS_MAX } from "../../core/route/table.ts";
import { PERCENT_MAX } from "../../core/steer/agent-line.ts";
import { WEIGHT_MAX, type WeightWord } from "../../core/steer/weights.ts";
import type { Records } from "../../ports/records.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import type { Endpoint } from "../registry/endpoints.ts";
import type { Steered } from "../registry/registry.ts";

const key = "operator/steering";

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
  readonly #records: Records;
  readonly #careful: CarefulRecords;
  #words: Words;

  constructor(records: Records, careful: CarefulRecords) {
    this.#records = records;
    this.#careful = careful;
    this.#words = readWords(careful.read(key));
  }

  get now(): Words {
    return this.#words;
  }

  steeredOf(instance: string): Steered | undefined {
    return this.#words.steered[instance];
  }

  /** Throws NINES_STATE_WRITE, and then nothing has changed; so do the next two. */
  steer(instance: string, steered: Steered): void {
    const { [instance]: _before, ...others } = this.#words.steered;
    const isPlain = steered.weight === undefined && steered.forced === undefined;
    this.#keep({
      ...this.#words,
      steered: isPlain ? others : { ...others, [instance]: steered },
    });
  }

  /** Of words on an endpoint that has gone nothing is kept. */
  change(words: Partial<Pick<Words, "added" | "removed">>): void {
    this.#keep({ ...this.#words, ...words });
  }

  /** The file has changed: what it says itself now, or does not name any more, is forgotten. */
  forget(words: Words): void {
    this.#words = words;
    this.#careful.write(key, words);
  }

  #keep(words: Words): void {
    this.#records.write(key, words);
    this.#words = words;
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
