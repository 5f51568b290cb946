// What an operator asked for, kept on disk: it holds across restarts of control, not only as long
// as somebody remembers it. Written before it takes effect: a word that cannot be kept is refused.

import { isObject } from "../../core/base/objects.ts";
import type { CommandService } from "../../config/config.ts";
import type { Records } from "../../ports/records.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import { KeptWord } from "../registry/kept-word.ts";

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
  readonly #words: KeptWord<Words>;

  constructor(records: Records, careful: CarefulRecords) {
    this.#words = new KeptWord(records, careful, "operator/words", readWords);
  }

  replicasOf(service: CommandService): number {
    const { min, max } = service.replicas;
    const word = this.#words.now.scale[service.name];
    return word !== undefined && word.min === min && word.max === max ? word.replicas : min;
  }

  isDrained(instance: string): boolean {
    return this.drained.includes(instance);
  }

  get drained(): readonly string[] {
    return this.#words.now.drained;
  }

  scale(service: CommandService, replicas: number): void {
    const word = { replicas, ...service.replicas };
    const { now } = this.#words;
    this.#words.keep({ ...now, scale: { ...now.scale, [service.name]: word } });
  }

  /** A changed file is a newer word on how many there are to be. */
  forgetScales(): void {
    const { now } = this.#words;
    if (Object.keys(now.scale).length > 0) this.#words.replace({ ...now, scale: {} });
  }

  drain(instance: string): void {
    if (this.isDrained(instance)) return;
    this.#words.keep({ ...this.#words.now, drained: [...this.drained, instance].sort() });
  }

  undrain(instance: string): void {
    if (!this.isDrained(instance)) return;
    const drained = this.drained.filter((one) => one !== instance);
    this.#words.keep({ ...this.#words.now, drained });
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
