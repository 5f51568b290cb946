// How the program in a folder is started, as `npm start` would find it: the start script of its
// package.json, else a file of a name that servers have. A guess for a file that people read before
// they run it; whatever is not plain is left to npm, or to them.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const serverFiles = ["server", "app", "index"].flatMap((name) =>
  ["js", "mjs", "cjs"].map((ending) => `${name}.${ending}`),
);
const PACKAGE_BYTES_MAX = 1024 * 1024;
/** A program and its arguments, the same to a shell, to YAML and to a reader. */
const plainNode = /^node(?: [\w./=-]+)+$/;
/** Nines itself, by whatever path: as a service of its own it would start itself for ever. */
const itself = /(?:^|[\s/])nines(?:\s|$)/;

/** Undefined where nothing is found that runs. */
export function ownCommand(folder: string): string | undefined {
  const scripts = scriptsIn(join(folder, "package.json"));
  const start = scripts["start"];
  if (typeof start === "string" && start.trim() !== "" && !itself.test(start)) {
    // Without npm in between, an instance is one process and half of the memory.
    const isWhole = scripts["prestart"] === undefined && scripts["poststart"] === undefined;
    return isWhole && plainNode.test(start) ? start : "npm start";
  }
  const file = serverFiles.find((name) => isFile(join(folder, name)));
  return file === undefined ? undefined : `node ${file}`;
}

/** None of a file that cannot be read: npm says what is wrong with it better than we would. */
function scriptsIn(file: string): Readonly<Record<string, unknown>> {
  try {
    if (!isFile(file) || statSync(file).size > PACKAGE_BYTES_MAX) return {};
    const { scripts } = JSON.parse(readFileSync(file, "utf8")) as { readonly scripts?: unknown };
    return typeof scripts === "object" && scripts !== null ? { ...scripts } : {};
  } catch {
    return {};
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
