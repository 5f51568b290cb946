// What an operator asked for, kept on disk: it holds across restarts of control, not only as long
// as somebody remembers it. Written before it takes effect: a word that cannot be kept is refused.

import type { CommandService } from "../../config/config.ts";
import type { Records } from "../../ports/records.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";

const key = "operator/words";

interface ScaleWord {
  readonly replicas: number;
  /** The file's range at the time: when it says otherwise now, the file is the newer word. */
  readonly min: number;
  readonly max: number;
}

interface Words {
  readonly scale: Readonly<Record<string, ScaleWord>>;
  readonly drained: readonly string[];
}

export class OperatorWords {
  readonly #records: Records;
  readonly #careful: CarefulRecords;
  #words: Words;

  constructor(records: Records, careful: CarefulRecords) {
    this.#records = records;
    this.#careful = careful;
    this.#words = readWords(careful.read(key));
  }

  replicasOf(service: CommandService): number {
    const { min, max } = service.replicas;
    const word = this.#words.scale[service.name];
    return word !== undefined && word.min === min && word.max === max ? word.replicas : min;
  }

  isDrained(instance: string): boolean {
    return this.#words.drained.includes(instance);
  }

  get drained(): readonly string[] {
    return this.#words.drained;
  }

  scale(service: CommandService, replicas: number): void {
    const word = { replicas, ...service.replicas };
    this.#keep({ ...this.#words, scale: { ...this.#words.scale, [service.name]: word } });
  }

  /**
   * A changed file is a newer word on how many there are to be. It takes effect whatever the disk
   * says; if that refuses, the old word comes back with the next control.
   */
  forgetScales(): void {
    if (Object.keys(this.#words.scale).length === 0) return;
    this.#words = { ...this.#words, scale: {} };
    this.#careful.write(key, this.#words);
  }

  drain(instance: string): void {
    if (this.isDrained(instance)) return;
    this.#keep({ ...this.#words, drained: [...this.#words.drained, instance].sort() });
  }

  undrain(instance: string): void {
    if (!this.isDrained(instance)) return;
    const drained = this.#words.drained.filter((one) => one !== instance);
    this.#keep({ ...this.#words, drained });
  }

  #keep(words: Words): void {
    this.#records.write(key, words);
    this.#words = words;
  }
}

function readWords(value: unknown): Words {
  if (!isObject(value)) return { scale: {}, drained: [] };
  const scales = isObject(value["scale"]) ? Object.entries(value["scale"]) : [];
  const drained = Array.isArray(value["drained"]) ? value["drained"] : [];
  return {
    scale: Object.fromEntries(
      scales.filter((scale): scale is [string, ScaleWord] => isScaleWord(scale[1])),
    ),
    drained: drained.filter((one): one is string => typeof one === "string"),
  };
}

function isScaleWord(value: unknown): value is ScaleWord {
  return (
    isObject(value) && ["replicas", "min", "max"].every((name) => Number.isInteger(value[name]))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
