// A small validator of JSON Schema 2020-12, for tests that hold what Nines says against what it
// promises. Written from the specification, and not from the library that writes the schemas: the
// two must not share a mistake. What it does not know it refuses, so that no rule goes unheeded.
//
// An object whose schema lists its properties is taken as closed, also where the schema leaves it
// open: a field that an answer has and the document does not is a fault here.

type Schema = Readonly<Record<string, unknown>>;

export interface SchemaDocument {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Everything that is wrong, each with its place; empty when the value is as the schema says. */
export function violations(document: SchemaDocument, schema: Schema, value: unknown): string[] {
  return validate(schema, value, "$", document);
}

type Rule = (want: never, value: unknown, place: Place) => string[];

interface Place {
  readonly at: string;
  readonly schema: Schema;
  readonly document: SchemaDocument;
}

function validate(schema: Schema, value: unknown, at: string, document: SchemaDocument): string[] {
  return Object.entries(schema).flatMap(([keyword, want]) => {
    const rule = rules[keyword];
    if (rule === undefined) return [`${at}: the validator does not know "${keyword}"`];
    return rule(want as never, value, { at, schema, document });
  });
}

const passes: Rule = () => [];

function check(is: boolean, { at }: Place, what: string): string[] {
  return is ? [] : [`${at}: ${what}`];
}

const onNumber =
  (holds: (value: number, want: number) => boolean): Rule =>
  (want, value, place) =>
    check(
      typeof value !== "number" || holds(value, want),
      place,
      `${String(value)}, ${String(want)}`,
    );

const onString =
  (holds: (value: string, want: never) => boolean): Rule =>
  (want, value, place) =>
    check(
      typeof value !== "string" || holds(value, want),
      place,
      `${String(value)}, ${String(want)}`,
    );

const rules: Readonly<Record<string, Rule>> = {
  $ref(want: string, value, { at, document }) {
    const name = want.replace("#/components/schemas/", "");
    const schema = document.components.schemas[name];
    return schema === undefined ? [`${at}: no ${want}`] : validate(schema, value, at, document);
  },
  type: (want: string | readonly string[], value, place) =>
    check(
      [want].flat().some((one) => isType(one, value)),
      place,
      `is no ${String(want)}`,
    ),
  enum: (want: readonly unknown[], value, place) =>
    check(want.includes(value), place, `${JSON.stringify(value)} is none of ${want.join(", ")}`),
  const: (want, value, place) => check(value === want, place, `is not ${String(want)}`),
  anyOf(want: readonly Schema[], value, place) {
    const tried = want.map((schema) => validate(schema, value, place.at, place.document));
    return tried.some((found) => found.length === 0) ? [] : tried.flat();
  },
  properties(want: Readonly<Record<string, Schema>>, value, place) {
    if (!isObject(value)) return [];
    return Object.entries(value).flatMap(([name, part]) => {
      const schema = Object.hasOwn(want, name) ? want[name] : undefined;
      const at = `${place.at}.${name}`;
      if (schema !== undefined) return validate(schema, part, at, place.document);
      return isObject(place.schema["additionalProperties"]) ? [] : [`${at}: is not described`];
    });
  },
  required: (want: readonly string[], value, place) =>
    want.flatMap((name) =>
      check(!isObject(value) || Object.hasOwn(value, name), place, `has no ${name}`),
    ),
  additionalProperties(want: Schema | false, value, place) {
    if (want === false || !isObject(value)) return []; // `properties` refuses them
    const known = (place.schema["properties"] ?? {}) as object;
    return Object.entries(value)
      .filter(([name]) => !Object.hasOwn(known, name))
      .flatMap(([name, part]) => validate(want, part, `${place.at}.${name}`, place.document));
  },
  propertyNames(want: Schema, value, place) {
    const names = isObject(value) ? Object.keys(value) : [];
    return names.flatMap((name) => validate(want, name, `${place.at}.${name}`, place.document));
  },
  items(want: Schema, value, place) {
    if (!Array.isArray(value)) return [];
    return value.flatMap((item: unknown, index) =>
      validate(want, item, `${place.at}[${index}]`, place.document),
    );
  },
  minimum: onNumber((value, want) => value >= want),
  maximum: onNumber((value, want) => value <= want),
  exclusiveMinimum: onNumber((value, want) => value > want),
  exclusiveMaximum: onNumber((value, want) => value < want),
  minLength: onString((value, want: number) => value.length >= want),
  maxLength: onString((value, want: number) => value.length <= want),
  pattern: onString((value, want: string) => new RegExp(want, "u").test(value)),
  description: passes,
  default: passes,
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isType(want: string, value: unknown): boolean {
  if (want === "null") return value === null;
  if (want === "array") return Array.isArray(value);
  if (want === "object") return isObject(value);
  if (want === "integer") return Number.isInteger(value);
  return ["string", "number", "boolean"].includes(want) && typeof value === want;
}
