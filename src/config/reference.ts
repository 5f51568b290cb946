// docs/reference/config.md, from the schema. A page per file: each map a chapter, each key an entry
// with its kind, range, default, meaning, interaction, source and neighbours.

import { z } from "zod";
import { entryOf, kindOf, listed } from "./fields.ts";
import { bare, file, laterKeys, mapsWithin } from "./schema.ts";

type Schema = z.core.$ZodType;

const opening = `# nines.yaml

The file that says what Nines keeps up. Also \`nines.json\` with the same content, or
\`nines.config.js\` with \`export default defineConfig({ ... })\` from \`nines\`.

- \`nines init\` writes one to start from, \`nines check\` judges one, \`nines schema\` prints its JSON
  Schema for editors.
- A number that measures something has its unit: durations \`ms\`, \`s\`, \`m\`, \`h\`, \`d\`; sizes \`B\`,
  \`KiB\`, \`MiB\`, \`GiB\`, \`TiB\` (1024) and \`KB\`, \`MB\`, \`GB\` (1000); shares \`%\`.
- Unknown keys are refused, and so are keys of later versions: a file says what is done, or is not
  run. Relative paths start from the file's folder.
- YAML is read as version 1.2 (\`yes\` is text), in files of up to 1 MiB; anchors and aliases work.

This page is generated from the schema.
`;

export function configReference(): string {
  return `${opening}\n${writeChapter(file, "", "## The file\n")}\n${laterChapter()}`;
}

/** A chapter has an entry for each of its keys that is not a map, and is followed by the chapters
 * of those that are, each opened by its entry. */
function writeChapter(map: z.ZodObject, place: string, opening: string): string {
  const entries: string[] = [];
  const below: string[] = [];
  for (const [key, schema] of Object.entries(map.shape as Record<string, Schema>)) {
    const path = place === "" ? key : `${place}.${key}`;
    const isMap = bare(schema) instanceof z.ZodObject;
    if (!isMap) entries.push(`### \`${path}\`\n\n${writeEntry(schema)}`);
    for (const [inner, innerPath] of mapsWithin(schema, path)) {
      const suffix = !isMap && innerPath === path ? " as a map" : "";
      const heading = `## \`${innerPath}\`${suffix}\n`;
      below.push(
        writeChapter(inner, innerPath, isMap ? `${heading}\n${writeEntry(schema)}` : heading),
      );
    }
  }
  return [opening, ...entries, ...below].join("\n");
}

function writeEntry(schema: Schema): string {
  const entry = entryOf(schema);
  const fallback = entry?.default ?? writtenDefault(schema);
  const facts = `*${accepted(schema)}* · ${fallback === undefined ? "required" : `default: ${fallback}`}`;
  const see = entry?.see?.map((name) => `\`${name}\``).join(", ");
  return [
    facts,
    entry?.meaning,
    entry?.interaction,
    entry?.source === undefined ? undefined : `After: ${entry.source}`,
    see === undefined ? undefined : `See also: ${see}.`,
  ]
    .filter((part) => part !== undefined)
    .map((part) => `${part}\n`)
    .join("\n");
}

function writtenDefault(schema: Schema): string | undefined {
  if (!(schema instanceof z.ZodPrefault)) return undefined;
  const value: unknown = schema.def.defaultValue;
  const isEmptyMap = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  if (isEmptyMap) return bare(schema) instanceof z.ZodObject ? "the defaults of its keys" : "none";
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function accepted(schema: Schema): string {
  const inner = bare(schema);
  const kind = kindOf(inner);
  if (kind !== undefined) return kind.accepts;
  if (inner instanceof z.ZodUnion) {
    const parts = inner.def.options.map(accepted);
    return listed(
      parts.map((part) => (part === `a list, each ${parts[0]}` ? "a list of such" : part)),
    );
  }
  if (inner instanceof z.ZodArray) return `a list, each ${accepted(inner.def.element)}`;
  if (inner instanceof z.ZodRecord) return `a map of names, each ${accepted(inner.def.valueType)}`;
  return "a map";
}

function laterChapter(): string {
  const rows = Object.entries(laterKeys).map(([place, keys]) => {
    const name = place.replace("services.*", "services.NAME").replaceAll(".*", "[]");
    const where = name === "" ? "The file" : `\`${name}\``;
    return `- ${where}: ${keys.map((key) => `\`${key}\``).join(", ")}`;
  });
  return `## Keys of later versions\n\nKnown, and refused by this version:\n\n${rows.join("\n")}\n`;
}
