// zod's issues as problems that a person can act on.
//
// Single values word their own refusals (fields.ts). What is left is structure: an unknown key and
// the one that was probably meant, a key of a later version, a missing or misplaced map or list. Of
// a union, the part that has the shape of what was written explains it, since "expected number" is
// no answer to someone who wrote a map with a slip in it.

import { z } from "zod";
import type { PlainDocument } from "./document.ts";
import { kindOf, listed, shown } from "./fields.ts";
import { nearest, type Path, type Problem } from "./problems.ts";
import { bare, homesOf, keysAt, laterKeys, schemaAt } from "./schema.ts";

type Issue = z.core.$ZodIssue;
type Explain = (issue: Issue, path: Path, document: PlainDocument) => readonly Problem[];

export function explainIssues(
  issues: readonly Issue[],
  document: PlainDocument,
): readonly Problem[] {
  return issues.flatMap((issue) => explain(issue, [], document));
}

/** `above` is what an issue inside a union leaves out of its own path. */
const explain: Explain = (issue, above, document) => {
  const path = [...above, ...(issue.path as Path)];
  const problem = (what: string, remedy: string, part: "key" | "value" = "value"): Problem => ({
    level: "error",
    path,
    ...document.locate(path, part),
    what,
    remedy,
  });
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(key, path, document));
    case "invalid_union":
      return explainUnion(issue, path, document);
    case "invalid_key": {
      const { message, remedy } = wording(issue.issues[0]);
      return [problem(message, remedy, "key")];
    }
    case "too_small":
      return [problem("is empty", `Give it at least ${issue.minimum} value.`)];
    case "too_big":
      return [problem(`has more than ${issue.maximum} values`, "Leave some out.")];
    case "invalid_type":
      return [problem(...shapeAdvice(valueAt(document.value, path), shapes(path), path))];
    case "custom":
    case "invalid_element":
    case "invalid_format":
    case "invalid_value":
    case "not_multiple_of": {
      const { message, remedy } = wording(issue);
      return [problem(message, remedy)];
    }
  }
};

function wording(issue: Issue | undefined): { readonly message: string; readonly remedy: string } {
  const remedy: unknown = issue?.code === "custom" ? issue.params?.["remedy"] : undefined;
  return {
    message: issue?.message ?? "is not right",
    remedy: typeof remedy === "string" ? remedy : "`nines schema` prints what is allowed.",
  };
}

function unknownKey(key: string, above: Path, document: PlainDocument): Problem {
  const path = [...above, key];
  const place = { level: "error", path, ...document.locate(path, "key") } as const;
  const pattern = above.map((part, index) => (isNamed(above, index) ? "*" : part)).join(".");
  if (laterKeys[pattern]?.includes(key) === true) {
    const what = "is not in this version of Nines";
    return { ...place, what, remedy: "Leave it out; Nines would not do what it says." };
  }
  return { ...place, what: "unknown key", remedy: keyAdvice(key, keysAt(above)) };
}

function keyAdvice(key: string, known: readonly string[]): string {
  const homes = homesOf(key).map((place) =>
    place === "" ? "the top of the file" : `\`${place}\``,
  );
  if (homes.length > 0) return `It belongs to ${listed(homes)}.`;
  const meant = nearest(key, known);
  return meant === undefined ? `Known here: ${known.join(", ")}.` : `Did you mean "${meant}"?`;
}

/** Whether this part of a path is a name or number that the user gave, and not a key of ours. */
function isNamed(path: Path, index: number): boolean {
  return typeof path[index] === "number" || (index === 1 && path[0] === "services");
}

function explainUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  path: Path,
  document: PlainDocument,
): readonly Problem[] {
  const written = valueAt(document.value, path);
  const options = shapes(path);
  const index = options.findIndex(({ shape }) => shape === shapeOf(written));
  const issues = issue.errors[index];
  if (issues !== undefined) return issues.flatMap((one) => explain(one, path, document));
  const [what, remedy] = shapeAdvice(written, options, path);
  return [{ level: "error", path, ...document.locate(path, "value"), what, remedy }];
}

type Shape = "map" | "list" | "value";

interface Expected {
  readonly shape: Shape;
  /** With its article. */
  readonly accepts: string;
}

function shapeOf(written: unknown): Shape {
  if (Array.isArray(written)) return "list";
  return typeof written === "object" && written !== null ? "map" : "value";
}

/** What the schema takes at this path: one shape, or one for each part of a union. */
function shapes(path: Path): readonly Expected[] {
  const schema = schemaAt(path);
  if (schema === undefined) return [];
  const inner = bare(schema);
  const options = inner instanceof z.ZodUnion ? inner.def.options : [inner];
  return options.map((option) => {
    const part = bare(option);
    if (part instanceof z.ZodArray) return { shape: "list", accepts: "a list" };
    const kind = kindOf(part);
    if (kind !== undefined) return { shape: "value", accepts: kind.accepts };
    const keys = part instanceof z.ZodObject ? ` of ${Object.keys(part.shape).join(", ")}` : "";
    return { shape: "map", accepts: `a map${keys.length > 60 ? "" : keys}` };
  });
}

function shapeAdvice(
  written: unknown,
  expected: readonly Expected[],
  path: Path,
): readonly [string, string] {
  const accepts = listed(expected.map((one) => one.accepts));
  if (path.length === 0) {
    const remedy = "Start it with `services:`; `nines init` writes an example.";
    const nothing = written === null || written === undefined;
    return [nothing ? "is empty" : `must be ${accepts}, not ${shown(written)}`, remedy];
  }
  if (written === undefined) {
    return ["is missing", `Add \`${String(path[path.length - 1])}:\` with ${accepts}.`];
  }
  if (written === null) {
    const schema = schemaAt(path);
    const optional = schema !== undefined && bare(schema) !== schema;
    return ["is empty", `Give it ${accepts}${optional ? ", or leave the key out" : ""}.`];
  }
  const list = expected.some(({ shape }) => shape === "list");
  const remedy = list ? "Write [ ... ], or a line with - for each." : "Indent its keys below it.";
  return [`must be ${accepts}, not ${shown(written)}`, remedy];
}

export function valueAt(value: unknown, path: Path): unknown {
  let inner = value;
  for (const key of path) {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, key)) return undefined;
    inner = (inner as Record<string | number, unknown>)[key];
  }
  return inner;
}
