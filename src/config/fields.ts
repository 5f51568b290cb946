// What a field of the file is made of: how its text is read, and what the reference says of it.
//
// A field is a zod schema with two notes beside it. Its kind (duration, size, name) reads one
// written value, and words both the refusal and the range; its entry in the reference says what it
// means. The reference page, the JSON Schema for editors and the messages of `nines check` all come
// from these notes, so none of them can say what the others do not. Entries are shaped like
// HAProxy's: meaning, unit, default, range, interaction, see also.
// zod keeps the structure (unknown keys, lists, types for defineConfig). Rejected: zod's own string
// and number checks for single values, because "expected number, received string" teaches nobody
// what to write instead.

import { z } from "zod";
import {
  type DurationText,
  durationPattern,
  type PercentText,
  parseDuration,
  parsePercent,
  parseSize,
  percentPattern,
  printPercent,
  type SizeText,
  sizePattern,
} from "./units.ts";

/** How one kind of value is written. */
export interface Kind {
  /** With its article and range: "a duration from 10ms to 1h". */
  readonly accepts: string;
  /** As it stands in the file. */
  readonly example: string;
  /** Numbers are taken as the text that they were written as: `1.10` is not 1.1. */
  readonly verbatim?: true;
  /** For editors. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** An entry of the reference. The default comes from the schema unless it has to be explained. */
export interface FieldEntry {
  readonly meaning: string;
  readonly default?: string;
  readonly interaction?: string;
  /** Where the default or the rule comes from. */
  readonly source?: string;
  readonly see?: readonly string[];
}

/** What a kind's `read` returns instead of a value. */
export class Refusal {
  readonly what: string;
  readonly remedy: string | undefined;

