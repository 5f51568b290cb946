// The version of Nines, from the package file that it was installed with.

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Four floors up: src/program/ of dist/, and dist/ itself. */
const packageFile = join(import.meta.dirname, "..", "..", "..", "package.json");

export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile, "utf8")) as { version: string };
  return version;
}
