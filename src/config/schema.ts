// The whole file as it is written: the schema from which the loader, `defineConfig`, the JSON Schema
// for editors and the reference page come.

import { z } from "zod";
import { admin } from "./admin-schema.ts";
import { backup } from "./backup-schema.ts";
import { entryOf, field, kindOf, serviceName } from "./fields.ts";
import { gateway } from "./gateway-schema.ts";
import { costs, predict } from "./predict-schema.ts";
import { service } from "./service-schema.ts";

export const file = z.strictObject({
  services: field(z.record(serviceName(), service).prefault({}), {
    meaning: "What is to be kept up, each under its name.",
    default: "none, where there is a `backup`: then that is all that is done",
  }),
  gateway: field(gateway.optional(), {
    meaning: "Where clients connect, and where their requests go.",
    default: "none: nothing listens, and the services are only kept running",
  }),
  admin: field(admin.optional(), {
    meaning: "The admin API on a TCP port, for other programs of this machine and for Prometheus.",
    default: "none: on a unix socket only",
  }),
  backup: field(backup.optional(), {
    meaning: "The vault: what `nines backup` keeps, where, and for how long.",
    default: "none: nothing is backed up",
  }),
  predict: field(predict.optional(), {
    meaning:
      "What `nines model`, `nines simulate` and `nines plan` are told beside the rest of the file. " +
      "It changes nothing of what runs.",
    default: "none: one machine, and rates that were measured or are assumed",
  }),
  costs: field(costs.optional(), {
    meaning: "What parts cost a month, for `nines plan` to find the cheapest ones.",
    default: "the defaults of its keys",
  }),
});

export type FileInput = z.input<typeof file>;
export type WrittenFile = z.output<typeof file>;

/** Keys of later versions, by the place where they would stand. Refused, since to pass over `tls` or
 * `placement` in silence would be worse than not to start. */
export const laterKeys: Readonly<Record<string, readonly string[]>> = {
  "": ["coordination", "alerts", "vault", "backups", "drills", "dns", "machines", "dashboard"],
  "services.*": ["postgres", "redis", "placement", "machines", "backup"],
  admin: ["tls"],
  "gateway.listen.*": ["tls", "proxyProtocol"],
  "gateway.routes.*": ["cache", "rateLimit", "mirror", "split"],
};

/** The schema inside `optional`, defaults and conversions. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault) {
    return bare(schema.def.innerType);
  }
  const converted = schema instanceof z.ZodPipe && kindOf(schema) === undefined;
  return converted ? bare(schema.def.in) : schema;
}

/** What a schema has below it under this key, or undefined. Of a union, the part that has parts. */
export function child(schema: z.core.$ZodType, key: PropertyKey): z.core.$ZodType | undefined {
  const inner = bare(schema);
  if (inner instanceof z.ZodObject) {
    return Object.hasOwn(inner.shape, key) ? inner.shape[String(key)] : undefined;
  }
  if (inner instanceof z.ZodRecord) return inner.def.valueType;
  if (inner instanceof z.ZodArray) return inner.def.element;
  if (!(inner instanceof z.ZodUnion)) return undefined;
  for (const option of inner.def.options) {
    const found = child(option, key);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The schema at a path of the file. */
export function schemaAt(path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = file;
  for (const key of path) schema = schema && child(schema, key);
  return schema;
}

/** Keys that a map at this path may have. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  const schema = schemaAt(path);
  const inner = schema && bare(schema);
  if (inner instanceof z.ZodObject) return Object.keys(inner.shape);
  if (!(inner instanceof z.ZodUnion)) return [];
  return inner.def.options.flatMap((option) =>
    option instanceof z.ZodObject ? Object.keys(option.shape) : [],
  );
}

/** JSON Schema (2020-12) of the file as it is written, for editors. */
export function jsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(file, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema: json }) => {
      const kind = kindOf(zodSchema);
      if (kind !== undefined) Object.assign(json, kind.json);
      const entry = entryOf(zodSchema);
      if (entry !== undefined) json.description = entry.meaning.replaceAll("`", "");
      if (zodSchema === service) {
        json.oneOf = [{ required: ["command"] }, { required: ["endpoints"] }];
      }
      if (zodSchema === file) json.anyOf = [{ required: ["services"] }, { required: ["backup"] }];
    },
  });
  return { $schema, title: "nines.yaml", ...rest };
}

/** The maps at or directly below a schema, each with its place as people name it. */
export function mapsWithin(
  schema: z.core.$ZodType,
  place: string,
): readonly [z.ZodObject, string][] {
  const inner = bare(schema);
  if (inner instanceof z.ZodObject) return [[inner, place]];
  if (inner instanceof z.ZodArray) return mapsWithin(inner.def.element, `${place}[]`);
  if (inner instanceof z.ZodRecord) return mapsWithin(inner.def.valueType, `${place}.NAME`);
  if (!(inner instanceof z.ZodUnion)) return [];
  return inner.def.options.flatMap((option) => mapsWithin(option, place));
}

/** The maps of the whole file that have this key. */
export function homesOf(key: string, map: z.ZodObject = file, place = ""): readonly string[] {
  const below = Object.entries(map.shape as Record<string, z.core.$ZodType>).flatMap(
    ([name, schema]) =>
      mapsWithin(schema, place === "" ? name : `${place}.${name}`).flatMap(([inner, innerPlace]) =>
        homesOf(key, inner, innerPlace),
      ),
  );
  return Object.hasOwn(map.shape, key) ? [place, ...below] : below;
}

/** Whether a number here is meant as the text that it was written as. */
export function isTextAt(path: readonly PropertyKey[]): boolean {
  const schema = schemaAt(path);
  const inner = schema && bare(schema);
  const options = inner instanceof z.ZodUnion ? inner.def.options : [inner];
  return options.some((option) => option !== undefined && kindOf(bare(option))?.verbatim === true);
}