  constructor(what: string, remedy?: string) {
    this.what = what;
    this.remedy = remedy;
  }
}

const kinds = new WeakMap<object, Kind>();
const entries = new WeakMap<object, FieldEntry>();

export function kindOf(schema: object): Kind | undefined {
  return kinds.get(schema);
}

export function entryOf(schema: object): FieldEntry | undefined {
  return entries.get(schema);
}

/** The same schema, with its entry in the reference. */
export function field<Schema extends z.core.$ZodType>(schema: Schema, entry: FieldEntry): Schema {
  entries.set(schema, entry);
  return schema;
}

/** A schema for one value that is written as `Written` and read as `Value`. */
export function scalar<Written, Value>(
  kind: Kind,
  read: (written: unknown) => Value | Refusal,
): z.ZodType<Value, Written> {
  const schema = z.custom<Written>().transform((written, context): Value => {
    const value = written === undefined ? new Refusal("is missing") : read(written);
    if (!(value instanceof Refusal)) return value;
    const remedy = value.remedy ?? `Write for example ${kind.example}.`;
    context.addIssue({ code: "custom", message: value.what, input: written, params: { remedy } });
    return z.NEVER;
  });
  kinds.set(schema, kind);
  return schema;
}

/** "must be a duration from 10ms to 1h, not 5". */
export function unlike(kind: Kind, written: unknown): Refusal {
  if (written === null) return new Refusal("is empty");
  return new Refusal(`must be ${kind.accepts}, not ${shown(written)}`);
}

/** A number or text as text; empty for anything else. */
export function asText(written: unknown): string {
  if (typeof written === "number") return String(written);
  return typeof written === "string" ? written : "";
}

/** A value as a message quotes it: short, on one line. */
export function shown(written: unknown): string {
  if (written === undefined || written === null) return "nothing";
  if (Array.isArray(written)) return "a list";
  if (typeof written === "object") return "a map";
  if (typeof written === "number" || typeof written === "boolean") return String(written);
  if (typeof written !== "string") return `a ${typeof written}`;
  return JSON.stringify(written.length > 40 ? `${written.slice(0, 39)}…` : written);
}

export function duration(from: DurationText, to: DurationText): z.ZodType<number, DurationText> {
  const kind: Kind = {
    accepts: `a duration from ${from} to ${to}`,
    example: allowed(["500ms", "1s", "2m"], parseDuration, from, to) || from,
    json: { type: "string", pattern: durationPattern.source },
  };
  return scalar(kind, (written) => {
    if (isBareNumber(written) && Number(written) > 0) {
      const remedy = `Write ${written}s for seconds or ${written}ms for milliseconds.`;
      return new Refusal(`${written} has no unit`, remedy);
    }
    const milliseconds = parseDuration(asText(written));
    return within(kind, written, milliseconds, parseDuration(from), parseDuration(to));
  });
}

export function size(from: SizeText, to: SizeText): z.ZodType<number, SizeText> {
  const kind: Kind = {
    accepts: `a size from ${from} to ${to}`,
    example: allowed(["64KiB", "512MiB", "1GiB"], parseSize, from, to) || from,
    json: { type: "string", pattern: sizePattern.source },
  };
  return scalar(kind, (written) => {
    if (isBareNumber(written)) {
      const remedy = `Write ${written}B for bytes, or use KiB, MiB or GiB.`;
      return new Refusal(`${written} has no unit`, remedy);
    }
    const bytes = parseSize(asText(written));
    const short = /^([\d.]+)([kmgt])b?$/i.exec(asText(written));
    if (bytes === undefined && short !== null) {
      const remedy = `Write ${short[1]}${short[2]?.toUpperCase()}iB.`;
      return new Refusal(`${shown(written)} has no unit that Nines knows`, remedy);
    }
    return within(kind, written, bytes, parseSize(from), parseSize(to));
  });
}

export function percent(
  from: PercentText = "0%",
  to: PercentText = "100%",
  example: PercentText = "20%",
): z.ZodType<number, PercentText> {
  const kind: Kind = {
    accepts: `a share from ${from} to ${to}`,
    example,
    json: { type: "string", pattern: percentPattern.source },
  };
  const [least = 0, most = 0] = [from, to].map((bound) => parsePercent(bound, Infinity));
  const read = (percentage: string): number | undefined => {
    const ratio = parsePercent(percentage, most);
    return ratio !== undefined && ratio >= least ? ratio : undefined;
  };
  return scalar(kind, (written) => {
    if (!isBareNumber(written)) return read(asText(written)) ?? unlike(kind, written);
    // 0.2 is rather 20% than 0.2%, and 20 is 20%, where the range has both.
    const guesses = [`${written}%`, printPercent(Number(written))];
    if (Number(written) < 1) guesses.reverse();
    const guess = guesses.find((one) => read(one) !== undefined);
    if (guess === undefined) return unlike(kind, written);
    return new Refusal(`${written} has no percent sign`, `Write ${guess}.`);
  });
}

/** A share that is neither nothing nor all. */
export function part(accepts: string, example: PercentText): z.ZodType<number, PercentText> {
  const kind: Kind = { accepts, example, json: { type: "string", pattern: percentPattern.source } };
  return scalar(kind, (written) => {
    const ratio = parsePercent(asText(written));
    return ratio !== undefined && ratio > 0 && ratio < 1 ? ratio : unlike(kind, written);
  });
}

export function integer(from: number, to: number): z.ZodType<number, number> {
  const kind: Kind = {
    accepts: `a whole number from ${from} to ${to}`,
    example: String(Math.max(from, 1)),
    json: { type: "integer", minimum: from, maximum: to },
  };
  return scalar(kind, (written) => {
    const whole = typeof written === "number" && Number.isInteger(written);
    return within(kind, written, whole ? written : undefined, from, to);
  });
}

/** Any number in the range; prices and loads. */
export function number(from: number, to: number): z.ZodType<number, number> {
  const kind: Kind = {
    accepts: `a number from ${from} to ${to}`,
    example: String(Math.max(from, 1)),
    json: { type: "number", minimum: from, maximum: to },
  };
  return scalar(kind, (written) =>
    within(kind, written, typeof written === "number" ? written : undefined, from, to),
  );
}

export function flag(): z.ZodType<boolean, boolean> {
  const kind: Kind = { accepts: "true or false", example: "true", json: { type: "boolean" } };
  return scalar(kind, (written) =>
    typeof written === "boolean" ? written : unlike(kind, written),
  );
}

/** Text that matches; `refuse` words a better refusal where it knows one. */
export function text(
  accepts: string,
  example: string,
  pattern: RegExp,
  refuse: (written: string) => Refusal | undefined = () => undefined,
): z.ZodType<string, string> {
  const json = { type: "string", pattern: pattern.source };
  const kind: Kind = { accepts, example, verbatim: true, json };
  return scalar(kind, (written) => {
    if (typeof written !== "string") return unlike(kind, written);
    return refuse(written) ?? (pattern.test(written) ? written : unlike(kind, written));
  });
}

/** One of some words. `later` are words that are known, and not to this version. */
export function choice<Word extends string>(
  words: readonly Word[],
  later: readonly string[] = [],
): z.ZodType<Word, Word> {
  const kind: Kind = {
    accepts: listed(words),
    example: words[0] ?? "",
    json: { type: "string", enum: [...words] },
  };
  return scalar(kind, (written) => {
    const word = words.find((one) => one === written);
    if (word !== undefined) return word;
    const known = later.find((one) => one === written);
    if (known === undefined) return unlike(kind, written);
    return new Refusal(`${known} is not in this version of Nines`, `Use ${listed(words)}.`);
  });
}

export function serviceName(): z.ZodType<string, string> {
  return text(
    "a name of up to 40 of a-z, 0-9 and -, a letter first",
    "web",
    /^[a-z][a-z0-9-]{0,39}$/,
  );
}

export const word = (example: string): z.ZodType<string, string> =>
  text("text", example, /\S/, (written) =>
    written.trim() === "" ? new Refusal("is empty") : undefined,
  );

export const urlPath = text(
  "a path that starts with / and has no ?, # or space",
  "/healthz",
  /^\/[^?#\s]*$/,
);

/** "a, b or c". */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}

/** Those of some examples that may stand in the field. */
function allowed(
  texts: readonly string[],
  parse: (text: string) => number | undefined,
  from: string,
  to: string,
): string {
  const [least = 0, most = 0] = [parse(from), parse(to)];
  const among = (value = -1) => value >= least && value <= most;
  return listed(texts.filter((text) => among(parse(text))));
}

function isBareNumber(written: unknown): written is number | string {
  if (typeof written === "number") return Number.isFinite(written) && written >= 0;
  return typeof written === "string" && /^\d+(\.\d+)?$/.test(written);
}

function within(
  kind: Kind,
  written: unknown,
  value: number | undefined,
  from = 0,
  to = Number.MAX_SAFE_INTEGER,
): number | Refusal {
  return value !== undefined && value >= from && value <= to ? value : unlike(kind, written);
}
